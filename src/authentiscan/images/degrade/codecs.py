"""Lossy codecs: an image is encoded and decoded again, so that it carries the codec's history."""

from __future__ import annotations

import numpy as np

from authentiscan.core.types import RGBImage
from authentiscan.images.decode import encoded_again
from authentiscan.images.degrade.registry import Parameter, register

SUBSAMPLINGS = ("4:4:4", "4:2:2", "4:2:0")

_QUALITY = Parameter(
    "quality", "60..95", "libjpeg quality; lower is coarser", low=1, high=100, integer=True
)
_SUBSAMPLING = Parameter("subsampling", "4:2:0", "of the colour planes", allowed=SUBSAMPLINGS)


@register("jpeg", "save as JPEG and read again", _QUALITY, _SUBSAMPLING, keeps_size=True)
def jpeg(pixels: RGBImage, quality: int, subsampling: str) -> RGBImage:
    """``pixels`` (H, W, 3) uint8 after one JPEG compression."""
    return _round_trip(pixels, "JPEG", quality=quality, subsampling=subsampling)


@register(
    "double_jpeg",
    "save as JPEG twice, the second time on a shifted 8x8 grid where x or y is not 0",
    Parameter("first", "60..95", "quality of the first", low=1, high=100, integer=True),
    Parameter("second", "60..95", "quality of the second", low=1, high=100, integer=True),
    _SUBSAMPLING,
    Parameter("x", "0", "columns between the grids", low=0, high=7, integer=True),
    Parameter("y", "0", "rows between the grids", low=0, high=7, integer=True),
    keeps_size=True,
)
def double_jpeg(
    pixels: RGBImage, *, first: int, second: int, subsampling: str, x: int, y: int
) -> RGBImage:
    """``pixels`` (H, W, 3) uint8 after two JPEG compressions; the size stays.

    The first grid is moved by reflecting ``y`` rows and ``x`` columns in at the top left and
    cutting them off between the compressions.
    """
    # 'symmetric' accepts a margin wider than the image, so one-pixel images work too.
    padded = np.pad(pixels, ((y, 0), (x, 0), (0, 0)), mode="symmetric")
    once = _round_trip(padded, "JPEG", quality=first, subsampling=subsampling)[y:, x:]
    return _round_trip(once, "JPEG", quality=second, subsampling=subsampling)


@register(
    "webp",
    "save as lossy WebP and read again",
    Parameter("quality", "60..95", "libwebp quality", low=0, high=100, integer=True),
    keeps_size=True,
)
def webp(pixels: RGBImage, quality: int) -> RGBImage:
    """``pixels`` (H, W, 3) uint8 after one lossy WebP compression (always 4:2:0)."""
    return _round_trip(pixels, "WEBP", quality=quality)


def _round_trip(pixels: RGBImage, format: str, **options: int | str) -> RGBImage:
    return encoded_again(np.ascontiguousarray(pixels), format, **options)
