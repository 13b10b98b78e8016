"""Is one detector better than another? Paired bootstrap, DeLong's test, critical differences.

Both detectors must have scored the same images, in the same order: what one image adds to both is
then not counted as chance. Where images come in groups both tests resample or sum whole groups.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from authentiscan.core.errors import MetricError
from authentiscan.core.records import Record
from authentiscan.metrics.bootstrap import LEVEL, ROUNDS, Groups, Resampler, interval, replicates
from authentiscan.metrics.ranking import Floats, Ranking, checked_weights


class Difference(Record):
    """First minus second detector, with interval and two-sided p-value; None where undefined."""

    metric: str
    value: float | None
    low: float | None = None
    high: float | None = None
    p: float | None = None


def paired_bootstrap(
    labels: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    groups: Groups | None = None,
    *,
    metrics: Sequence[str] = ("roc_auc", "balanced_accuracy", "tpr_at_fpr_5"),
    thresholds: tuple[float, float] = (0.5, 0.5),
    weights: ArrayLike | None = None,
    rounds: int = ROUNDS,
    seed: int = 0,
    level: float = LEVEL,
) -> dict[str, Difference]:
    """Differences of metrics under the same draws of images for both detectors.

    thresholds: of the metrics of decisions, one each. The p-value is twice the smaller share of
    draws on either side of zero, at least 1 / (rounds + 1). Raises MetricError for scores on which
    nothing can be measured.
    """
    rankings = [
        Ranking(labels, s, threshold=t) for s, t in zip((first, second), thresholds, strict=True)
    ]
    base = checked_weights(weights, len(rankings[0].order))
    points = [r.measure(base[r.order][None]) for r in rankings]
    resampler = Resampler(labels, groups, rounds=rounds, seed=seed)
    drawn = None
    if resampler.usable and rounds >= 2:
        drawn = [replicates(r, resampler, base) for r in rankings]
    found = {}
    for metric in metrics:
        value = float(points[0][metric][0] - points[1][metric][0])
        if math.isnan(value):
            found[metric] = Difference(metric=metric, value=None)
            continue
        if drawn is None:
            found[metric] = Difference(metric=metric, value=value)
            continue
        gap = drawn[0][metric] - drawn[1][metric]
        gap = gap[np.isfinite(gap)]
        low, high = interval(gap, level) or (None, None)
        tail = min(int((gap <= 0).sum()), int((gap >= 0).sum()))
        p = min(1.0, 2 * (tail + 1) / (len(gap) + 1))
        found[metric] = Difference(metric=metric, value=value, low=low, high=high, p=p)
    return found


def delong(
    labels: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    groups: Groups | None = None,
    *,
    level: float = LEVEL,
) -> Difference:
    """Difference of two ROC areas by DeLong et al. (1988), for groups by Obuchowski (1997).

    No draws: exact and fast, but no weights. Raises MetricError where a class is missing.
    """
    y = np.asarray(labels)
    Ranking(y, first), Ranking(y, second)
    if not (y == 0).any() or not (y == 1).any():
        raise MetricError("DeLong's test needs real and generated images")
    parts = [_components(y, np.asarray(s, dtype=np.float64)) for s in (first, second)]
    areas = [float(generated.mean()) for generated, _ in parts]
    value = float(areas[0] - areas[1])
    variance = _variance(y, parts, areas, groups)
    if variance <= 1e-18:
        return Difference(
            metric="roc_auc",
            value=value,
            low=value,
            high=value,
            p=1.0 if abs(value) < 1e-12 else 0.0,
        )
    error = math.sqrt(variance)
    half = _normal_quantile(0.5 + level / 2) * error
    p = math.erfc(abs(value) / error / math.sqrt(2))
    return Difference(metric="roc_auc", value=value, low=value - half, high=value + half, p=p)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's (1979) adjusted p-values, in the order given: many comparisons, one error rate."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = highest
    return adjusted


class Ranks(Record):
    """Friedman's test and Nemenyi's critical difference over several units (Demšar 2006).

    mean_ranks: of each detector, 1 is best. p: of all detectors being equal. critical_difference:
    detectors whose mean ranks differ by less are not told apart at the 5 % level.
    """

    mean_ranks: dict[str, float]
    units: int
    p: float
    critical_difference: float


def critical_difference(names: Sequence[str], figures: ArrayLike) -> Ranks:
    """Ranks of detectors over units. ``figures`` (units, detectors), higher is better.

    Units are data sets or generators. Raises MetricError with fewer than two detectors or units.
    """
    from scipy import stats

    table = np.asarray(figures, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] != len(names) or min(table.shape) < 2:
        raise MetricError(
            "critical differences need a table of at least 2 units by 2 detectors, got "
            f"{table.shape}"
        )
    if not np.isfinite(table).all():
        raise MetricError("critical differences need a figure of every detector on every unit")
    n, k = table.shape
    ranks = stats.rankdata(-table, axis=1).mean(axis=0)
    chi = 12 * n / (k * (k + 1)) * (float((ranks**2).sum()) - k * (k + 1) ** 2 / 4)
    quantile = float(stats.studentized_range.ppf(0.95, k, np.inf)) / math.sqrt(2)
    return Ranks(
        mean_ranks={name: float(rank) for name, rank in zip(names, ranks, strict=True)},
        units=n,
        p=float(stats.chi2.sf(chi, k - 1)),
        critical_difference=quantile * math.sqrt(k * (k + 1) / (6 * n)),
    )


def _components(labels: NDArray[np.integer], scores: Floats) -> tuple[Floats, Floats]:
    """For each generated image the share of real ones below it, for each real one the share of
    generated above; ties half (Sun & Xu 2014: from midranks, no pairs).
    """
    from scipy.stats import rankdata

    generated, real = scores[labels == 1], scores[labels == 0]
    ours = rankdata(np.concatenate([generated, real]))
    m, n = len(generated), len(real)
    above = (ours[:m] - rankdata(generated)) / n
    below = 1.0 - (ours[m:] - rankdata(real)) / m
    return above, below


def _variance(
    labels: NDArray[np.integer],
    parts: Sequence[tuple[Floats, Floats]],
    areas: Sequence[float],
    groups: Groups | None,
) -> float:
    """Of the difference: the group sums of both classes' components (singletons without groups)."""
    cluster = Resampler(labels, groups, rounds=0).cluster
    count = int(cluster.max()) + 1
    generated, real = labels == 1, labels == 0
    m, n = int(generated.sum()), int(real.sum())
    d10 = (parts[0][0] - areas[0]) - (parts[1][0] - areas[1])
    d01 = (parts[0][1] - areas[0]) - (parts[1][1] - areas[1])
    s10 = np.bincount(cluster[generated], weights=d10, minlength=count)
    s01 = np.bincount(cluster[real], weights=d01, minlength=count)
    with_10 = len(np.unique(cluster[generated]))
    with_01 = len(np.unique(cluster[real]))
    total = _corrected(with_10) * float(s10 @ s10) / m**2
    total += _corrected(with_01) * float(s01 @ s01) / n**2
    return total + 2 * _corrected(count) * float(s10 @ s01) / (m * n)


def _corrected(count: int) -> float:
    return count / (count - 1) if count > 1 else 1.0


def _normal_quantile(share: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf(share)
