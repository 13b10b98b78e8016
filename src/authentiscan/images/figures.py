"""A few plain figures of a picture, to say how unlike the training images it is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from authentiscan.core.types import RGBImage

FIGURES = ("brightness", "contrast", "saturation", "fine detail", "noise")
"""brightness: mean luma, 0..255. contrast: its standard deviation. saturation: mean difference of
the largest and smallest colour of a pixel, 0..255. fine detail: mean difference of luma between
neighbours, 0..255, on a logarithmic scale (natural logarithm of it plus 0.01). noise: standard
deviation, in levels of 255, of what is left of green without its local slope, in the quietest
tenth of the 16-pixel blocks: white noise of 4 levels gives about 4."""

_BLOCK = 16
_DARK = 16
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
        _noise(green),
    )
    return dict(zip(FIGURES, values, strict=True))


def _noise(green: NDArray[np.uint8]) -> float:
    """Immerkær's (1996) filter, block by block; blocks near black or white are left out, where
    noise is clipped. 0 where the picture has no whole block.
    """
    height, width = (side // _BLOCK * _BLOCK for side in green.shape)
    if not height or not width:
        return 0.0
    plane = np.pad(green[:height, :width], 1, mode="edge").astype(np.float32)
    rows = plane[:-2] - 2 * plane[1:-1] + plane[2:]
    left_over = (rows[:, :-2] - 2 * rows[:, 1:-1] + rows[:, 2:]) / 6
    shape = (height // _BLOCK, _BLOCK, width // _BLOCK, _BLOCK)
    deviation = np.sqrt((left_over**2).reshape(shape).mean(axis=(1, 3)))
    level = green[:height, :width].reshape(shape).mean(axis=(1, 3))
    usable = (level > _DARK) & (level < 255 - _DARK)
    return float(np.percentile(deviation[usable] if usable.any() else deviation, 10))


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
