"""What a pipeline found, gathered from what its steps left: runs, matrices, gaps, maps, targets."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean

from authentiscan.core.records import Record
from authentiscan.evaluation.cross_dataset import CrossEvaluation
from authentiscan.explain.compare import Overlap
from authentiscan.inference.spec import ONNX_FILE
from authentiscan.pipeline.config import COMBINED, PipelineConfig
from authentiscan.pipeline.data import DataPart
from authentiscan.pipeline.steps import (
    DONE,
    CrossStep,
    GradcamStep,
    State,
    Status,
    Step,
    TrainingStep,
    homes,
)
from authentiscan.training.runs import Run, read_run

METRIC = "accuracy"
"""What the targets are stated in; at each detector's own threshold."""


class StepRecord(Record):
    """Where a step stands."""

    phase: int
    name: str
    state: State
    why: str
    folder: str


class DataRecord(Record):
    """A data set: its manifest, the manifest's hash, images by split as [real, generated]."""

    path: str
    sha256: str
    images: dict[str, list[int]]


class DetectorRecord(Record):
    """A trained detector. seconds: of one prediction, where it was trained. onnx: bytes."""

    run: Run
    home: str | None
    bundle: str
    seconds: float
    onnx: int


class Target(Record):
    """An aim and what was measured, under a protocol of phase 3 or under none; ``met`` is None
    where nothing was measured.
    """

    name: str
    protocol: str | None
    aim: str
    measured: str
    met: bool | None


class Summary(Record):
    """Everything on the summary page. Paths are relative to the pipeline's folder."""

    schema_version: int = 1
    kind: str = "pipeline"
    created: datetime
    steps: tuple[StepRecord, ...]
    data: dict[str, DataRecord]
    detectors: dict[str, DetectorRecord]
    crosses: dict[str, CrossEvaluation]
    overlaps: tuple[Overlap, ...]
    targets: tuple[Target, ...]

    @property
    def unfinished(self) -> list[StepRecord]:
        """Steps that are not done for the present configuration."""
        return [step for step in self.steps if step.state != "done"]

    def json_text(self) -> str:
        """All of it but the single mistakes, which the pages of phase 3 show."""
        mistakes = {"__all__": {"cells": {"__all__": {"mistakes"}}}}
        return self.model_dump_json(indent=2, exclude={"crosses": mistakes}) + "\n"


def summarise(
    config: PipelineConfig, data: Mapping[str, DataPart], steps: Sequence[Step]
) -> Summary:
    """Read back what the finished ``steps`` left; what is not done, or of another configuration, is
    left out.
    """
    output = Path(config.output)
    statuses = [(step, step.status()) for step in steps]
    done = [step for step, status in statuses if status.state == "done"]
    trained = [step for step in done if isinstance(step, TrainingStep)]
    detectors = {step.name: _detector(step, trained, output) for step in trained}
    crosses = {
        step.protocol: CrossEvaluation.model_validate_json(
            (step.folder / "cross.json").read_text(encoding="utf-8")
        )
        for step in done
        if isinstance(step, CrossStep)
    }
    return Summary(
        created=datetime.now(UTC),
        steps=tuple(_step(step, status, output) for step, status in statuses),
        data={
            name: DataRecord(path=_below(part.path, output), sha256=part.sha256, images=part.images)
            for name, part in data.items()
        },
        detectors=detectors,
        crosses=crosses,
        overlaps=tuple(
            overlap
            for step in done
            if isinstance(step, GradcamStep)
            for overlap in _overlaps(step.folder)
        ),
        targets=tuple(targets(detectors, crosses)),
    )


def targets(
    detectors: Mapping[str, DetectorRecord], crosses: Mapping[str, CrossEvaluation]
) -> list[Target]:
    """The aims of the AuthentiScan design, each under every protocol that was measured."""
    found = []
    for protocol, cross in crosses.items():
        own = {name: d.home for name, d in detectors.items() if d.home is not None}
        places = [facts.name for facts in cross.data]
        shares = [
            (f"{name} on its own data set", 0.90, "90 to 95 %", [(name, home)])
            for name, home in own.items()
        ]
        if COMBINED in cross.detectors:
            everywhere = [(COMBINED, place) for place in places]
            shares.append((f"{COMBINED}, mean of all data sets", 0.92, "92 to 96 %", everywhere))
        away = [(name, p) for name, home in own.items() for p in places if p != home]
        if away:
            title = "baselines on the other data sets, mean"
            shares.append((title, 0.85, "85 to 92 %", away))
        for title, least, aim, cells in shares:
            value = _mean(_accuracy(cross, *cell) for cell in cells)
            text = "not defined" if value is None else f"{100 * value:.1f} %"
            met = None if value is None else value >= least
            found.append(Target(name=title, protocol=protocol, aim=aim, measured=text, met=met))
        if away:
            found.append(_gap(cross, protocol))
    if detectors:
        found += [_size(detectors), _speed(detectors)]
    return found


def _gap(cross: CrossEvaluation, protocol: str) -> Target:
    value = _mean(gap.gap.value for gap in cross.gaps if gap.metric == METRIC)
    return Target(
        name="generalisation gap of the baselines, mean",
        protocol=protocol,
        aim="below 8 points",
        measured="not defined" if value is None else f"{100 * value:.1f} points",
        met=None if value is None else 100 * value < 8,
    )


def _mean(figures: Iterable[float | None]) -> float | None:
    """None where one of the figures is not defined, or there is none."""
    values = list(figures)
    known = [value for value in values if value is not None]
    return fmean(known) if known and len(known) == len(values) else None


def _size(detectors: Mapping[str, DetectorRecord]) -> Target:
    largest = max(d.onnx for d in detectors.values()) / 1e6
    return Target(
        name="largest model",
        protocol=None,
        aim="about 22 MB",
        measured=f"{largest:.1f} MB",
        met=largest < 22.5,
    )


def _speed(detectors: Mapping[str, DetectorRecord]) -> Target:
    slowest = max(d.seconds for d in detectors.values())
    return Target(
        name="slowest prediction, on a CPU",
        protocol=None,
        aim="about 1 s",
        measured=f"{1000 * slowest:.0f} ms",
        met=slowest <= 1,
    )


def _accuracy(cross: CrossEvaluation, detector: str, place: str) -> float | None:
    found = cross.cell(detector, place).metrics.get(METRIC)
    return None if found is None else found.value


def _detector(step: TrainingStep, trained: Sequence[TrainingStep], output: Path) -> DetectorRecord:
    left = json.loads((step.folder / DONE).read_text(encoding="utf-8"))
    run = read_run(step.folder)
    return DetectorRecord(
        run=run.model_copy(update={"folder": Path(_below(step.folder, output))}),
        home=homes(trained).get(step.name),
        bundle=_below(step.published, output),
        seconds=left["seconds_per_prediction"],
        onnx=(step.bundle / ONNX_FILE).stat().st_size,
    )


def _step(step: Step, status: Status, output: Path) -> StepRecord:
    return StepRecord(
        phase=step.phase,
        name=step.name,
        state=status.state,
        why=status.why,
        folder=_below(step.folder, output),
    )


def _overlaps(folder: Path) -> list[Overlap]:
    with (folder / "overlap.csv").open(newline="", encoding="utf-8") as file:
        return [Overlap.model_validate(row) for row in csv.DictReader(file)]


def _below(path: Path, output: Path) -> str:
    return path.relative_to(output).as_posix()
