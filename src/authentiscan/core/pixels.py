"""From whatever a decoder gives to RGB: alpha over white, CMYK, 16-bit, palette, float."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from authentiscan.core.types import RGBImage

_TRANSPARENT_MODES = frozenset({"RGBA", "RGBa", "LA", "La", "PA"})


def to_rgb(image: Image.Image) -> tuple[RGBImage, bool]:
    """Pixels (H, W, 3) uint8 of a loaded Pillow image, and whether transparency was composed over white.

    Stored values are kept wherever 8-bit RGB can hold them: an embedded colour profile changes no
    pixel. 16-bit values keep their high byte, as Pillow does for 16-bit RGB; floats are scaled by
    their range (see `_float_to_grey`); CMYK and LAB are converted without and with their own maths.
    """
    if image.mode == "RGB" and "transparency" not in image.info:
        return np.array(image), False
    if image.mode in _TRANSPARENT_MODES or "transparency" in image.info:
        return _over_white(image)
    if image.mode.startswith("I;16"):
        grey = np.asarray(image).astype(np.uint16) >> 8
        return _grey(grey.astype(np.uint8)), False
    if image.mode == "I":
        return _grey(_integer_to_grey(np.asarray(image))), False
    if image.mode == "F":
        return _grey(_float_to_grey(np.asarray(image))), False
    if image.mode == "LAB":
        return np.array(_lab_to_rgb(image)), False
    return np.array(image.convert("RGB")), False


def _over_white(image: Image.Image) -> tuple[RGBImage, bool]:
    if image.mode.startswith(
        "I"
    ):  # a colour key on 16-bit grey: Pillow cannot convert it, ignore it
        plain = image.copy()
        plain.info.pop("transparency", None)
        return to_rgb(plain)
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
    """32-bit integers do not say their range: up to 255 is taken as 8-bit, up to 65535 as 16-bit,
    anything larger is scaled by its maximum."""
    top = int(values.max(initial=0))
    bounded = np.clip(values, 0, None)
    if top <= 255:
        return bounded.astype(np.uint8)
    if top <= 65_535:
        return (bounded >> 8).astype(np.uint8)
    scaled: NDArray[np.uint8] = (bounded.astype(np.float64) * (255.0 / top)).astype(np.uint8)
    return scaled


def _float_to_grey(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Floats within [0, 1] are scaled by 255, within [0, 255] kept, any other range is stretched from its
    minimum to its maximum. NaN and infinities count as 0."""
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
