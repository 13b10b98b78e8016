"""Leave one generator out: how an attributor meets a generator that it never saw.

For each generator an attributor is trained on all the others, and the images of the one left out
stand for the unknown. Training is the caller's; here its answers become figures.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from authentiscan.core.records import Record
from authentiscan.evaluation.attribution.measure import Answers, Interval
from authentiscan.metrics.bootstrap import ROUNDS
from authentiscan.metrics.open_set import accepted_share, oscr, unknown_auc, with_interval


class LeftOutRow(Record):
    """A generator left out. auc, oscr: against test images of the others. rejected: the share of
    its images that is `unknown`. instead: the known generator that it is called most often.
    """

    generator: str
    images: int
    auc: Interval
    oscr: Interval
    rejected: float
    instead: str


class LeftOut(Record):
    """All generators left out in turn. auc, oscr, rejected: means over them."""

    auc: float
    oscr: float
    rejected: float
    worst: str
    rows: tuple[LeftOutRow, ...]


def left_out_row(
    generator: str,
    known: Answers,
    unknown: Answers,
    least_fit: float,
    *,
    rounds: int = ROUNDS,
    seed: int = 0,
) -> LeftOutRow:
    """The figures of one generator; ``known``: test images of the others."""
    kinds = np.repeat([0, 1], [len(known.truth), len(unknown.truth)])
    values = np.concatenate([known.knownness, unknown.knownness])
    right = np.asarray(
        [a == b for a, b in zip(known.truth, known.predicted, strict=True)]
        + [False] * len(unknown.truth)
    )

    def auc(i: NDArray[np.intp]) -> float:
        return unknown_auc(values[i[kinds[i] == 0]], values[i[kinds[i] == 1]])

    def area(i: NDArray[np.intp]) -> float:
        mine = i[kinds[i] == 0]
        return oscr(values[mine], right[mine], values[i[kinds[i] == 1]])

    groups = (*known.groups, *unknown.groups)
    names, counts = np.unique(np.asarray(unknown.predicted), return_counts=True)
    return LeftOutRow.model_validate(
        {
            "generator": generator,
            "images": len(unknown.truth),
            "auc": with_interval(auc, kinds, groups, rounds=rounds, seed=seed).as_json(),
            "oscr": with_interval(area, kinds, groups, rounds=rounds, seed=seed).as_json(),
            "rejected": 1 - accepted_share(unknown.fit, least_fit),
            "instead": str(names[counts.argmax()]),
        }
    )


def summarize(rows: Sequence[LeftOutRow]) -> LeftOut:
    """Means over generators, and the one that is told apart worst."""
    return LeftOut(
        auc=float(np.mean([row.auc[0] for row in rows])),
        oscr=float(np.mean([row.oscr[0] for row in rows])),
        rejected=float(np.mean([row.rejected for row in rows])),
        worst=min(rows, key=lambda row: row.auc[0] or 0.0).generator,
        rows=tuple(rows),
    )
