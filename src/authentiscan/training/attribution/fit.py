"""The loop: epochs of balanced classes, validation, early stopping, checkpoints that resume."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from authentiscan.core.errors import TrainingError
from authentiscan.core.types import JsonObject
from authentiscan.metrics.open_set import balanced_accuracy
from authentiscan.training.attribution.classes import Classes, epoch_rows
from authentiscan.training.attribution.objectives import Objective
from authentiscan.training.attribution.recipe import AttributionRecipe
from authentiscan.training.attribution.views import Views
from authentiscan.training.reporter import Reporter
from authentiscan.training.state import BEST, LAST, load_checkpoint, save_checkpoint

_WARM = 0.05
"""Share of the steps in which the learning rate rises."""


class Source(Protocol):
    """What a network learns from: images, or features of them."""

    def pairs(self, rows: NDArray[np.intp], epoch: int) -> Iterator[Views]:
        """Batches of two views of ``rows``."""
        ...

    def validation(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Inputs and classes (N,) of validation images."""
        ...


@dataclass
class Fitted:
    """How far training is. history: one record an epoch. best: balanced accuracy in [0, 1]."""

    epoch: int = 0
    best: float = -1.0
    best_epoch: int = 0
    waited: int = 0
    seconds: float = 0.0
    processor_seconds: float = 0.0
    ended: str = ""
    history: list[JsonObject] = field(default_factory=list)


def fit(
    learner: nn.Module,
    objective: Objective,
    source: Source,
    classes: Classes,
    recipe: AttributionRecipe,
    *,
    folder: Path | None = None,
    resume: bool = False,
    reporter: Reporter,
) -> Fitted:
    """Train ``learner`` by ``objective`` and leave it with its best weights.

    learner: what maps inputs of ``source`` to logits (N, K). folder: of the checkpoints, None to
    keep none. resume: go on from the last one there. Raises TrainingError where the loss is no
    number any more.
    """
    device = next(learner.parameters()).device
    state = Fitted()
    best: dict[str, Tensor] = _weights(learner)
    if resume and folder is not None and (folder / LAST).is_file():
        kept = load_checkpoint(folder / LAST)
        learner.load_state_dict(kept["learner"])
        objective.load(kept["objective"])
        state, best = Fitted(**kept["state"]), kept["best"]
        if ending := _ending(state, recipe):
            reporter.info(f"training was finished before ({ending}): only measured again")
    reporter.start("training", recipe.epochs, state.epoch)
    while not (ending := _ending(state, recipe)):
        started, worked = time.monotonic(), time.process_time()
        torch.manual_seed(recipe.seed * 100_003 + state.epoch)
        rows = epoch_rows(
            classes, recipe.classes, np.random.default_rng([recipe.seed, state.epoch, 1])
        )
        run = _Epoch(learner, objective, recipe, state, -(-len(rows) // recipe.batch_size))
        losses = run(source.pairs(rows, state.epoch))
        accuracy = validate(learner, source, len(classes.names), device)
        state.epoch += 1
        state.waited += 1
        state.seconds += time.monotonic() - started
        state.processor_seconds += time.process_time() - worked
        state.history.append({"epoch": state.epoch, "val_balanced_accuracy": accuracy, **losses})
        if accuracy > state.best:
            state.best, state.best_epoch, state.waited = accuracy, state.epoch, 0
            best = _weights(learner)
        if folder is not None:
            _keep(folder, learner, objective, state, best)
        reporter.step(f"validation {100 * accuracy:.1f} %")
    learner.load_state_dict(best)
    learner.eval()
    state.ended = ending
    return state


def _ending(state: Fitted, recipe: AttributionRecipe) -> str:
    """Why training is over; empty where it is not."""
    if state.epoch >= recipe.epochs:
        return f"all {recipe.epochs} epochs done"
    if state.waited >= recipe.patience:
        return f"no better for {recipe.patience} epochs"
    return _spent(recipe, state.seconds, state.processor_seconds)


def _spent(recipe: AttributionRecipe, seconds: float, processor_seconds: float) -> str:
    """Which of the recipe's budgets of time is spent; empty where none is."""
    if recipe.hours is not None and seconds >= recipe.hours * 3600:
        return f"{recipe.hours:g} hours are over"
    if recipe.processor_hours is not None and processor_seconds >= recipe.processor_hours * 3600:
        return f"{recipe.processor_hours:g} hours of processor time are spent"
    return ""


@dataclass
class _Epoch:
    """One epoch of ``steps`` batches; a call gives the mean of each part of the loss."""

    learner: nn.Module
    objective: Objective
    recipe: AttributionRecipe
    state: Fitted
    steps: int

    def __call__(self, batches: Iterator[Views]) -> dict[str, float]:
        self.learner.train()
        device = next(self.learner.parameters()).device
        mixed = self.recipe.precision == "bf16"
        started, worked = time.monotonic(), time.process_time()
        sums: dict[str, list[float]] = {}
        for number, views in enumerate(batches):
            done = (self.state.epoch + min(1.0, number / self.steps)) / self.recipe.epochs
            self.objective.set_rate(self.recipe.lr * _rate(done))
            moved = Views(*(t.to(device) for t in (views.first, views.second, views.codes)))
            with torch.autocast(device.type, dtype=torch.bfloat16, enabled=mixed):
                parts = self.objective.step(moved)
            self._check(parts)
            for name, value in parts.items():
                sums.setdefault(name, []).append(value)
            state = self.state
            if _spent(
                self.recipe,
                state.seconds + time.monotonic() - started,
                state.processor_seconds + time.process_time() - worked,
            ):
                break
        if not sums:
            raise TrainingError("no training image could be read")
        return {name: float(np.mean(values)) for name, values in sums.items()}

    def _check(self, parts: dict[str, float]) -> None:
        if not all(math.isfinite(value) for value in parts.values()):
            raise TrainingError(
                f"the loss is no number any more in epoch {self.state.epoch + 1} ({parts}); "
                "try a smaller learning rate (--set lr=1e-4)"
            )


def _rate(done: float) -> float:
    """Factor on the learning rate when a share ``done`` of training is over: up, then a cosine."""
    return min(1.0, done / _WARM + 0.05) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


@torch.no_grad()
def validate(learner: nn.Module, source: Source, classes: int, device: torch.device) -> float:
    """Balanced accuracy in [0, 1] on validation images."""
    learner.eval()
    counts = np.zeros((classes, classes + 1))
    for inputs, codes in source.validation():
        predicted = learner(inputs.to(device)).argmax(dim=1).cpu().numpy()
        np.add.at(counts, (codes.numpy(), predicted), 1)
    return balanced_accuracy(counts)


def _weights(learner: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in learner.state_dict().items()}


def _keep(
    folder: Path,
    learner: nn.Module,
    objective: Objective,
    state: Fitted,
    best: dict[str, Tensor],
) -> None:
    """Write what training goes on from, and the best weights alone."""
    folder.mkdir(parents=True, exist_ok=True)
    save_checkpoint(
        folder / LAST,
        {
            "learner": learner.state_dict(),
            "objective": objective.state(),
            "state": asdict(state),
            "best": best,
        },
    )
    if state.best_epoch == state.epoch:
        save_checkpoint(folder / BEST, {"learner": best, "epoch": state.epoch})
