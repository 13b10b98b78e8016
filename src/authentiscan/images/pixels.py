"""From whatever a decoder gives to RGB: alpha over white, CMYK, 16-bit, palette, float.

Converted in bands of rows, so that beside the decoder's pixels and the result no third copy of a
large image is held.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from authentiscan.core.types import RGBImage

_BAND = 2**21
"""Pixels converted at a time."""

TRANSPARENT_MODES = frozenset({"RGBA", "RGBa", "LA", "La", "PA"})

_Converter: TypeAlias = Callable[[Image.Image], NDArray[np.uint8]]


def to_rgb(image: Image.Image) -> tuple[RGBImage, bool]:
    """Pixels (H, W, 3) uint8 of an image, and whether transparency was composed over white.

    Stored values are kept wherever 8-bit RGB can hold them: an embedded colour profile changes no
    pixel. 16-bit values keep their high byte, as Pillow does for 16-bit RGB; 32-bit integers and
    floats are scaled by their range. CMYK is converted by complement, without a press profile.
    """
    mode = image.mode
    has_key = "transparency" in image.info and not mode.startswith(("I", "F"))
    if mode in TRANSPARENT_MODES or has_key:
        return _in_bands(image, _over_white), _is_transparent(image)
    if mode.startswith("I;16"):
        return _in_bands(image, _high_byte), False
    if mode == "I":
        return _in_bands(image, partial(_integer_to_grey, top=_range(image)[1])), False
    if mode == "F":
        low, high = _range(image)
        return _in_bands(image, partial(_float_to_grey, low=low, high=high)), False
    if mode == "LAB":
        return _in_bands(image, _lab_to_rgb()), False
    return _in_bands(image, _plain), False


def from_apple(image: Image.Image) -> tuple[RGBImage, bool]:
    """Pixels of a PNG in Apple's variant, and whether transparency was composed over white.

    Its channels are stored as blue, green, red, and multiplied by alpha where there is one, so that
    over white each is itself plus what alpha leaves free.
    """
    if image.mode != "RGBA":
        return _in_bands(image, lambda band: np.asarray(band)[..., ::-1]), False
    return _in_bands(image, _premultiplied), _is_transparent(image)


def _bands(image: Image.Image) -> Iterator[tuple[slice, Image.Image]]:
    """The image row by row, some at a time, and the rows they are."""
    width, height = image.size
    rows = max(1, _BAND // max(1, width))
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        yield slice(top, bottom), image.crop((0, top, width, bottom))


def _in_bands(image: Image.Image, convert: _Converter) -> RGBImage:
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    for rows, band in _bands(image):
        values = convert(band)
        pixels[rows] = values if values.ndim == 3 else values[:, :, None]
    return pixels


def _plain(band: Image.Image) -> NDArray[np.uint8]:
    return np.asarray(band if band.mode == "RGB" else band.convert("RGB"), dtype=np.uint8)


def _with_alpha(band: Image.Image) -> Image.Image:
    straight = {"La": "LA"}.get(band.mode)
    return (band.convert(straight) if straight else band).convert("RGBA")


def _is_transparent(image: Image.Image) -> bool:
    lows = (_with_alpha(band).getchannel("A").getextrema()[0] for _, band in _bands(image))
    return any(low != 255 for low in lows)


def _over_white(band: Image.Image) -> NDArray[np.uint8]:
    with_alpha = _with_alpha(band)
    white = Image.new("RGBA", with_alpha.size, (255, 255, 255, 255))
    return np.asarray(Image.alpha_composite(white, with_alpha), dtype=np.uint8)[..., :3]


def _premultiplied(band: Image.Image) -> NDArray[np.uint8]:
    values = np.asarray(band).astype(np.uint16)
    over = values[..., 2::-1] + (255 - values[..., 3:])
    return np.asarray(np.minimum(over, 255), dtype=np.uint8)


def _high_byte(band: Image.Image) -> NDArray[np.uint8]:
    return (np.asarray(band).astype(np.uint16) >> 8).astype(np.uint8)


def _range(image: Image.Image) -> tuple[float, float]:
    """Smallest and largest finite value, together with 0."""
    low = high = 0.0
    for _, band in _bands(image):
        values = _finite(band)
        low, high = min(low, float(values.min())), max(high, float(values.max()))
    return low, high


def _finite(band: Image.Image) -> NDArray[np.float64]:
    return np.nan_to_num(np.asarray(band).astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)


def _integer_to_grey(band: Image.Image, *, top: float) -> NDArray[np.uint8]:
    """32-bit integers do not say their range.

    Up to 255 they are taken as 8-bit, up to 65535 as 16-bit, beyond that scaled by their maximum.
    """
    bounded = np.clip(np.asarray(band), 0, None)
    if top > 65_535:
        return np.asarray(bounded.astype(np.float64) * (255.0 / top), dtype=np.uint8)
    return np.asarray(bounded >> 8 if top > 255 else bounded, dtype=np.uint8)


def _float_to_grey(band: Image.Image, *, low: float, high: float) -> NDArray[np.uint8]:
    """Floats within [0, 1] are scaled by 255, within [0, 255] kept.

    Any other range is stretched from its minimum to its maximum. NaN and infinities count as 0.
    """
    finite = _finite(band)
    if low >= 0.0 and high <= 1.0:
        finite = finite * 255.0
    elif low < 0.0 or high > 255.0:
        finite = (finite - low) / (high - low) * 255.0
    return np.clip(np.rint(finite), 0, 255).astype(np.uint8)


def _lab_to_rgb() -> _Converter:
    transform = ImageCms.buildTransform(
        ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB", "RGB"
    )

    def convert(band: Image.Image) -> NDArray[np.uint8]:
        converted = ImageCms.applyTransform(band, transform)
        if converted is None:
            raise ValueError("LAB could not be converted")
        return np.asarray(converted, dtype=np.uint8)

    return convert
