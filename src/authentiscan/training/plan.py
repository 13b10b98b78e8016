"""What a run would do, and how long it would take: a few steps of everything are timed."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

from authentiscan.core.types import JsonObject
from authentiscan.evaluation.harness import score_manifest
from authentiscan.evaluation.protocol import named
from authentiscan.inference import load_detector
from authentiscan.inference.export import save_bundle
from authentiscan.manifest.select import spread
from authentiscan.manifest.table import Manifest
from authentiscan.models.base import ImageClassifier
from authentiscan.training.engine import Engine
from authentiscan.training.layers import make_plain
from authentiscan.training.machine import THIS_ONE, Machine, open_fabric
from authentiscan.training.parts import Parts
from authentiscan.training.recipe import Recipe
from authentiscan.training.reporter import Quiet, Reporter
from authentiscan.training.run import make_engine

_SCORED = 24  # images scored to know what the bundle takes for each


@dataclass(frozen=True)
class Plan:
    """What a run would do.

    seconds_per_step: of the first epoch, in which images are read; later_step: of the others, which
    is less where the cache holds them. checking: seconds of an epoch's validation. leaving: seconds
    for the bundle, from its export to the scores of the validation and test parts; None where it
    was not timed.
    """

    images: list[JsonObject]
    per_epoch: dict[str, dict[int, int]]
    parameters: int
    steps_per_epoch: int
    epochs: int
    seconds_per_step: float
    later_step: float
    device: str
    checking: float = 0.0
    leaving: float | None = None

    @property
    def seconds(self) -> float:
        """Expected time of the whole run, if no phase stops early."""
        first = self.seconds_per_step * self.steps_per_epoch
        return first + self.later(self.epochs - 1) + self.checking + (self.leaving or 0.0)

    def later(self, epochs: int) -> float:
        """Expected time of so many epochs that are not the first."""
        return (self.later_step * self.steps_per_epoch + self.checking) * epochs


def plan(
    recipe: Recipe,
    *,
    machine: Machine = THIS_ONE,
    reporter: Reporter | None = None,
    leaving: bool = True,
) -> Plan:
    """Read the data, build the model and time a few steps; nothing is written.

    leaving: also export a bundle into a temporary folder and time that and its scores.
    """
    reporter = reporter or Quiet()
    fabric = open_fabric(recipe, replace(machine, devices=1, nodes=1), reporter)
    with tempfile.TemporaryDirectory(prefix="authentiscan-plan-") as scratch:
        folder = Path(scratch)
        engine, parts, model = make_engine(recipe, folder, fabric, reporter, machine.readers)
        drawn = engine.data.plan
        first, again = engine.time_steps()
        found = Plan(
            images=parts.table(),
            per_epoch={name: drawn.class_counts(name, 0) for name in drawn.counts},
            parameters=engine.model.parameter_count(),
            steps_per_epoch=-(-drawn.size // recipe.batch_size),
            epochs=recipe.total_epochs,
            seconds_per_step=first,
            later_step=again if _cached(parts.train, recipe) else first,
            device=str(fabric.device),
            checking=engine.time_checks(),
        )
        if not leaving:
            return found
        return replace(found, leaving=_leaving(engine, model, parts, folder / "bundle"))


def _cached(train: Manifest, recipe: Recipe) -> bool:
    """Whether the pixels of all training images fit the recipe's cache."""
    if not {"width", "height"} <= set(train.table.column_names):
        return False
    sides = zip(train.column("width"), train.column("height"), strict=True)
    return sum(3 * (w or 0) * (h or 0) for w, h in sides) <= recipe.cache_mb << 20


def _leaving(engine: Engine, model: ImageClassifier, parts: Parts, bundle: Path) -> float:
    recipe, started = engine.recipe, time.perf_counter()
    make_plain(engine.model, recipe)
    save_bundle(model, bundle, name=recipe.name, preprocess=recipe.preprocess)
    detector = load_detector(bundle)
    made = time.perf_counter() - started
    scored = 0.0
    for part in (parts.val, parts.test):
        if len(part):
            few = spread(part, _SCORED)
            started = time.perf_counter()
            protocol = named(recipe.deployment.protocol, few)
            score_manifest(detector, few, protocol)
            scored += (time.perf_counter() - started) / len(few) * len(part)
    return made + scored
