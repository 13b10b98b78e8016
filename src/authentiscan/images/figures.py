"""A few plain figures of a picture, to say how unlike the training images it is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from authentiscan.core.types import RGBImage

FIGURES = ("brightness", "contrast", "saturation", "fine detail")
"""brightness: mean luma, 0..255. contrast: its standard deviation. saturation: mean difference of
the largest and smallest colour of a pixel, 0..255. fine detail: mean difference of luma between
neighbours, 0..255, on a logarithmic scale (natural logarithm of it plus 0.01)."""

_SIDE = 512
"""Only the middle of a picture is looked at, at native pixels: detail does not survive scaling."""


def measure(pixels: RGBImage) -> dict[str, float]:
    """The `FIGURES` of ``pixels`` (H, W, 3) uint8."""
    height, width = pixels.shape[:2]
    top, left = max(0, (height - _SIDE) // 2), max(0, (width - _SIDE) // 2)
    middle = pixels[top : top + _SIDE, left : left + _SIDE]
    # Plane by plane: reducing an axis of three is slow in numpy.
    red, green, blue = (np.ascontiguousarray(middle[..., i]) for i in range(3))
    luma = np.float32(0.299) * red + np.float32(0.587) * green + np.float32(0.114) * blue
    largest = np.maximum(np.maximum(red, green), blue)
    smallest = np.minimum(np.minimum(red, green), blue)
    steps = [np.abs(np.diff(luma, axis=axis)).mean() for axis in (0, 1) if luma.shape[axis] > 1]
    detail = float(np.mean(steps)) if steps else 0.0
    values = (
        float(luma.mean()),
        float(luma.std()),
        float((largest - smallest).mean()),
        float(np.log(detail + 0.01)),
    )
    return dict(zip(FIGURES, values, strict=True))


def typical_ranges(
    measured: list[dict[str, float]], outside: float = 0.01
) -> dict[str, tuple[float, float]]:
    """Per figure a range such that at most about ``outside`` of the images leave any of them: each
    figure gets the same part of it, half at each end.
    """
    tail = outside / len(FIGURES) / 2
    found: dict[str, tuple[float, float]] = {}
    for name in FIGURES:
        values: NDArray[np.float64] = np.asarray([figures[name] for figures in measured])
        low, high = np.quantile(values, [tail, 1 - tail])
        found[name] = (round(float(low), 4), round(float(high), 4))
    return found
