"""What an evaluation says: plain records, the same for JSON, Markdown, HTML and the model card."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, TypeAlias

from pydantic import Field, model_validator

from authentiscan.core.records import Record, renamed
from authentiscan.inference.recorded_metrics import Figure, RecordedMetrics
from authentiscan.metrics.bootstrap import Estimate
from authentiscan.metrics.curves import Curve, Histogram, ReliabilityBin
from authentiscan.metrics.thresholds import Verdicts

ComparedWith: TypeAlias = Literal["own", "all real", "nothing"]


class Slice(Record):
    """Metrics of a part of the images.

    by: what the images were divided by (``all``, ``dataset``, ``generator``, ``source``, ``style``,
    ``format``, ``size_band``, ``jpeg_band``). compared_with: ``own`` where both classes are in the
    part; ``all real`` where ranking metrics set its generated images against every real image.
    """

    by: str
    name: str
    real: int
    generated: int
    groups: int
    compared_with: ComparedWith = "own"
    metrics: dict[str, Estimate]


class ThresholdCheck(Record):
    """A threshold of the bundle, and what it does on this data."""

    name: str
    score: float
    stated_fpr: float
    fpr: Estimate
    tpr: Estimate


class RealCheck(Record):
    """The bundle's threshold for real, and what it does on this data; None: no rate was stated."""

    name: str
    score: float
    stated_miss: float | None
    miss: Estimate
    tnr: Estimate


class ProtocolResult(Record):
    """Everything measured under one protocol.

    key: what was done to the pixels, as text. covered: images in size bands that hold both classes;
    the others have no weight in ``overall``.
    conclusive_right: share of the verdicts generated and real that are right, where half of the
    images are generated; None where there is no such verdict or a class is missing.
    """

    name: str
    key: str
    images: int
    failed: int
    size_matched: bool
    covered: int
    overall: Slice
    slices: tuple[Slice, ...]
    verdicts: Verdicts
    thresholds: tuple[ThresholdCheck, ...] = ()
    real_threshold: RealCheck | None = None
    conclusive_right: float | None = None
    roc: Curve | None = None
    precision_recall: Curve | None = None
    reliability: tuple[ReliabilityBin, ...] = ()
    histogram: Histogram | None = None

    @model_validator(mode="before")
    @classmethod
    def _old_name(cls, values: object) -> object:
        return renamed(values, "treatment", "key")


class Shortcut(Record):
    """Raw against matched: a raw figure above the matched interval is the sign of a shortcut."""

    metric: str
    raw: Estimate
    matched: Estimate
    difference: Estimate
    suspicious: bool


class Mistake(Record):
    """A confident wrong answer. ``row`` is its row in the evaluated manifest.

    wrong, among: how many images of its origin (generator, or data set of a real one) are mistaken,
    and how many there are.
    """

    row: int
    name: str
    label: int
    generator: str
    dataset: str
    score: float
    wrong: int = 0
    among: int = 0


class DetectorFacts(Record):
    """Which detector was measured, and what its bundle says it cannot do."""

    name: str
    version: str = ""
    identity: str | None = None
    files: dict[str, str] = Field(default_factory=dict)
    threshold: float
    real_below: float
    limits: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Name and version."""
        return f"{self.name} {self.version}".strip()


class DataFacts(Record):
    """Which images it was measured on."""

    name: str
    sha256: str
    images: int
    real: int
    generated: int
    groups: int
    splits: dict[str, int]


class Settings(Record):
    """How intervals were made, and what else a repetition needs."""

    rounds: int
    seed: int
    level: float
    libraries: dict[str, str]


class Evaluation(Record):
    """A whole evaluation; `model_dump_json` is the report's JSON.

    sample_sizes: how many photographs a false-positive rate needs, and how many there are.
    """

    schema_version: Literal[1] = 1
    kind: Literal["evaluation"] = "evaluation"
    created: datetime
    detector: DetectorFacts
    data: DataFacts
    settings: Settings
    protocols: dict[str, ProtocolResult]
    shortcuts: tuple[Shortcut, ...] = ()
    mistakes: tuple[Mistake, ...] = ()
    sample_sizes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def main(self) -> ProtocolResult:
        """The protocol that figures are quoted from: matched, else history, else the first."""
        return next(
            (self.protocols[n] for n in ("matched", "history") if n in self.protocols),
            next(iter(self.protocols.values())),
        )

    def summary(self) -> RecordedMetrics:
        """The part that a bundle's ``metrics`` and model card carry."""
        chosen = (
            "roc_auc",
            "balanced_accuracy",
            "real_accuracy",
            "generated_accuracy",
            "tpr_at_fpr_1",
            "tpr_at_fpr_5",
            "average_precision",
            "f1",
            "brier",
            "ece",
        )
        parts = {name: _recorded(r.overall, chosen) for name, r in self.protocols.items()}
        for by in ("dataset", "generator"):
            rows = {s.name: _recorded_part(s) for s in self.main.slices if s.by == by}
            if rows:
                parts[f"per_{by}_{self.main.name}"] = RecordedMetrics(parts=rows)
        about = f"{self.data.name}, {self.data.real} real, {self.data.generated} generated"
        facts = {"data": about, "manifest_sha256": self.data.sha256}
        return RecordedMetrics(facts=facts, parts=parts)


_OF_PARTS = ("roc_auc", "real_accuracy", "generated_accuracy", "tpr_at_fpr_5")


def _recorded(part: Slice, chosen: Sequence[str]) -> RecordedMetrics:
    known = {m: part.metrics[m] for m in chosen if m in part.metrics}
    return RecordedMetrics(
        figures={m: Figure(value=e.value, low=e.low, high=e.high) for m, e in known.items()}
    )


def _recorded_part(part: Slice) -> RecordedMetrics:
    images = {"images": Figure(value=part.real + part.generated)}
    return RecordedMetrics(figures={**images, **_recorded(part, _OF_PARTS).figures})
