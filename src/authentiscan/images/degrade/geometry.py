"""Steps that change the pixel grid: resizing with several kernels, cropping, shifting."""

from __future__ import annotations

import numpy as np
from PIL import Image

from authentiscan.core.types import RGBImage
from authentiscan.images.degrade.registry import Parameter, register

KERNELS = {
    "nearest": Image.Resampling.NEAREST,
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
KERNEL = Parameter("kernel", "bilinear/bicubic/lanczos", "interpolation", allowed=tuple(KERNELS))
_SCALE = Parameter("scale", "0.5..1.5", "new side / old side", low=0.02, high=8)


@register("resize", "scale both sides", _SCALE, KERNEL, keeps_size=False)
def resize(pixels: RGBImage, scale: float, kernel: str) -> RGBImage:
    """(H, W, 3) uint8 -> (round(H*scale), round(W*scale), 3), no side under one pixel."""
    height, width = pixels.shape[:2]
    return to_size(pixels, round(width * scale), round(height * scale), kernel)


@register(
    "fit",
    "shrink until the longer side is at most `side`; never enlarges",
    Parameter("side", "1024", "longest side in pixels", low=1, high=16384, integer=True),
    KERNEL,
    keeps_size=False,
)
def fit(pixels: RGBImage, side: int, kernel: str) -> RGBImage:
    """(H, W, 3) uint8 with max(H, W) <= ``side``, aspect kept; unchanged where it fits already."""
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return pixels
    return to_size(pixels, round(width * scale), round(height * scale), kernel)


@register(
    "rescale",
    "scale and scale back to the old size",
    Parameter("scale", "0.4..0.9", "side on the way", low=0.02, high=8),
    KERNEL,
    keeps_size=True,
)
def rescale(pixels: RGBImage, scale: float, kernel: str) -> RGBImage:
    """(H, W, 3) uint8 of the same size, its detail limited by the way through ``scale``."""
    height, width = pixels.shape[:2]
    return to_size(resize(pixels, scale, kernel), width, height, kernel)


@register(
    "crop",
    "cut a window out",
    Parameter("keep", "0.8..1", "share of each side that stays", low=0.01, high=1),
    Parameter("x", "0..1", "0 left edge, 1 right edge", low=0, high=1),
    Parameter("y", "0..1", "0 top edge, 1 bottom edge", low=0, high=1),
    keeps_size=False,
)
def crop(pixels: RGBImage, keep: float, x: float, y: float) -> RGBImage:
    """(H, W, 3) uint8 -> its window of (round(H*keep), round(W*keep)), at least one pixel."""
    height, width = pixels.shape[:2]
    rows, columns = max(1, round(height * keep)), max(1, round(width * keep))
    top, left = round((height - rows) * y), round((width - columns) * x)
    return pixels[top : top + rows, left : left + columns]


@register(
    "shift",
    "cut rows and columns off at the top left, which moves the JPEG grid",
    Parameter("x", "0..7", "columns", low=0, high=64, integer=True),
    Parameter("y", "0..7", "rows", low=0, high=64, integer=True),
    keeps_size=False,
)
def shift(pixels: RGBImage, x: int, y: int) -> RGBImage:
    """(H, W, 3) uint8 -> (H - y, W - x, 3); at least one row and one column stay."""
    height, width = pixels.shape[:2]
    return pixels[min(y, height - 1) :, min(x, width - 1) :]


def to_size(pixels: RGBImage, width: int, height: int, kernel: str) -> RGBImage:
    """``pixels`` (H, W, 3) uint8 resampled to ``width`` x ``height``, each at least 1."""
    size = (max(1, width), max(1, height))
    if size == (pixels.shape[1], pixels.shape[0]):
        return pixels
    image = Image.fromarray(np.ascontiguousarray(pixels))
    return np.asarray(image.resize(size, KERNELS[kernel]))
