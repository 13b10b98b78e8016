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
_STRIP = 4 * _BLOCK
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
    luma = _luma(red, green, blue)
    largest = np.maximum(np.maximum(red, green), blue)
    smallest = np.minimum(np.minimum(red, green), blue)
    steps = [_mean_step(luma, axis) for axis in (0, 1) if luma.shape[axis] > 1]
    detail = float(np.mean(steps)) if steps else 0.0
    values = (
        float(luma.mean()),
        float(luma.std()),
        float((largest - smallest).sum(dtype=np.uint32) / luma.size),
        float(np.log(detail + 0.01)),
        _noise(green),
    )
    return dict(zip(FIGURES, values, strict=True))


def _luma(
    red: NDArray[np.uint8], green: NDArray[np.uint8], blue: NDArray[np.uint8]
) -> NDArray[np.float32]:
    """Rec. 601 luma (H, W), 0..255, of planes (H, W)."""
    luma = np.empty(red.shape, np.float32)
    for rows in _strips(len(luma)):
        part = np.multiply(red[rows], np.float32(0.299), out=luma[rows])
        part += np.float32(0.587) * green[rows]
        part += np.float32(0.114) * blue[rows]
    return luma


def _strips(height: int) -> list[slice]:
    """Rows that stay in the processor's cache from one step of the arithmetic to the next."""
    return [slice(top, top + _STRIP) for top in range(0, height, _STRIP)]


def _mean_step(luma: NDArray[np.float32], axis: int) -> float:
    steps = np.diff(luma, axis=axis)
    return float(np.abs(steps, out=steps).mean())


def _noise(green: NDArray[np.uint8]) -> float:
    """Immerkær's (1996) filter, block by block; blocks near black or white are left out, where
    noise is clipped. 0 where the picture has no whole block.
    """
    height, width = (side // _BLOCK * _BLOCK for side in green.shape)
    if not height or not width:
        return 0.0
    # Whole numbers: exact, and half the memory of floats to go through.
    plane = np.pad(green[:height, :width], 1, mode="edge").astype(np.int16)
    squares = [_squared_noise(plane[s.start : s.stop + 2]) for s in _strips(height)]
    deviation = np.sqrt(np.concatenate(squares) / (36 * _BLOCK**2))
    level = _block_sums(green[:height, :width]) / _BLOCK**2
    usable = (level > _DARK) & (level < 255 - _DARK)
    return float(np.percentile(deviation[usable] if usable.any() else deviation, 10))


def _squared_noise(plane: NDArray[np.int16]) -> NDArray[np.int64]:
    """Sums, block by block, of the squared filter's values of ``plane`` without its rim."""
    rows = plane[:-2] + plane[2:] - (plane[1:-1] << 1)
    left_over = (rows[:, :-2] + rows[:, 2:] - (rows[:, 1:-1] << 1)).astype(np.int32)
    return _block_sums(left_over * left_over)


def _block_sums(plane: NDArray[np.integer]) -> NDArray[np.int64]:
    """Sums of the blocks of ``plane`` (H, W), whole blocks only: (H / 16, W / 16)."""
    height, width = (side // _BLOCK for side in plane.shape)
    # Rows first: there numpy adds long stretches at a time.
    down = plane.reshape(height, _BLOCK, -1).sum(axis=1, dtype=np.int32)
    found: NDArray[np.int64] = down.reshape(height, width, _BLOCK).sum(axis=2, dtype=np.int64)
    return found


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
