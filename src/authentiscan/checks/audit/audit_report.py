"""What an audit found: plain frozen records, the same for JSON, the page and the command line."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AliasChoices, Field

from authentiscan.core.records import Record

Message = Annotated[str, Field(validation_alias=AliasChoices("message", "says"))]
"""A sentence for people; reports of earlier releases call it ``says``."""


class Suspect(Record):
    """A fact that tells the label.

    auc_drop: how far the area under the curve falls when this fact is shuffled. real, generated:
    its median in each class; the mean where the medians are equal; the share of images that have
    it where it is a yes or no.
    """

    name: str
    auc_drop: float
    real: float | None
    generated: float | None
    statistic: Literal["median", "mean", "share"]


class Shortcut(Record):
    """How well a group of facts tells real from generated: area under the ROC curve, 95 % interval.

    0.5 is nothing, 1 is everything. ``suspects``: the facts that do it, the strongest first.
    """

    name: str
    auc: float
    low: float
    high: float
    suspects: tuple[Suspect, ...] = ()


class Finding(Record):
    """One shortcut in plain words, and what removes it."""

    name: str
    severity: Literal["none", "slight", "strong", "total"]
    message: Message
    remedy: str


class Measured(Record):
    """Shortcuts in one version of the data. ``version``: ``as stored``, ``after CHAIN``, ..."""

    version: str
    images: int
    real: int
    generated: int
    groups: int
    shortcuts: tuple[Shortcut, ...]

    def auc(self, name: str) -> float:
        """Area under the curve of the shortcut called ``name``."""
        return next(s.auc for s in self.shortcuts if s.name == name)


class Matching(Record):
    """How the matched version was made: rows kept of each class, how finely they were paired."""

    rows: int
    per_class: int
    recompressed: int
    level: str


class LabelError(Record):
    """An image whose label may be wrong.

    message: what contradicts the label. score: P(generated) of a detector, None where the file
    itself contradicts.
    """

    name: str
    row: int
    label: str
    message: Message
    score: float | None = None


class Audit(Record):
    """The report of one audit: what was measured, in plain words, and what to do."""

    schema_version: Literal[1] = 1
    manifest: str
    rows: int
    unreadable: int
    measured: tuple[Measured, ...]
    findings: tuple[Finding, ...]
    matching: Matching | None = None
    label_errors: tuple[LabelError, ...] = ()
    seconds: float
