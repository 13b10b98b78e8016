"""What a pipeline found, gathered from what its steps left: runs, matrices, gaps, maps, targets."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean

from authentiscan.evaluation.cross_dataset import CrossEvaluation
from authentiscan.evaluation.records import Record
from authentiscan.inference.bundle import ONNX_FILE
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


class OverlapRecord(Record):
    """How much two detectors look at the same places; 0.11 is chance."""

    dataset: str
    first: str
    second: str
    iou: float
    correlation: float
    images: int


class Target(Record):
    """An aim and what was measured; ``met`` is None where nothing was."""

    name: str
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
    overlaps: tuple[OverlapRecord, ...]
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
    told = [(step, step.status()) for step in steps]
    done = [step for step, status in told if status.state == "done"]
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
        steps=tuple(_step(step, status, output) for step, status in told),
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
        found += [
            _share(f"{name} on its own data set, {protocol}", 0.90, "90 to 95 %",
                   [_accuracy(cross, name, home)])
            for name, home in own.items()
        ]  # fmt: skip
        places = [facts.name for facts in cross.data]
        if COMBINED in cross.detectors:
            figures = [_accuracy(cross, COMBINED, place) for place in places]
            title = f"{COMBINED}, mean of all data sets, {protocol}"
            found.append(_share(title, 0.92, "92 to 96 %", figures))
        if own and len(places) > 1:
            away = [_accuracy(cross, n, p) for n, home in own.items() for p in places if p != home]
            title = f"baselines on the other data sets, mean, {protocol}"
            found.append(_share(title, 0.85, "85 to 92 %", away))
            found.append(_gap(cross, protocol))
    if detectors:
        found += [_size(detectors), _speed(detectors)]
    return found


def _share(name: str, least: float, aim: str, figures: Sequence[float | None]) -> Target:
    known = _known(figures)
    if not known or len(known) < len(figures):
        return Target(name=name, aim=aim, measured="not defined", met=None)
    value = fmean(known)
    return Target(name=name, aim=aim, measured=f"{100 * value:.1f} %", met=value >= least)


def _gap(cross: CrossEvaluation, protocol: str) -> Target:
    gaps = _known(gap.gap.value for gap in cross.gaps if gap.metric == METRIC)
    name, aim = f"generalisation gap of the baselines, mean, {protocol}", "below 8 points"
    if not gaps:
        return Target(name=name, aim=aim, measured="not defined", met=None)
    value = 100 * fmean(gaps)
    return Target(name=name, aim=aim, measured=f"{value:.1f} points", met=value < 8)


def _size(detectors: Mapping[str, DetectorRecord]) -> Target:
    largest = max(d.onnx for d in detectors.values()) / 1e6
    measured = f"{largest:.1f} MB"
    return Target(name="largest model", aim="about 22 MB", measured=measured, met=largest < 22.5)


def _speed(detectors: Mapping[str, DetectorRecord]) -> Target:
    slowest = max(d.seconds for d in detectors.values())
    measured = f"{1000 * slowest:.0f} ms"
    aim = "about 1 s on a CPU"
    return Target(name="slowest prediction, by CPU", aim=aim, measured=measured, met=slowest <= 1)


def _accuracy(cross: CrossEvaluation, detector: str, place: str) -> float | None:
    found = cross.cell(detector, place).metrics.get(METRIC)
    return None if found is None else found.value


def _known(figures: Iterable[float | None]) -> list[float]:
    return [figure for figure in figures if figure is not None]


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


def _overlaps(folder: Path) -> list[OverlapRecord]:
    with (folder / "overlap.csv").open(newline="", encoding="utf-8") as file:
        return [OverlapRecord.model_validate(row) for row in csv.DictReader(file)]


def _below(path: Path, output: Path) -> str:
    return path.relative_to(output).as_posix()
