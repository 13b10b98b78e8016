"""Closed- and open-set figures of classifiers that may answer "none that I know".

Knownness is any number that is higher the more an image looks like a known class.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

import numpy as np
from numpy.typing import ArrayLike, NDArray

from authentiscan.core.errors import MetricError
from authentiscan.metrics.bootstrap import LEVEL, ROUNDS, Estimate, Groups, Resampler, interval

Floats = NDArray[np.float64]


def confusion(truth: Sequence[str], answers: Sequence[str], classes: Sequence[str]) -> Floats:
    """Counts (len(classes), columns): row is the truth, column the answer.

    Columns are ``classes`` and, last, all other answers. Raises MetricError for a truth that is not
    among ``classes``.
    """
    place = {name: i for i, name in enumerate(classes)}
    strange = sorted(set(truth) - set(place))
    if strange:
        raise MetricError(f"truth names {', '.join(strange)}, which is no class")
    counts = np.zeros((len(classes), len(classes) + 1))
    for real, answer in zip(truth, answers, strict=True):
        counts[place[real], place.get(answer, len(classes))] += 1
    return counts


def balanced_accuracy(counts: Floats) -> float:
    """Mean share of right answers over the classes that have images; in [0, 1]."""
    totals = counts.sum(axis=1)
    seen = totals > 0
    return float((np.diagonal(counts)[seen] / totals[seen]).mean()) if seen.any() else float("nan")


def unknown_auc(known: ArrayLike, unknown: ArrayLike) -> float:
    """Probability that an image of a known class has the higher knownness; ties count half.

    1 is perfect, 0.5 chance. Raises MetricError where either is empty.
    """
    a, b = _both(known, unknown)
    ordered = np.sort(b)
    below = np.searchsorted(ordered, a, side="left")
    equal = np.searchsorted(ordered, a, side="right") - below
    return float((below + 0.5 * equal).sum() / (len(a) * len(b)))


def oscr(known: ArrayLike, right: ArrayLike, unknown: ArrayLike) -> float:
    """Area under the open-set classification rate, in [0, 1]; 1 is perfect.

    The share of known images that are accepted *and* named rightly, over the share of unknown ones
    that are accepted, as the threshold on knownness moves (Dhamija et al., NeurIPS 2018).
    known, unknown: knownness (N,), (M,). right: (N,) whether the nearest class is the true one.
    """
    a, b = _both(known, unknown)
    named = np.asarray(right, dtype=bool)
    if named.shape != a.shape:
        raise MetricError(f"{len(a)} images and {len(named)} answers")
    # The area is the mean over unknown images of the share of known ones that are right and above.
    return unknown_auc(a[named], b) * float(named.mean()) if named.any() else 0.0


def accepted_share(values: ArrayLike, threshold: float) -> float:
    """Share of knownness ``values`` that are at least ``threshold``; NaN where there is none."""
    found = np.asarray(values, dtype=np.float64)
    return float((found >= threshold).mean()) if len(found) else float("nan")


def with_interval(
    figure: Callable[[NDArray[np.intp]], float],
    kinds: ArrayLike,
    groups: Groups | None = None,
    *,
    rounds: int = ROUNDS,
    seed: int = 0,
) -> Estimate:
    """``figure`` of all images and its 95 % interval by resampling whole groups.

    figure: of the images at the given places, repeated ones included. kinds: (N,) 0 or 1, strata
    that are drawn apart: known and unknown images. A draw on which the figure is undefined, such as
    one without unknown images, is passed over.
    """
    strata = np.asarray(kinds)
    value = figure(np.arange(len(strata)))
    if np.isnan(value):
        return Estimate(None)
    resampler = Resampler(strata, groups, rounds=rounds, seed=seed)
    if rounds < 2 or not resampler.usable:
        return Estimate(value)
    places = np.arange(len(strata))
    drawn = []
    for block in resampler.blocks():
        for weights in block:
            with suppress(MetricError):
                drawn.append(figure(np.repeat(places, weights.astype(np.int64))))
    found = interval(np.asarray(drawn), LEVEL)
    return Estimate(value) if found is None else Estimate(value, *found)


def _both(known: ArrayLike, unknown: ArrayLike) -> tuple[Floats, Floats]:
    a = np.asarray(known, dtype=np.float64)
    b = np.asarray(unknown, dtype=np.float64)
    if not len(a) or not len(b):
        raise MetricError("an open-set figure needs images of known and of unknown classes")
    return a, b
