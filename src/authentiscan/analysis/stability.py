"""Whether the verdict holds when the picture is stored, scaled or cut a little differently.

The set is small and fixed: what a messenger or a web site does to an image on its way.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Protocol

from authentiscan.analysis.report import Stability, StabilityTrial
from authentiscan.core.types import Prediction, RGBImage, Verdict
from authentiscan.images.degrade import codecs, geometry

BUDGET_SECONDS = 10.0
"""After this long no further trial is begun, so that one image cannot hold up a batch."""

MIN_SIDE = 16
"""Trials that would leave a side under this many pixels are left out."""


class Scores(Protocol):
    """What stability needs of a detector."""

    def predict(self, source: RGBImage, /) -> Prediction:
        """The prediction for pixels (H, W, 3) uint8."""
        ...

    def verdict(self, score: float, /) -> Verdict:
        """The verdict of a score in [0, 1]."""
        ...


def _cropped(pixels: RGBImage) -> RGBImage:
    """The middle 80 % of each side, its corner off the 8-pixel grid of JPEG blocks."""
    y, x = (_off_grid(side) for side in pixels.shape[:2])
    return geometry.crop(pixels, keep=0.8, x=x, y=y)


def _off_grid(side: int) -> float:
    """Where 80 % of ``side`` begin, as a share of what is cut off."""
    return (round(side * 0.1) // 8 * 8 + 3) / max(1, side - round(side * 0.8))


TRIALS: dict[str, Callable[[RGBImage], RGBImage]] = {
    "JPEG quality 90": partial(codecs.jpeg, quality=90, subsampling="4:2:0"),
    "JPEG quality 70": partial(codecs.jpeg, quality=70, subsampling="4:2:0"),
    "resizing to 75 %": partial(geometry.resize, scale=0.75, kernel="lanczos"),
    "resizing to 50 %": partial(geometry.resize, scale=0.5, kernel="lanczos"),
    "cropping to 80 %": _cropped,
}


def check(
    pixels: RGBImage,
    original: float,
    detector: Scores,
    *,
    budget_seconds: float = BUDGET_SECONDS,
) -> Stability:
    """Score ``pixels`` (H, W, 3) again after each of `TRIALS`.

    original: the score in [0, 1] of the unchanged image.
    budget_seconds: no trial is begun after that; at least one is made.
    """
    started = time.perf_counter()
    before = detector.verdict(original)
    trials: list[StabilityTrial] = []
    complete = True
    for name, change in TRIALS.items():
        if trials and time.perf_counter() - started > budget_seconds:
            complete = False
            break
        changed = change(pixels)
        if min(changed.shape[:2]) < MIN_SIDE:
            complete = False
            continue
        score = detector.predict(changed).score
        trials.append(StabilityTrial(change=name, score=score, verdict=detector.verdict(score)))
    return Stability(
        trials=tuple(trials),
        flips=tuple(t.change for t in trials if _opposite(before, t.verdict)),
        largest_shift=max((abs(t.score - original) for t in trials), default=0.0),
        complete=complete,
        milliseconds=(time.perf_counter() - started) * 1e3,
    )


def _opposite(first: Verdict, second: Verdict) -> bool:
    return {first, second} == {Verdict.REAL, Verdict.GENERATED}
