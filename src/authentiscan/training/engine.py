"""The training loop, on Lightning Fabric: devices, precision and processes are Fabric's, the loop
ours.

The loop is written out because a run that was killed must go on to the same weights. At every
checkpoint its whole state is a few plain numbers and the optimizer's: data order, crops and
dropout are functions of (seed, epoch, step) and need no saving.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from lightning.fabric import Fabric
from torch import Tensor

from authentiscan.core.errors import TrainingError
from authentiscan.core.types import JsonObject
from authentiscan.models.base import ImageClassifier
from authentiscan.training.display import Display
from authentiscan.training.feeding import (
    Feeder,
    TrainingData,
    note_failures,
    probe,
    validate,
)
from authentiscan.training.journey import Journey
from authentiscan.training.layers import (
    MovingAverage,
    Schedule,
    TrainedLayers,
    head_penalty,
    kept_statistics,
    loss_of,
    make_optimizer,
    make_plain,
    prepare_model,
)
from authentiscan.training.leavings import write_history
from authentiscan.training.loaders import Batch
from authentiscan.training.loggers import Loggers
from authentiscan.training.phase import Phase
from authentiscan.training.recipe import Recipe, recipe_sha256
from authentiscan.training.reporter import Reporter
from authentiscan.training.sampling import EpochBatches
from authentiscan.training.state import (
    BEST,
    LAST,
    Progress,
    load_checkpoint,
    progress_from,
    progress_record,
    save_checkpoint,
)

_SHOWN = 20  # steps between figures for loggers, and between looks at an accelerator's figures
_SHOWN_AT_LEAST = 10  # times an epoch, where it has so many steps


class Engine:
    """Trains ``model`` as ``recipe`` says, leaving checkpoints in ``folder``.

    Call `resume` before `fit` to go on from the last checkpoint. All processes of a distributed run
    make the same engine; the first one writes.
    """

    def __init__(  # noqa: PLR0917 - all of them different things
        self,
        recipe: Recipe,
        model: ImageClassifier,
        data: TrainingData,
        folder: Path,
        fabric: Fabric,
        reporter: Reporter,
        loggers: Loggers | None = None,
    ) -> None:
        self.recipe, self.model, self.data, self.fabric = recipe, model, data, fabric
        self.folder = folder / "checkpoints"
        self.log = loggers or Loggers([])
        self.progress = Progress()
        self._pending: JsonObject | None = None
        self._unread: list[tuple[Tensor, int]] = []  # loss and hits of a step, images in it
        self._batches = EpochBatches(
            data.plan, recipe.batch_size, rank=fabric.global_rank, world=fabric.world_size
        )
        self._feeder = Feeder(recipe, data.collate, fabric)
        self._loader = self._feeder.loader(data.train, batch_sampler=self._batches)
        self._steps = len(self._batches)
        self._shown = max(1, min(_SHOWN, self._steps // _SHOWN_AT_LEAST))
        journey = Journey(recipe, self._steps, self._feeder.checks(len(data.val)))
        self.show = Display(recipe, fabric, reporter, self.log, journey)
        prepare_model(model, recipe, fabric.device)

    def resume(self) -> bool:
        """Go on from ``last.ckpt``; False where there is none.

        Raises TrainingError for the checkpoint of another recipe.
        """
        path = self.folder / LAST
        if not path.is_file():
            return False
        content = load_checkpoint(path)
        if content["recipe_sha256"] != recipe_sha256(self.recipe):
            raise TrainingError(
                f"{path} belongs to another recipe; a run goes on only with its own"
            )
        self.progress = progress_from(content["progress"])
        self.model.load_state_dict(content["model"])
        self._pending = content
        return True

    def fit(self, stop: Callable[[Progress], bool] | None = None) -> Progress:
        """Run all phases, then put the best weights into the model and make it plain again.

        ``stop`` is asked after every step and ends the run early, as a kill would.
        """
        torch.set_float32_matmul_precision("high")
        while not self.progress.finished:
            phase = self._start_phase()
            while not self._phase_over():
                self._epoch(phase, stop)
                if stop and stop(self.progress):
                    return self.progress
            self._end_phase()
        self._restore_best()
        make_plain(self.model, self.recipe)
        return self.progress

    def time_steps(self, most: int = 20, budget: float = 10.0) -> tuple[float, float]:
        """Seconds a training step takes here, of images read for the first time and read again:
        medians of ``most`` steps, or of as many as fit ``budget`` seconds, after one to warm up.
        One step may meet a busy moment of the machine.
        """
        phase = self._start_phase()
        phase.layers.train_mode()
        first, again = (self._timed(phase, most, budget) for _ in range(2))
        return first, again

    def _timed(self, phase: Phase, most: int, budget: float) -> float:
        self._batches.set(0)
        self.progress.start_epoch()
        found: list[float] = []
        began = mark = time.perf_counter()
        for _, batch in zip(range(most + 1), self._loader, strict=False):
            self._learn(phase, batch)
            self._settle()
            self.progress.step += 1
            now = time.perf_counter()
            found.append(now - mark)
            mark = now
            if now - began > budget:
                break
        return float(np.median(found[1:] or found or [0.0]))

    def time_checks(self, count: int = 3) -> float:
        """Seconds of an epoch's validation, from ``count`` steps of it."""
        checks = self._feeder.checks(len(self.data.val))
        started = time.perf_counter()
        done = probe(self.model, self.data.val, self._feeder, count)
        return (time.perf_counter() - started) / max(1, done) * checks

    # --- phases -------------------------------------------------------------------------------

    def _start_phase(self) -> Phase:
        progress = self.progress
        settings = self.recipe.phases[progress.phase]
        if self._pending is None and progress.phase > 0:
            self._restore_best()
        layers = TrainedLayers(self.model, settings)
        # Fabric cannot clip gradients between a loss scaler and a fused optimizer.
        scaled = getattr(self.fabric.strategy.precision, "scaler", None) is not None
        optimizer = make_optimizer(self.model, self.recipe, settings, fused=not scaled)
        module, optimizer = self.fabric.setup(self.model, optimizer)
        updates = math.ceil(self._steps / self.recipe.accumulate) * settings.epochs
        schedule = Schedule(self.recipe, optimizer, updates)
        average = MovingAverage(self.model, self.recipe.ema) if self.recipe.ema else None
        phase = Phase(self.model, layers, module, optimizer, schedule, average)
        if self._pending is not None:
            phase.restore(self._pending)
            self.fabric.strategy.precision.load_state_dict(self._pending["precision"])
            self._pending = None
        trained = sum(p.numel() for p in self.model.parameters() if p.requires_grad)
        self.show.info(
            f"phase {progress.phase + 1} of {len(self.recipe.phases)}: {settings.trained} "
            f"({trained:,} parameters), up to {settings.epochs} epochs of {self._steps} steps"
        )
        return phase

    def _phase_over(self) -> bool:
        progress, stopping = self.progress, self.recipe.early_stopping
        done = progress.epoch >= self.recipe.phases[progress.phase].epochs
        return done or (stopping is not None and progress.waited >= stopping.patience)

    def _end_phase(self) -> None:
        progress = self.progress
        if progress.epoch < self.recipe.phases[progress.phase].epochs:
            self.show.info(
                f"stopped early: {progress.waited} epochs without a better {self.recipe.monitor}"
            )
        if progress.phase + 1 < len(self.recipe.phases):
            progress.start_phase(progress.phase + 1)
        else:
            progress.finished = True

    # --- epochs and steps -----------------------------------------------------------------------

    def _epoch(self, phase: Phase, stop: Callable[[Progress], bool] | None) -> None:
        progress, started = self.progress, time.perf_counter()
        first, lr = progress.step, phase.lr
        phase.layers.train_mode()
        self._batches.set(progress.total_epochs, start=first)
        self.show.start_part("epoch", progress)
        for batch in self._feeder.batches(self._loader):
            if not progress.total_steps:
                self.show.images(batch)
            self._learn(phase, batch)
            progress.step += 1
            progress.total_steps += 1
            self._after_step(phase)
            if stop and stop(progress):
                return
        self._settle()
        seconds = time.perf_counter() - started
        self._close_epoch(phase, lr, seconds, (self._steps - first) * self.recipe.batch_size)

    def _learn(self, phase: Phase, batch: Batch) -> None:
        """One batch: gradients, and an update where enough of them were added up."""
        recipe, progress = self.recipe, self.progress
        for text in note_failures(
            batch, self.data.train, progress.unreadable, recipe.max_unreadable
        ):
            self.show.info(f"skipped an unreadable image: {text}")
        # Dropout depends on the step alone, so that a resumed run draws the same masks.
        torch.manual_seed(_mixed(recipe.seed, progress.total_steps, self.fabric.global_rank))
        together, update = self._accumulation()
        with self.fabric.no_backward_sync(phase.module, enabled=not update):
            loss = self._loss(phase, batch)
            with self._second_pass():
                self.fabric.backward(loss / together)
        if update:
            phase.update(self.fabric, recipe.gradient_clip)

    def _accumulation(self) -> tuple[int, bool]:
        """How many batches share the running step's update, fewer at an epoch's end; whether it is
        the last of them.
        """
        first = self.progress.step - self.progress.step % self.recipe.accumulate
        together = min(self.recipe.accumulate, self._steps - first)
        return together, self.progress.step + 1 == first + together

    def _second_pass(self) -> contextlib.AbstractContextManager[None]:
        """Where the backward pass runs layers again, they must not count a batch twice."""
        if self.recipe.gradient_checkpointing:
            return kept_statistics(self.model)
        return contextlib.nullcontext()

    def _loss(self, phase: Phase, batch: Batch) -> Tensor:
        images, labels = self._feeder.on_device(batch)
        if not len(labels):  # every image of the batch was unreadable: nothing to learn from it
            learning = [p for p in self.model.parameters() if p.requires_grad]
            return torch.stack([p.sum() * 0.0 for p in learning]).sum()
        logits = phase.module(images).float()
        loss = loss_of(logits, labels, self.recipe.loss)
        hits = ((logits >= 0) == (labels > 0.5)).sum()
        self._unread.append((torch.stack([loss.detach(), hits.float()]), len(labels)))
        if self.recipe.optimizer.head_l2:
            loss = loss + head_penalty(self.model, self.recipe.optimizer.head_l2)
        return loss

    def _settle(self) -> None:
        """Add what the last steps measured to the epoch's sums.

        Raises TrainingError for a loss that is no number. Reading a figure waits for the device, so
        an accelerator is asked once in `_SHOWN` steps, and before anything is kept.
        """
        progress = self.progress
        if not self._unread:
            return
        measured = torch.stack([figures for figures, _ in self._unread]).tolist()
        for (value, hits), (_, count) in zip(measured, self._unread, strict=True):
            if not math.isfinite(value):
                raise TrainingError(
                    f"the loss became {value} in epoch {progress.total_epochs + 1}; try a smaller "
                    "optimizer.lr, gradient_clip=1, or precision=fp32"
                )
            progress.loss_sum += value * count
            progress.hits += int(hits)
            progress.seen += count
        self._unread.clear()

    def _after_step(self, phase: Phase) -> None:
        progress, every = self.progress, self.recipe.checkpoint.every_steps
        shown = progress.total_steps % self._shown == 0
        if shown or self.fabric.device.type == "cpu":
            self._settle()
        mean = progress.loss_sum / max(1, progress.seen)
        self.show.step(f"loss {mean:.4f}")
        if shown:
            figures = {"train/loss": mean, "train/lr": phase.lr}
            self.log.metrics(figures, progress.total_steps)
        whole_update = progress.step % self.recipe.accumulate == 0 and progress.step < self._steps
        if every and progress.total_steps % every == 0 and whole_update:
            self._settle()
            self._save(LAST, phase)

    def _close_epoch(self, phase: Phase, lr: float, seconds: float, images: int) -> None:
        progress = self.progress
        self.show.start_part("checking epoch", progress)
        measured = validate(phase.judged, self.data.val, self._feeder, self.show.step)
        phase.schedule.after_epoch(measured["val_loss"])
        loss_sum, hits, seen = self._over_all(progress.loss_sum, progress.hits, progress.seen)
        record = {
            "epoch": progress.total_epochs + 1,
            "phase": progress.phase + 1,
            "lr": lr,
            "train_loss": loss_sum / max(1, seen),
            "train_accuracy": hits / max(1, seen),
            **measured,
            "seconds": round(seconds, 2),
            "images_per_second": round(images / seconds, 1),
        }
        progress.history.append(record)
        progress.epoch += 1
        progress.total_epochs += 1
        progress.start_epoch()
        self._judge(phase, measured[self.recipe.monitor])
        self.show.epoch(record, progress)
        self._save(LAST, phase)
        if self.fabric.is_global_zero:  # after the checkpoint: it tells what is safe
            write_history(self.folder.parent / "history.csv", progress.history)
        every = self.recipe.checkpoint.every_epochs
        if every and progress.total_epochs % every == 0:
            self._save(f"epoch-{progress.total_epochs:04d}.ckpt", phase)

    def _judge(self, phase: Phase, value: float) -> None:
        """Keep the weights where they are the best so far, and count epochs in vain."""
        stopping, sign = self.recipe.early_stopping, -1 if self.recipe.monitor == "val_loss" else 1
        best = self.progress.judge(value, sign, stopping.min_delta if stopping else 0.0)
        if best and self.fabric.is_global_zero:
            content = {"model": phase.judged.state_dict(), "epoch": self.progress.total_epochs}
            save_checkpoint(self.folder / BEST, content)
        self.fabric.barrier()

    # --- helpers of the above -------------------------------------------------------------------

    def _save(self, name: str, phase: Phase) -> None:
        if self.fabric.is_global_zero:
            content = {
                "recipe_sha256": recipe_sha256(self.recipe),
                "progress": progress_record(self.progress),
                **phase.state(),
                "precision": self.fabric.strategy.precision.state_dict(),
            }
            save_checkpoint(self.folder / name, content)
        self.fabric.barrier()

    def _restore_best(self) -> None:
        self.model.load_state_dict(load_checkpoint(self.folder / BEST)["model"])

    def _over_all(self, *numbers: float) -> Iterator[float]:
        """Sums of the numbers over all processes."""
        local = torch.tensor(numbers, dtype=torch.float64, device=self.fabric.device)
        total = self.fabric.all_reduce(local, reduce_op="sum")
        return iter(total.tolist())  # type: ignore[union-attr]


def _mixed(*numbers: int) -> int:
    """One 63-bit seed of several numbers."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))
