"""Bootstrap intervals, stratified by class and clustered by group.

Images of one group (same person, scene or source image) are not independent; resampling them one
by one gives intervals that are too narrow. Whole groups are drawn with replacement (Davison &
Hinkley 1997, sec. 2.4), separately among groups of only real, only generated and of both kinds of
images, so that class sizes hardly move. A kind with a single group is drawn together with another,
because alone it could not vary. A draw is a weight per image over scores sorted once, never
a new sort.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from authentiscan.core.errors import MetricError
from authentiscan.metrics.ranking import Floats, Ranking, checked_weights

Groups: TypeAlias = Sequence[object] | NDArray[np.generic]
"""The group of each image (N,); images of one group are not independent. None is its own."""

ROUNDS = 1000
LEVEL = 0.95
_BLOCK = 400_000  # weights held at once: a few MB, whatever the number of rounds


@dataclass(frozen=True, slots=True)
class Estimate:
    """A metric and its interval. All None where it is undefined; the interval alone is None where
    fewer than two groups leave nothing to resample.
    """

    value: float | None
    low: float | None = None
    high: float | None = None

    def as_json(self) -> list[float | None]:
        """``[value, low, high]``."""
        return [self.value, self.low, self.high]

    def percent(self) -> str:
        """As ``93.1 [91.0, 95.2]``, in percent."""
        if self.value is None:
            return "–"
        if self.low is None or self.high is None:
            return f"{100 * self.value:z.1f}"
        return f"{100 * self.value:z.1f} [{100 * self.low:z.1f}, {100 * self.high:z.1f}]"

    def __str__(self) -> str:
        if self.value is None:
            return "–"
        if self.low is None or self.high is None:
            return f"{self.value:z.3f}"
        return f"{self.value:z.3f} [{self.low:z.3f}, {self.high:z.3f}]"


class Resampler:
    """Draws weights (B, N) for a set of images; the same seed gives the same draws."""

    def __init__(
        self,
        labels: ArrayLike,
        groups: Groups | None = None,
        *,
        rounds: int = ROUNDS,
        seed: int = 0,
    ) -> None:
        """Find the clusters and strata of images with ``labels`` (N,) and ``groups`` (N,).

        Without groups each image is its own. Raises MetricError for unequal lengths.
        """
        y = np.asarray(labels).astype(np.int64)
        if groups is not None and len(groups) != len(y):
            raise MetricError(f"{len(groups)} groups for {len(y)} labels")
        self.rounds, self.seed, self.count = rounds, seed, len(y)
        if groups is None:
            cluster = np.arange(len(y))
        else:
            # A row without a group is its own group.
            names = [f"g{g}" if g is not None else f"#{i}" for i, g in enumerate(groups)]
            cluster = np.unique(np.asarray(names), return_inverse=True)[1]
        self.clusters = int(cluster.max()) + 1 if len(y) else 0
        self.cluster: NDArray[np.int64] = cluster.astype(np.int64)
        kinds = np.bincount(cluster, weights=np.where(y == 1, 1.0, 0.0), minlength=self.clusters)
        sizes = np.bincount(cluster, minlength=self.clusters)
        kind = np.where(kinds == 0, 0, np.where(kinds == sizes, 1, 2))
        self._strata = _strata(kind)
        self.smallest = min((len(s) for s in self._strata), default=0)

    @property
    def usable(self) -> bool:
        """Whether every stratum has two groups or more, so that its draws vary: false where all
        images of a class are of one group.
        """
        return self.smallest >= 2

    def blocks(self, order: NDArray[np.intp] | None = None) -> Iterator[Floats]:
        """Weights in blocks (b, N) that add up to ``rounds`` rows, columns in ``order``."""
        rng = np.random.Generator(np.random.SFC64(self.seed))
        cluster = self.cluster if order is None else self.cluster[order]
        per_block = max(1, min(self.rounds, _BLOCK // max(1, self.count)))
        for start in range(0, self.rounds, per_block):
            size = min(per_block, self.rounds - start)
            counts = np.zeros((size, self.clusters))
            for members in self._strata:
                k = len(members)
                drawn = rng.integers(0, k, size=(size, k), dtype=np.int32)
                drawn += (np.arange(size, dtype=np.int32) * k)[:, None]
                times = np.bincount(drawn.ravel(), minlength=size * k).reshape(size, k)
                if k == self.clusters:
                    counts = times.astype(np.float64)
                else:
                    counts[:, members] = times
            yield np.take(counts, cluster, axis=1)


def _strata(kind: NDArray[np.generic]) -> list[NDArray[np.intp]]:
    """Groups to draw among: of real images (kind 0), of generated (1), of both (2)."""
    real, generated, both = (int((kind == k).sum()) for k in range(3))
    alone = [k for k, count in ((0, real), (1, generated)) if count == 1]
    if both and alone:
        kind = np.where(np.isin(kind, alone), 2, kind)
    elif both == 1:
        kind = np.where(kind == 2, 0 if real >= generated else 1, kind)
    return [np.flatnonzero(kind == k) for k in range(3) if (kind == k).any()]


def replicates(
    ranking: Ranking, resampler: Resampler, weights: ArrayLike | None = None
) -> dict[str, Floats]:
    """Every metric under every draw, arrays (rounds,); ``weights`` (N,) multiply the draws."""
    base = None
    if weights is not None:
        base = checked_weights(weights, len(ranking.order))[ranking.order]
    parts: dict[str, list[Floats]] = {}
    for draw in resampler.blocks(ranking.order):
        for name, values in ranking.measure(draw if base is None else draw * base).items():
            parts.setdefault(name, []).append(values)
    return {name: np.concatenate(values) for name, values in parts.items()}


def estimates(
    labels: ArrayLike,
    scores: ArrayLike,
    groups: Groups | None = None,
    *,
    threshold: float = 0.5,
    weights: ArrayLike | None = None,
    rounds: int = ROUNDS,
    seed: int = 0,
    level: float = LEVEL,
) -> dict[str, Estimate]:
    """All metrics with percentile intervals at ``level``; None where undefined.

    Raises MetricError for inputs on which nothing can be measured.
    """
    ranking = Ranking(labels, scores, threshold=threshold)
    base = checked_weights(weights, len(ranking.order))
    point = ranking.measure(base[ranking.order][None])
    values = {name: _number(v[0]) for name, v in point.items()}
    resampler = Resampler(labels, groups, rounds=rounds, seed=seed)
    if rounds < 2 or not resampler.usable:
        return {name: Estimate(value) for name, value in values.items()}
    drawn = replicates(ranking, resampler, None if weights is None else base)
    return {name: _estimate(value, drawn[name], level) for name, value in values.items()}


def interval(values: Floats, level: float = LEVEL) -> tuple[float, float] | None:
    """Percentile interval of replicates, NaN ones left out; None where fewer than two remain."""
    kept = values[np.isfinite(values)]
    if len(kept) < 2:
        return None
    low, high = np.quantile(kept, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _estimate(value: float | None, drawn: Floats, level: float) -> Estimate:
    found = interval(drawn, level) if value is not None else None
    if value is None or found is None:
        return Estimate(value)
    # The calibration error of a resample is biased upwards; its interval must not miss the figure.
    return Estimate(value, min(found[0], value), max(found[1], value))


def _number(value: np.float64) -> float | None:
    return None if np.isnan(value) else float(value)
