"""Fingerprint pictures: the mean residual of a generator's images, and its spectrum.

Marra et al., *Do GANs Leave Artificial Fingerprints?*, MIPR 2019: content averages out, and what a
generator leaves in every image stays. A grid of dots in the spectrum comes from upsampling.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from authentiscan.core.errors import MissingExtraError
from authentiscan.core.types import RGBImage

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Plane: TypeAlias = NDArray[np.float32]
Residual: TypeAlias = Callable[[RGBImage], Plane]
"""Gives the residual (S, S, 3) of pixels (S, S, 3) uint8."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """residual: mean (S, S, 3). spectrum: (S, S) mean magnitude of the residuals' Fourier
    transforms, in decibels, frequency 0 in the middle. images: how many were averaged.
    """

    residual: Plane
    spectrum: Plane
    images: int


def denoised_residual(pixels: RGBImage) -> Plane:
    """Pixels minus their 3 x 3 median, a plain stand-in where no network extracts residuals."""
    wide = np.pad(pixels, ((1, 1), (1, 1), (0, 0)), mode="edge")
    height, width = pixels.shape[:2]
    around = [wide[y : y + height, x : x + width] for y in range(3) for x in range(3)]
    median = np.median(np.stack(around), axis=0)
    return np.asarray(pixels - median, dtype=np.float32)


def fingerprint(crops: Sequence[RGBImage], residual: Residual = denoised_residual) -> Fingerprint:
    """The fingerprint of images by one generator, from crops (S, S, 3) of equal size."""
    total: NDArray[np.float64] | None = None
    power: NDArray[np.float64] | None = None
    for pixels in crops:
        found = residual(pixels).astype(np.float64)
        grey = found.mean(axis=2)
        magnitude = np.abs(np.fft.fft2(grey - grey.mean()))
        total = found if total is None else total + found
        power = magnitude if power is None else power + magnitude
    if total is None or power is None:
        raise ValueError("a fingerprint needs one image or more")
    spectrum = 20 * np.log10(np.fft.fftshift(power / len(crops)) + 1e-6)
    return Fingerprint(
        (total / len(crops)).astype(np.float32), spectrum.astype(np.float32), len(crops)
    )


def picture(fingerprints: Mapping[str, Fingerprint]) -> Figure:
    """Two pictures a generator: mean residual, strengthened until it can be seen, and spectrum."""
    try:
        from matplotlib.figure import Figure as Canvas
    except ImportError as error:
        raise MissingExtraError("pictures of fingerprints", "data") from error
    pairs = min(3, len(fingerprints))
    lines = -(-len(fingerprints) // pairs)
    figure = Canvas(figsize=(3.9 * pairs, 2.25 * lines), layout="constrained")
    axes = np.atleast_1d(figure.subplots(lines, 2 * pairs, squeeze=False).ravel())
    for place in axes:
        place.set_axis_off()
    for number, (name, found) in enumerate(fingerprints.items()):
        left, right = axes[2 * number], axes[2 * number + 1]
        left.imshow(_visible(found.residual), interpolation="nearest")
        left.set_title(f"{name} ({found.images})".replace("$", r"\$"), fontsize=8, loc="left")
        low, high = np.percentile(found.spectrum, [5, 99.8])
        right.imshow(found.spectrum, cmap="magma", vmin=low, vmax=high, interpolation="nearest")
    return figure


def _visible(residual: Plane) -> RGBImage:
    """The residual with 3 standard deviations from black to white, 0 in the middle."""
    centred = residual - residual.mean(axis=(0, 1))
    scale = 3 * float(centred.std()) + 1e-9
    made: RGBImage = (np.clip(centred / scale, -1, 1) * 127.5 + 127.5).astype(np.uint8)
    return made
