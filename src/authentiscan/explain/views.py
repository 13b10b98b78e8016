"""Views of pixels an analyst looks at beside a verdict: residual, spectrum, error level.

They show structure; none of them is evidence by itself.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from authentiscan.core.errors import UsageError
from authentiscan.core.types import RGBImage
from authentiscan.images.decode import decode, encode

_LUMA = np.asarray([0.299, 0.587, 0.114], np.float32)


def luma(image: RGBImage) -> NDArray[np.float32]:
    """Brightness (H, W) float32, 0..255, ITU-R BT.601 weights."""
    return np.asarray(image.astype(np.float32) @ _LUMA, dtype=np.float32)


def residual(image: RGBImage, *, gain: float = 16.0) -> RGBImage:
    """Each pixel minus the mean of its 3x3 neighbourhood, times ``gain``, around grey 128."""
    values = image.astype(np.float32)
    padded = np.pad(values, ((1, 1), (1, 1), (0, 0)), mode="edge")
    height, width = values.shape[:2]
    mean = np.zeros_like(values)
    for down in range(3):
        for right in range(3):
            mean += padded[down : down + height, right : right + width]
    return np.clip(np.rint(128 + gain * (values - mean / 9)), 0, 255).astype(np.uint8)


def spectrum(image: RGBImage) -> NDArray[np.float32]:
    """Log magnitude of the brightness's Fourier transform, (H, W) float32 in [0, 1], centre 0 Hz.

    A Hann window keeps the frame's edges from drawing a cross; values run from the median (0) to
    the 99.9th percentile (1). Upsampling by generators shows as bright dots on a regular grid, but
    so do JPEG blocks (at multiples of 1/8) and printed patterns.
    """
    bright = luma(image)
    bright -= bright.mean()
    window = np.outer(np.hanning(bright.shape[0]), np.hanning(bright.shape[1]))
    magnitude = np.log1p(np.abs(np.fft.fftshift(np.fft.fft2(bright * window))))
    low, high = np.percentile(magnitude, [50, 99.9])
    if high - low < 1e-6:
        return np.zeros(bright.shape, np.float32)
    return np.asarray(np.clip((magnitude - low) / (high - low), 0, 1), dtype=np.float32)


def error_level(image: RGBImage, *, quality: int = 90, gain: float = 15.0) -> RGBImage:
    """Absolute change of each pixel when saved again as JPEG of ``quality``, times ``gain``.

    Regions with another compression history than their neighbours stand out; so do edges and
    texture in every untouched picture. Krawetz, *A Picture's Worth*, 2007.
    """
    if not 1 <= quality <= 100:
        raise UsageError(f"JPEG quality {quality} is not in 1..100")
    again = decode(encode(image, "JPEG", quality=quality)).pixels
    change = np.abs(image.astype(np.int16) - again.astype(np.int16))
    return np.clip(gain * change, 0, 255).astype(np.uint8)
