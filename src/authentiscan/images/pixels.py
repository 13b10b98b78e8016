"""From whatever a decoder gives to RGB: alpha over white, CMYK, 16-bit, palette, float."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from authentiscan.core.types import RGBImage

_TRANSPARENT_MODES = frozenset({"RGBA", "RGBa", "LA", "La", "PA"})


def to_rgb(image: Image.Image) -> tuple[RGBImage, bool]:
    """Pixels (H, W, 3) uint8 of a loaded image, and whether transparency was composed over white.

    Stored values are kept wherever 8-bit RGB can hold them: an embedded colour profile changes no
    pixel. 16-bit values keep their high byte, as Pillow does for 16-bit RGB; 32-bit integers and
    floats are scaled by their range. CMYK is converted by complement, without a press profile.
    """
    mode = image.mode
    has_key = "transparency" in image.info and not mode.startswith(("I", "F"))
    if mode in _TRANSPARENT_MODES or has_key:
        return _over_white(image)
    if mode.startswith("I;16"):
        pixels = _grey((np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8))
    elif mode == "I":
        pixels = _grey(_integer_to_grey(np.asarray(image)))
    elif mode == "F":
        pixels = _grey(_float_to_grey(np.asarray(image)))
    else:
        converted = _lab_to_rgb(image) if mode == "LAB" else image
        pixels = np.array(converted if converted.mode == "RGB" else converted.convert("RGB"))
    return pixels, False


def _over_white(image: Image.Image) -> tuple[RGBImage, bool]:
    straight = {"La": "LA"}.get(image.mode)
    with_alpha = (image.convert(straight) if straight else image).convert("RGBA")
    alpha = np.asarray(with_alpha.getchannel("A"))
    if alpha.size and int(alpha.min()) == 255:
        return np.array(with_alpha)[..., :3].copy(), False
    white = Image.new("RGBA", with_alpha.size, (255, 255, 255, 255))
    return np.array(Image.alpha_composite(white, with_alpha).convert("RGB")), True


def _grey(values: NDArray[np.uint8]) -> RGBImage:
    return np.repeat(values[:, :, None], 3, axis=2)


def _integer_to_grey(values: NDArray[Any]) -> NDArray[np.uint8]:
    """32-bit integers do not say their range.

    Up to 255 they are taken as 8-bit, up to 65535 as 16-bit, beyond that scaled by their maximum.
    """
    top = int(values.max(initial=0))
    bounded = np.clip(values, 0, None)
    if top > 65_535:
        bounded = bounded.astype(np.float64) * (255.0 / top)
    elif top > 255:
        bounded = bounded >> 8
    return np.asarray(bounded, dtype=np.uint8)


def _float_to_grey(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Floats within [0, 1] are scaled by 255, within [0, 255] kept.

    Any other range is stretched from its minimum to its maximum. NaN and infinities count as 0.
    """
    finite = np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(finite.min(initial=0.0)), float(finite.max(initial=0.0))
    if low >= 0.0 and high <= 1.0:
        finite = finite * 255.0
    elif low < 0.0 or high > 255.0:
        finite = (finite - low) / (high - low) * 255.0
    return np.clip(np.rint(finite), 0, 255).astype(np.uint8)


def _lab_to_rgb(image: Image.Image) -> Image.Image:
    transform = ImageCms.buildTransform(
        ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB", "RGB"
    )
    converted = ImageCms.applyTransform(image, transform)
    if converted is None:
        raise ValueError("LAB could not be converted")
    return converted
