"""How many images it takes to state a rate: the Wilson interval, read backwards."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from authentiscan.core.errors import MetricError

_Z95 = 1.959963984540054


def half_width(rate: float, images: int) -> float:
    """Half of the 95 % Wilson interval (1927) of a ``rate`` found on independent ``images``."""
    _check(rate, images)
    z = _Z95
    spread = z * math.sqrt(rate * (1 - rate) / images + z**2 / (4 * images**2))
    return spread / (1 + z**2 / images)


def images_for(rate: float, within: float) -> int:
    """Fewest independent images on which a ``rate`` is known to plus or minus ``within``.

    Both in (0, 1). For a false-positive rate these are real photographs; where several are of one
    scene or person, count scenes or persons. Raises MetricError for other numbers.
    """
    _check(rate, 1)
    if not 0 < within < 1:
        raise MetricError(f"an interval of plus or minus {within:g}: it must lie between 0 and 1")
    low, high = 0, 1
    while half_width(rate, high) > within:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if half_width(rate, middle) > within:
            low = middle
        else:
            high = middle
    return high


def sentences(
    rates: Sequence[float], labels: ArrayLike, groups: Sequence[object]
) -> tuple[str, ...]:
    """For each false-positive rate how many real photographs it takes to know it to plus or minus
    half of itself, and how many there are.

    labels: (N,), 0 real; groups: (N,), of which each counts once, and None is its own.
    """
    real = [group for group, label in zip(groups, np.asarray(labels), strict=True) if label == 0]
    there = len({g for g in real if g is not None}) + sum(g is None for g in real)
    found = []
    for rate in rates:
        needed = images_for(rate, rate / 2)
        enough = "enough" if there >= needed else "not enough"
        found.append(
            f"to know a false-positive rate of {100 * rate:g} % to ±{50 * rate:g} points takes "
            f"{needed:,} independent real photographs; here are {there:,}, {enough}"
        )
    return tuple(found)


def _check(rate: float, images: int) -> None:
    if not 0 < rate < 1 or images < 1:
        raise MetricError(
            f"a rate of {rate:g} on {images} images: the rate must lie between 0 and 1, and at "
            "least one image is needed"
        )
