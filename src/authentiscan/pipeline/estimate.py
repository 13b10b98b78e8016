"""How long the steps of a pipeline will take, from a few training steps and a few scored images."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from authentiscan import models
from authentiscan.evaluation.harness import score_manifest
from authentiscan.evaluation.protocol import named
from authentiscan.explain.compare import compare
from authentiscan.inference import load_detector
from authentiscan.inference.detector import Detector
from authentiscan.inference.export import save_bundle
from authentiscan.manifest.select import spread
from authentiscan.pipeline.data import DataPart
from authentiscan.pipeline.steps import CrossStep, GradcamStep, State, Step, TrainingStep
from authentiscan.training.plan import plan
from authentiscan.training.reporter import Reporter
from authentiscan.training.runs import read_run

_SCORED = 8
_EXPLAINED = 2


@dataclass(frozen=True)
class Planned:
    """A step, whether it would run and why, and how long it would take (0 where it would not)."""

    phase: int
    name: str
    state: State
    why: str
    seconds: float
    note: str


def estimate(steps: Sequence[Step], reporter: Reporter) -> list[Planned]:
    """What `run` would do with ``steps``, with times measured on this machine as it is now.

    Detectors that are not trained yet are timed with random weights: the same work.
    """
    found = []
    with tempfile.TemporaryDirectory(prefix="authentiscan-plan-") as scratch:
        stopwatch = _Stopwatch(Path(scratch))
        for step in steps:
            status = step.status()
            seconds, note = 0.0, ""
            if status.state != "done":
                reporter.info(f"timing {step.name}")
                seconds, note = stopwatch.time(step)
            found.append(Planned(step.phase, step.name, status.state, status.why, seconds, note))
    return found


class _Stopwatch:
    """Times steps; holds the detectors, which several steps need."""

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self._detectors: dict[str, Detector] = {}

    def time(self, step: Step) -> tuple[float, str]:
        """Seconds and what they were measured on."""
        if isinstance(step, TrainingStep):
            return _training(step)
        if isinstance(step, CrossStep):
            seconds = sum(
                self._scoring(self._detector(d), part, step.protocol, step.settings.workers)
                for d in step.detectors
                for part in step.data.values()
            )
            images = len(step.detectors) * sum(part.tests for part in step.data.values())
            return seconds, f"{images:,} scores; bootstrap not counted"
        assert isinstance(step, GradcamStep)
        samples = step.settings.samples
        seconds = sum(
            self._explaining(self._detector(d), name, part, samples)
            for d in step.detectors
            for name, part in step.data.items()
        )
        images = sum(min(samples, part.tests) for part in step.data.values())
        return seconds, f"{images * len(step.detectors):,} maps"

    def _detector(self, step: TrainingStep) -> Detector:
        if step.name not in self._detectors:
            bundle = step.bundle
            if step.status().state != "done":
                bundle = self.scratch / step.name
                choice = step.recipe.model
                arguments = {k: v for k, v in choice.arguments.items() if k != "pretrained"}
                model = models.create(choice.name, **arguments)
                save_bundle(model, bundle, name=step.name, preprocess=step.recipe.preprocess)
            self._detectors[step.name] = load_detector(bundle)
        return self._detectors[step.name]

    def _scoring(self, detector: Detector, part: DataPart, protocol: str, workers: int) -> float:
        few = spread(part.test(), _SCORED)
        started = time.perf_counter()
        score_manifest(detector, few, named(protocol), workers=workers)
        return (time.perf_counter() - started) / len(few) * part.tests

    def _explaining(self, detector: Detector, name: str, part: DataPart, samples: int) -> float:
        few = spread(part.test(), _EXPLAINED)
        started = time.perf_counter()
        compare({"detector": detector}, {name: few}, self.scratch / "maps", samples=len(few))
        return (time.perf_counter() - started) / len(few) * min(samples, part.tests)


def _training(step: TrainingStep) -> tuple[float, str]:
    measured = plan(step.recipe, machine=step.machine, leaving=False)
    done = read_run(step.folder).epochs if step.folder.is_dir() else 0
    epochs = max(0, measured.epochs - done)
    seconds = measured.later(epochs)
    return seconds, (
        f"at most {epochs} epochs of {measured.steps_per_epoch:,} steps at "
        f"{measured.later_step:.3f} s, validation counted"
    )
