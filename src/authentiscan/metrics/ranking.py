"""Metrics as pure functions of labels and scores.

labels: (N,) integers, 0 real, 1 generated. scores: (N,) floats, higher means *generated*; ``brier``
and ``ece`` need probabilities in [0, 1], all others only an order.
weights: (N,) non-negative floats, one each where absent. A score equal to a threshold is above it.

Undefined inputs raise MetricError: nothing to measure, unequal lengths, NaN or infinite scores,
labels other than 0 and 1, one class where a metric needs both. Two conventions follow scikit-learn:
precision is 0 where nothing was called generated, F1 is 0 where there is no true positive.

Every number here and every bootstrap replicate comes from one kernel, `Ranking.measure`: scores are
sorted once, and a replicate is a row of weights over that order (Efron & Tibshirani 1993, ch. 6).
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from authentiscan.core.errors import MetricError

Floats: TypeAlias = NDArray[np.float64]

FPR_LEVELS = {"tpr_at_fpr_1": 0.01, "tpr_at_fpr_5": 0.05}
PARTIAL_FPR = 0.1
BINS = 15

METRICS: dict[str, str] = {
    "roc_auc": "higher",
    "partial_auc": "higher",
    "average_precision": "higher",
    "balanced_accuracy": "higher",
    "accuracy": "higher",
    "real_accuracy": "higher",
    "generated_accuracy": "higher",
    "precision": "higher",
    "recall": "higher",
    "f1": "higher",
    "tpr_at_fpr_1": "higher",
    "tpr_at_fpr_5": "higher",
    "brier": "lower",
    "ece": "lower",
}
"""Names of all metrics and which direction is better; each lies in [0, 1].

