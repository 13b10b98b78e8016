"""Points of the curves a report shows: ROC, precision-recall, reliability, score distribution."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from authentiscan.core.errors import MetricError
from authentiscan.core.records import Record
from authentiscan.metrics.ranking import BINS, Floats, Ranking, checked_weights

POINTS = 400


class Curve(Record):
    """Points of a curve, from the strictest threshold to the laxest."""

    x: tuple[float, ...]
    y: tuple[float, ...]


class ReliabilityBin(Record):
    """Images whose score lies in [low, high): their mean score, and the share really generated."""

    low: float
    high: float
    weight: float
    mean_score: float
    generated_share: float


class Histogram(Record):
    """Images per score bin and class; ``edges`` has one entry more than the counts."""

    edges: tuple[float, ...]
    real: tuple[int, ...]
    generated: tuple[int, ...]


def roc_curve(
    labels: ArrayLike, scores: ArrayLike, *, weights: ArrayLike | None = None, points: int = POINTS
) -> Curve:
    """False-positive rate (x) against true-positive rate (y), from (0, 0) to (1, 1).

    One point per distinct score, thinned evenly along the curve to about ``points``. Raises
    MetricError where a class is missing.
    """
    true, false = _counts(labels, scores, weights)
    x = np.concatenate([[0.0], false / false[-1]])
    y = np.concatenate([[0.0], true / true[-1]])
    return _thinned(x, y, points)


def precision_recall_curve(
    labels: ArrayLike, scores: ArrayLike, *, weights: ArrayLike | None = None, points: int = POINTS
) -> Curve:
    """Recall (x) against precision (y), from the highest score down; errors as `roc_curve`."""
    true, false = _counts(labels, scores, weights)
    called = true + false
    some = called > 0
    x, y = (true / true[-1])[some], (true[some] / called[some])
    return _thinned(np.concatenate([[0.0], x]), np.concatenate([y[:1], y]), points)


def reliability(
    labels: ArrayLike, scores: ArrayLike, *, weights: ArrayLike | None = None, bins: int = BINS
) -> tuple[ReliabilityBin, ...]:
    """The non-empty bins of the reliability diagram (DeGroot & Fienberg 1983)."""
    s, y = np.asarray(scores, dtype=np.float64), np.asarray(labels, dtype=np.float64)
    w = checked_weights(weights, len(s))
    at = np.clip((s * bins).astype(int), 0, bins - 1)
    total, mean, hits = (np.bincount(at, weights=v, minlength=bins) for v in (w, w * s, w * y))
    return tuple(
        ReliabilityBin(
            low=i / bins,
            high=(i + 1) / bins,
            weight=float(total[i]),
            mean_score=float(mean[i] / total[i]),
            generated_share=float(hits[i] / total[i]),
        )
        for i in np.flatnonzero(total > 0)
    )


def histogram(labels: ArrayLike, scores: ArrayLike, *, bins: int = 40) -> Histogram:
    """How many images of each class score in each of ``bins`` equal bins of [0, 1]."""
    s, y = np.asarray(scores, dtype=np.float64), np.asarray(labels)
    edges = np.linspace(0, 1, bins + 1)
    real, generated = (np.histogram(s[y == k], bins=edges)[0] for k in (0, 1))
    return Histogram(
        edges=tuple(edges.tolist()),
        real=tuple(int(n) for n in real),
        generated=tuple(int(n) for n in generated),
    )


def _counts(
    labels: ArrayLike, scores: ArrayLike, weights: ArrayLike | None
) -> tuple[Floats, Floats]:
    ranking = Ranking(labels, scores)
    w = checked_weights(weights, len(ranking.order))[ranking.order]
    true = np.cumsum(w * ranking.labels)[ranking.ends]
    false = np.cumsum(w * (1 - ranking.labels))[ranking.ends]
    if true[-1] <= 0 or false[-1] <= 0:
        raise MetricError("a curve needs both real and generated images")
    return true, false


def _thinned(x: Floats, y: Floats, points: int) -> Curve:
    if len(x) > points:
        length = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))])
        wanted = np.linspace(0, length[-1], points)
        keep = np.unique(np.concatenate([[0, len(x) - 1], np.searchsorted(length, wanted)]))
        keep = keep[keep < len(x)]
        x, y = x[keep], y[keep]
    return Curve(x=tuple(round(float(v), 5) for v in x), y=tuple(round(float(v), 5) for v in y))
