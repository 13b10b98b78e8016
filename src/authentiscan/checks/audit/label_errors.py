"""Images whose label may be wrong: what the file says of itself, and what a detector says of it.

A candidate is a question for people, never a correction. Of a detector's scores those count that
pass the mean score of the other class, as in confident learning (Northcutt, Jiang and Chuang 2021,
https://arxiv.org/abs/1911.00068); the most certain come first. A detector that learned from these
images has learned their wrong labels too, so its silence says little.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from authentiscan.checks.audit.audit_report import LabelError
from authentiscan.core.errors import AuthentiscanError
from authentiscan.core.parallel import Room, in_threads
from authentiscan.core.progress import Progress
from authentiscan.core.types import Label
from authentiscan.images.decode import decode
from authentiscan.manifest.table import Manifest
from authentiscan.provenance import Claim, State, TrustList, inspect

if TYPE_CHECKING:
    from authentiscan.inference import Detector

MOST = 200
"""Candidates of each kind that are kept."""

_NAMES = {Label.REAL: "real", Label.GENERATED: "generated"}


@dataclass(frozen=True, slots=True)
class _Seen:
    """What was read of one row. score: P(generated), None where there is none."""

    row: int
    label: Label
    message: str
    score: float | None


def label_errors(
    manifest: Manifest,
    *,
    detector: Detector | None = None,
    workers: int = 2,
    limit: int = 20_000,
    seed: int = 0,
    progress: Progress | None = None,
) -> tuple[LabelError, ...]:
    """Candidates among at most ``limit`` rows, drawn by ``seed``: those that contradict their own
    file first, then those that ``detector`` contradicts, each the most certain first.
    """
    rows = np.sort(np.random.default_rng(seed).permutation(len(manifest))[:limit]).tolist()
    trust = TrustList.chosen()
    look = _Look(manifest, detector, trust)
    seen: list[_Seen] = []
    for done, one in enumerate(in_threads(rows, look, workers, Room(items=4 * workers)), 1):
        seen += [one] if one is not None else []
        if progress is not None:
            progress(done, len(rows))
    by_file = [
        LabelError(name=manifest[s.row].name, row=s.row, label=_NAMES[s.label], message=s.message)
        for s in seen
        if s.message
    ]
    return (*by_file[:MOST], *list(_by_detector(manifest, seen))[:MOST])


@dataclass(frozen=True, slots=True)
class _Look:
    """Reads one row; None where it cannot be read, which the audit itself counts."""

    manifest: Manifest
    detector: Detector | None
    trust: TrustList

    def __call__(self, row: int) -> _Seen | None:
        try:
            data = self.manifest.image_bytes(row)
            label = Label(int(self.manifest.labels[row]))
            score = self.detector.predict(decode(data)).score if self.detector else None
        except (AuthentiscanError, OSError):
            return None
        return _Seen(row, label, self._contradiction(data, label), score)

    def _contradiction(self, data: bytes, label: Label) -> str:
        """The file's own words against ``label``; empty where it has none."""
        found = inspect(data, self.trust)
        if label is Label.REAL:
            against = found.of(Claim.AI_GENERATED, Claim.AI_EDITED)
        else:
            against = found.of(Claim.CAMERA, states=(State.TRUSTED, State.UNTRUSTED))
        sure = [f for f in against if f.confidence != "weak"]
        return f"{sure[0].source}: {sure[0].summary}" if sure else ""


def _by_detector(manifest: Manifest, seen: list[_Seen]) -> Iterator[LabelError]:
    scored = [(s, s.score) for s in seen if s.score is not None]
    means = {
        label: float(np.mean([score for s, score in scored if s.label is label] or [np.nan]))
        for label in Label
    }
    if not means[Label.REAL] < means[Label.GENERATED]:
        return  # it does not tell these classes apart, so it contradicts no one
    real = [(v, s) for s, v in scored if s.label is Label.REAL and v >= means[Label.GENERATED]]
    made = [(1 - v, s) for s, v in scored if s.label is not Label.REAL and v <= means[Label.REAL]]
    for certain, one in sorted(real + made, key=lambda pair: -pair[0]):
        other = _NAMES[Label.GENERATED if one.label is Label.REAL else Label.REAL]
        yield LabelError(
            name=manifest[one.row].name,
            row=one.row,
            label=_NAMES[one.label],
            message=f"the detector takes it for {other} ({certain:.3f})",
            score=one.score,
        )