roc_auc: P(a generated image scores above a real one), ties half; 0.5 is chance. partial_auc: the
area over FPR <= 0.1, standardised (McClish 1989), 0.5 is chance. average_precision: over recall
steps, no interpolation; chance is the share of generated images. real_accuracy: share of real
images under the threshold. generated_accuracy, recall: share of generated images at or above it.
balanced_accuracy: their mean. precision and accuracy move with the mix of classes. tpr_at_fpr_N:
largest TPR of any threshold whose FPR is at most N %. brier: mean squared distance of score and
label (Brier 1950). ece: expected calibration error over 15 equal bins of the score (Naeini 2015;
bins [low, high), the last closed).
"""


class Ranking:
    """Labels and scores sorted once by falling score, to be measured under many weights.

    ``order`` (N,) sorts the inputs; weights given to `measure` must already be in that order.
    """

    def __init__(
        self, labels: ArrayLike, scores: ArrayLike, *, threshold: float = 0.5, bins: int = BINS
    ) -> None:
        """Check and sort. ``threshold`` is that of the metrics of decisions.

        Raises MetricError for inputs on which nothing can be measured.
        """
        y, s = _checked(labels, scores)
        self.order = np.argsort(-s, kind="stable")
        self.scores: Floats = s[self.order]
        self.labels: Floats = y[self.order].astype(np.float64)
        distinct = np.flatnonzero(np.diff(self.scores))
        self.ends: NDArray[np.intp] = np.append(distinct, len(s) - 1)
        self.above = int(np.searchsorted(-self.scores, -threshold, side="right"))
        self.probabilities = bool(self.scores[0] <= 1.0 and self.scores[-1] >= 0.0)
        self._square = (self.scores - self.labels) ** 2
        inside = np.minimum((self.scores * bins).astype(np.int64), bins - 1)
        self._bin_starts = np.flatnonzero(np.append(True, np.diff(inside) != 0))

    def measure(self, weights: Floats) -> dict[str, Floats]:
        """All `METRICS` under each row of ``weights`` (B, N), sorted; arrays of shape (B,).

        A metric that a row leaves undefined (no weight on a class it needs) is NaN in that row;
        ``brier`` and ``ece`` are NaN where the scores are not probabilities.
        """
        generated = weights * self.labels
        true = np.cumsum(generated, axis=1)
        false = np.cumsum(weights - generated, axis=1)
        positives, negatives = true[:, -1:], false[:, -1:]
        k = self.above
        hit = true[:, k - 1] if k else np.zeros(len(weights))
        alarm = false[:, k - 1] if k else np.zeros(len(weights))
        if len(self.ends) < len(self.scores):
            true, false = true[:, self.ends], false[:, self.ends]
        with np.errstate(invalid="ignore", divide="ignore"):
            found = _decisions(hit, alarm, positives[:, 0], negatives[:, 0])
            found |= _rankings(true, false, positives, negatives)
            found |= self._probabilities(weights, generated)
        return found

    def _probabilities(self, weights: Floats, generated: Floats) -> dict[str, Floats]:
        if not self.probabilities:
            nothing = np.full(len(weights), np.nan)
            return {"brier": nothing, "ece": nothing}
        total = weights.sum(axis=1)
        # |sum of weight * (score - label)| per bin is the bin's share times its gap.
        gap = np.add.reduceat(weights * self.scores - generated, self._bin_starts, axis=1)
        return {"brier": weights @ self._square / total, "ece": np.abs(gap).sum(axis=1) / total}


def _decisions(hit: Floats, alarm: Floats, p: Floats, n: Floats) -> dict[str, Floats]:
    called = hit + alarm
    precision = np.where(called > 0, hit / np.where(called > 0, called, 1.0), 0.0)
    precision = np.where(p > 0, precision, np.nan)
    recall, specificity = hit / p, 1.0 - alarm / n
    return {
        "accuracy": (hit + n - alarm) / (p + n),
        "balanced_accuracy": (recall + specificity) / 2,
        "real_accuracy": specificity,
        "generated_accuracy": recall,
        "precision": precision,
        "recall": recall,
        "f1": 2 * hit / (p + called),
    }


def _rankings(true: Floats, false: Floats, p: Floats, n: Floats) -> dict[str, Floats]:
    """Metrics of the whole ROC and PR curve from counts (B, K) at K distinct scores."""
    gained = np.diff(true, axis=1, prepend=0.0)
    area = np.diff(false, axis=1, prepend=0.0)
    area *= true - gained / 2
    called = true + false
    with_any = np.where(called > 0, called, 1.0)
    single = (p[:, 0] <= 0) | (n[:, 0] <= 0)
    found = {
        "roc_auc": area.sum(axis=1) / (p * n)[:, 0],
        "average_precision": np.einsum("bk,bk->b", gained, true / with_any) / p[:, 0],
        "partial_auc": _partial(area, true, false, p[:, 0], n[:, 0]),
    }
    rows = np.arange(len(true))
    for name, level in FPR_LEVELS.items():
        allowed = _within(false, level * n)
        best = np.where(allowed > 0, true[rows, np.maximum(allowed, 1) - 1], 0.0)
        found[name] = best / p[:, 0]
    return {name: np.where(single, np.nan, values) for name, values in found.items()}


def _within(false: Floats, limit: Floats) -> NDArray[np.intp]:
    """How many leading columns of the rising ``false`` (B, K) stay at or under ``limit`` (B, 1)."""
    bound = limit * (1.0 + 1e-12)  # 0.05 * 20 must allow one
    return np.asarray(
        [np.searchsorted(f, b, side="right") for f, b in zip(false, bound[:, 0], strict=True)]
    )


def _partial(area: Floats, true: Floats, false: Floats, p: Floats, n: Floats) -> Floats:
    """Area under the ROC curve up to `PARTIAL_FPR`, standardised to 0.5 chance, 1 perfect."""
    rows = np.arange(len(true))
    limit = PARTIAL_FPR * n
    inside = _within(false, limit[:, None])
    last = np.maximum(inside, 1) - 1
    after = np.minimum(inside, true.shape[1] - 1)
    f0 = np.where(inside > 0, false[rows, last], 0.0)
    t0 = np.where(inside > 0, true[rows, last], 0.0)
    f1, t1 = false[rows, after], true[rows, after]
    step = np.where(f1 > f0, f1 - f0, 1.0)
    reach = np.clip(limit - f0, 0.0, None)
    t_limit = np.where(f1 > f0, t0 + (t1 - t0) * reach / step, t0)
    whole = np.asarray([row[:k].sum() for row, k in zip(area, inside, strict=True)])
    value = (whole + reach * (t0 + t_limit) / 2) / (p * n)
    lowest, highest = PARTIAL_FPR**2 / 2, PARTIAL_FPR
    return np.asarray(0.5 * (1 + (value - lowest) / (highest - lowest)))


def measure(
    labels: ArrayLike,
    scores: ArrayLike,
    *,
    threshold: float = 0.5,
    weights: ArrayLike | None = None,
) -> dict[str, float]:
    """All `METRICS` at once; those that need both classes are NaN where one is missing.

    Raises MetricError for inputs on which nothing can be measured.
    """
    ranking = Ranking(labels, scores, threshold=threshold)
    given = checked_weights(weights, len(ranking.order))[ranking.order]
    return {name: float(v[0]) for name, v in ranking.measure(given[None]).items()}


def roc_auc(labels: ArrayLike, scores: ArrayLike, *, weights: ArrayLike | None = None) -> float:
    """P(a generated image scores above a real one), ties half, in [0, 1]; 0.5 is chance.

    Raises MetricError where a class is missing.
    """
    value = measure(labels, scores, weights=weights)["roc_auc"]
    if np.isnan(value):
        _both_classes(np.asarray(labels, dtype=np.float64))
        raise MetricError("the ROC area needs weight on both classes")
    return value


def checked_weights(weights: ArrayLike | None, count: int) -> Floats:
    """``weights`` as (count,) floats, ones where None; MetricError where they cannot be weights."""
    if weights is None:
        return np.ones(count)
    given = np.asarray(weights, dtype=np.float64)
    if given.shape != (count,) or not np.isfinite(given).all() or (given < 0).any():
        raise MetricError(f"weights must be {count} finite numbers >= 0, got shape {given.shape}")
    if given.sum() <= 0:
        raise MetricError("weights must not all be zero")
    return given


def _both_classes(labels: Floats) -> None:
    if labels.min() == labels.max():
        which = "generated" if labels[0] else "real"
        raise MetricError(f"this metric needs both classes; all {len(labels)} images are {which}")


def _checked(labels: ArrayLike, scores: ArrayLike) -> tuple[NDArray[np.int64], Floats]:
    """Labels and scores as arrays of one length; MetricError where they are not measurable."""
    y, s = np.asarray(labels), np.asarray(scores, dtype=np.float64)
    if y.ndim != 1 or s.shape != y.shape:
        raise MetricError(f"labels and scores must be two (N,) arrays, got {y.shape}, {s.shape}")
    if not len(y):
        raise MetricError("there are no scores to measure")
    bad = int((~np.isfinite(s)).sum())
    if bad:
        raise MetricError(
            f"{bad} of {len(s)} scores are NaN or infinite; drop the failed rows first"
        )
    if not np.isin(y, (0, 1)).all():
        raise MetricError(f"labels must be 0 or 1, found {np.unique(y)[:5].tolist()}")
    return y.astype(np.int64), s
