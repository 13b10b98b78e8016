"""One encoding history for both classes: which images lack a JPEG generation, and which to give.

An image stored losslessly has been compressed once less than a photograph, and a detector reads
that. Training and evaluation give such images a first JPEG generation drawn from those that the
other images carry.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from authentiscan.core.types import ImageFacts, RGBImage
from authentiscan.images import degrade
from authentiscan.images.jpeg import JpegHeader, read_header

NEARLY_LOSSLESS = 97
"""JPEG quality from which an image counts as stored without a JPEG generation of its own."""

_MEAN_STEP_97 = 4.0  # mean luminance step of libjpeg's tables at quality 97 is 3.6, at 96 4.6
_LOSSLESS_FORMATS = frozenset({"PNG", "BMP", "TIFF", "GIF", "PPM"})
_USUAL = tuple((quality, "4:2:0") for quality in (75, 80, 85, 90, 92, 95))


def needs_history(encoded: bytes, facts: ImageFacts) -> bool:
    """Whether the file carries no JPEG generation: stored losslessly or at quality 97 and above.

    Tables that are not libjpeg's count by their mean luminance step. Lossy WebP, AVIF and HEIC
    count as compressed.
    """
    if facts.format in ("JPEG", "MPO"):
        if facts.jpeg_quality is None:
            return _fine_tables(read_header(encoded))
        return facts.jpeg_quality >= NEARLY_LOSSLESS
    if facts.format == "WEBP":
        # The lossless bitstream has its own chunk name; it comes first or after the VP8X header.
        return b"VP8L" in encoded[12:4096] and b"VP8 " not in encoded[12:64]
    return facts.format in _LOSSLESS_FORMATS


def _fine_tables(header: JpegHeader) -> bool:
    table = header.tables.get(header.components[0][3])
    return table is not None and sum(table) / len(table) < _MEAN_STEP_97


@dataclass(frozen=True)
class JpegHistory:
    """The JPEG qualities and subsamplings seen in a training set, with how often.

    ``settings`` are (quality 1..96, subsampling) and ``counts`` belong to them. Both classes' JPEGs
    count, so the drawn generation is one that either class may have.
    """

    settings: tuple[tuple[int, str], ...] = _USUAL
    counts: tuple[int, ...] = (1,) * len(_USUAL)

    @classmethod
    def observe(cls, images: Iterable[tuple[int | None, str | None]]) -> JpegHistory:
        """The history of images with these qualities (1..100) and subsamplings, None for no JPEG.

        Usual web qualities where no image has one below 97.
        """
        seen = Counter(
            (quality, subsampling if subsampling in _KNOWN else "4:2:0")
            for quality, subsampling in images
            if quality is not None and quality < NEARLY_LOSSLESS
        )
        if not seen:
            return cls()
        ordered = sorted(seen.items())
        return cls(tuple(s for s, _ in ordered), tuple(n for _, n in ordered))

    def draw(self, rng: np.random.Generator) -> tuple[int, str]:
        """Quality and subsampling of one first generation."""
        ends = np.cumsum(self.counts)
        return self.settings[int(np.searchsorted(ends, rng.integers(ends[-1]), side="right"))]

    def apply(self, pixels: RGBImage, rng: np.random.Generator) -> RGBImage:
        """``pixels`` (H, W, 3) uint8 after one drawn JPEG generation."""
        quality, subsampling = self.draw(rng)
        return degrade.get("jpeg").apply(pixels, quality=quality, subsampling=subsampling)


_KNOWN = ("4:4:4", "4:2:2", "4:2:0")
