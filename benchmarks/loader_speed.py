"""Is the loader the bottleneck? A recipe's training fed by its loader, against the same training
fed with the same batches lying ready in memory.

    python benchmarks/loader_speed.py RECIPE --data PATH [--set KEY=VALUE] [--steps 6] [--rounds 3]
        [--wall]

The rival, "ready", is the same engine: same model, optimizer and options; its batches were made by
the same loader before the clock started. All run in turn, round by round; figures are medians.

share   processor time of making a batch (reading, decoding, augmenting, collating, one process)
        over that of training on it. Enough cores hide it; with none to spare the speed falls to
        1 / (1 + share).
speed   with --wall: steps a second with the recipe's workers over those of "ready". Wall time, so
        it means something only where nothing else runs.

"anew": every image is decoded. "kept": decoded before, as from the second epoch on where the
training part fits into the recipe's ``cache_mb``.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import torch

from authentiscan.training.engine import Engine
from authentiscan.training.loaders import Batch
from authentiscan.training.machine import Machine, open_fabric
from authentiscan.training.recipe import Recipe
from authentiscan.training.recipe_data import with_data
from authentiscan.training.recipe_file import load_recipe
from authentiscan.training.reporter import Quiet
from authentiscan.training.run import make_engine


class Training:
    """The engine of a recipe, and steps of it on any batches."""

    def __init__(self, recipe: Recipe, folder: Path) -> None:
        fabric = open_fabric(recipe, Machine(device="cpu"), Quiet())
        self.engine: Engine = make_engine(recipe, folder, fabric, Quiet(), 1)[0]
        self.phase = self.engine._start_phase()
        self.phase.layers.train_mode()

    def batches(self, epoch: int) -> Iterable[Batch]:
        """The batches of an epoch, made while they are asked for."""
        self.engine._batches.set(epoch)
        return self.engine._loader

    def learn(self, batches: Iterable[Batch]) -> float:
        """Wall seconds a step, counted from the end of the first."""
        started, steps = 0.0, 0
        for steps, batch in enumerate(batches):
            self.engine.progress.step = steps
            self.engine._learn(self.phase, batch)
            self.engine._settle()
            if not steps:
                started = time.perf_counter()
        return (time.perf_counter() - started) / max(1, steps)


def make(training: Training, epoch: int) -> tuple[list[Batch], float]:
    """An epoch's batches and the processor seconds each took."""
    started = time.process_time()
    batches = list(training.batches(epoch))
    return batches, (time.process_time() - started) / len(batches)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("recipe")
    parser.add_argument("--data", action="append", default=[])
    parser.add_argument("--set", action="append", default=[], dest="changes")
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--wall", action="store_true")
    given = parser.parse_args()
    recipe = with_data(load_recipe(given.recipe, given.changes), given.data)
    size = recipe.batch_size * given.steps
    short = recipe.model_copy(
        update={"sampling": recipe.sampling.model_copy(update={"epoch_size": size})}
    )
    with tempfile.TemporaryDirectory() as folder:
        here = Training(short.model_copy(update={"workers": 0}), Path(folder) / "here")
        fed = Training(short, Path(folder) / "fed") if given.wall else None
        here.learn(make(here, 0)[0][:1])  # warms up
        shares: dict[str, list[float]] = {"anew": [], "kept": []}
        speeds: list[float] = []
        cost: dict[str, list[float]] = {"anew": [], "kept": [], "train": []}
        for epoch in range(1, given.rounds + 1):
            for name in shares:
                ready, seconds = make(here, epoch)
                cost[name].append(seconds)
            started = time.process_time()
            alone = here.learn(ready)
            cost["train"].append((time.process_time() - started) / len(ready))
            for name, found in shares.items():
                found.append(cost[name][-1] / cost["train"][-1])
            if fed is not None:
                speeds.append(alone / fed.learn(fed.batches(epoch)))
    print(
        f"{recipe.name}: {recipe.preprocess.size} px, batches of {recipe.batch_size}, "
        f"{torch.get_num_threads()} torch threads; training "
        f"{1e3 * statistics.median(cost['train']):.1f} ms CPU a step"
    )
    for name, found in shares.items():
        share = statistics.median(found)
        print(
            f"  {name}: loading {1e3 * statistics.median(cost[name]):.1f} ms CPU a step, share "
            f"{share:.3f}; with no core to spare {1 / (1 + share):.3f} of ready batches' speed"
        )
    if speeds:
        print(
            f"  {recipe.workers} workers, {statistics.median(speeds):.3f} of ready batches' speed "
            f"(from {min(speeds):.3f} to {max(speeds):.3f})"
        )


if __name__ == "__main__":
    main()
