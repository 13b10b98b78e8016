"""What the engine adds to forward, backward and update: its steps against a bare PyTorch loop.

    python benchmarks/step_overhead.py RECIPE --data PATH [--set KEY=VALUE] [--steps 3]
        [--rounds 5]

The rival takes the same batches through the same network: binary cross-entropy, ``AdamW`` as
PyTorch makes it, nothing else. The engine also does what the recipe asks: clipping, moving average,
schedule, sums, seeds, log. Both run in turn; the figure is the median of paired processor time.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from authentiscan.training.loaders import Batch
from authentiscan.training.machine import Machine, open_fabric
from authentiscan.training.recipe_data import with_data
from authentiscan.training.recipe_file import load_recipe
from authentiscan.training.reporter import Quiet
from authentiscan.training.run import make_engine


def timed(step: Callable[[Batch], None], batches: list[Batch]) -> float:
    """Processor seconds a step."""
    started = time.process_time()
    for batch in batches:
        step(batch)
    return (time.process_time() - started) / len(batches)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("recipe")
    parser.add_argument("--data", action="append", default=[])
    parser.add_argument("--set", action="append", default=[], dest="changes")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    recipe = with_data(load_recipe(given.recipe, [*given.changes, "workers=0"]), given.data)
    with tempfile.TemporaryDirectory() as folder:
        fabric = open_fabric(recipe, Machine(device="cpu"), Quiet())
        engine = make_engine(recipe, Path(folder), fabric, Quiet(), 1)[0]
        batches = [batch for _, batch in zip(range(given.steps), engine._loader, strict=False)]
        phase = engine._start_phase()
        phase.layers.train_mode()
        optimizer = torch.optim.AdamW(p for p in engine.model.parameters() if p.requires_grad)

        def bare(batch: Batch) -> None:
            loss = binary_cross_entropy_with_logits(engine.model(batch.images), batch.labels)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()

        def engines(batch: Batch) -> None:
            engine._learn(phase, batch)
            engine.progress.total_steps += 1
            engine._after_step(phase)

        found: list[tuple[float, float]] = []
        for turn in range(given.rounds + 1):
            pair = timed(bare, batches), timed(engines, batches)
            if turn:  # the first warms up
                found.append(pair)
    one, two = (1e3 * statistics.median(side) for side in zip(*found, strict=True))
    ratios = [ours / theirs for theirs, ours in found]
    print(
        f"{recipe.name}, batches of {recipe.batch_size}: bare {one:.1f} ms CPU a step, engine "
        f"{two:.1f} ms; paired ratio {statistics.median(ratios):.3f} "
        f"({min(ratios):.3f} to {max(ratios):.3f})"
    )


if __name__ == "__main__":
    main()
