"""Steps that change values and leave the grid: blur, noise, brightness, gamma."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from authentiscan.core.types import RGBImage
from authentiscan.images.degrade.registry import Parameter, register


@register(
    "blur",
    "Gaussian blur",
    Parameter("sigma", "0.3..2", "standard deviation in pixels", low=0, high=20),
    keeps_size=True,
)
def blur(pixels: RGBImage, sigma: float) -> RGBImage:
    """(H, W, 3) uint8, blurred (Pillow's three box passes, close to a Gaussian of ``sigma``)."""
    image = Image.fromarray(np.ascontiguousarray(pixels))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(sigma)))


@register(
    "noise",
    "independent Gaussian noise on every value",
    Parameter("sigma", "1..6", "standard deviation in levels of 255", low=0, high=128),
    Parameter("seed", "0..2147483647", "of the noise", low=0, high=2**31 - 1, integer=True),
    keeps_size=True,
)
def noise(pixels: RGBImage, sigma: float, seed: int) -> RGBImage:
    """(H, W, 3) uint8 with noise of ``sigma`` levels, rounded and clipped to 0..255."""
    drawn = np.random.default_rng(seed).standard_normal(pixels.shape, dtype=np.float32)
    return _to_uint8(pixels + np.float32(sigma) * drawn)


@register(
    "brightness",
    "multiply all values",
    Parameter("factor", "0.8..1.2", "1 leaves the image", low=0, high=4),
    keeps_size=True,
)
def brightness(pixels: RGBImage, factor: float) -> RGBImage:
    """(H, W, 3) uint8 times ``factor``, clipped."""
    return _lookup(pixels, np.arange(256) * factor)


@register(
    "gamma",
    "bend the tone curve",
    Parameter("gamma", "0.8..1.25", "above 1 darkens the middle", low=0.1, high=10),
    keeps_size=True,
)
def gamma(pixels: RGBImage, gamma: float) -> RGBImage:
    """(H, W, 3) uint8, each value v in 0..1 replaced by v ** ``gamma``."""
    return tone(pixels, gamma, (1.0, 1.0, 1.0))


def tone(pixels: RGBImage, gamma: float, gains: tuple[float, float, float]) -> RGBImage:
    """(H, W, 3) uint8 through one curve a channel: gain * v ** gamma, v in 0..1."""
    curve = (np.arange(256) / 255.0) ** gamma * 255.0
    planes = [_lookup(pixels[..., i], curve * gain) for i, gain in enumerate(gains)]
    return np.stack(planes, axis=-1)


def _lookup(pixels: RGBImage, curve: NDArray[np.floating]) -> RGBImage:
    table = _to_uint8(curve)
    return np.take(table, pixels)


def _to_uint8(values: NDArray[np.floating]) -> RGBImage:
    levels: RGBImage = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return levels
