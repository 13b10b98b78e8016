"""One encoding history for both classes: which images lack a JPEG generation, and which to give.

An image stored losslessly has been compressed once less than a photograph, and a detector reads
that. Training and evaluation give such images a first JPEG generation drawn from those that the
other images carry. Which those are in a manifest, `authentiscan.manifest.history` tells.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from authentiscan.core.types import ImageFacts, RGBImage
from authentiscan.images import degrade
from authentiscan.images.walk.jpeg import read_header
from authentiscan.images.walk.jpeg_header import JpegHeader

NEARLY_LOSSLESS = 97
"""JPEG quality from which an image counts as stored without a JPEG generation of its own."""

FEWEST = 20
"""JPEG images below that quality that it takes to draw from them and not from the usual ones."""

Setting: TypeAlias = tuple[int, str]
"""JPEG quality 1..100 and chroma subsampling, such as ``4:2:0``."""

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
    """The JPEG qualities and subsamplings seen in a set of images, with how often.

    ``settings`` are sorted, of quality 1..96, and ``counts`` belong to them. Both classes' JPEGs
    count, so the drawn generation is one that either class may have.
    """

    settings: tuple[Setting, ...] = _USUAL
    counts: tuple[int, ...] = (1,) * len(_USUAL)

    @classmethod
    def observe(cls, images: Iterable[tuple[int | None, str | None]]) -> JpegHistory:
        """The history of images with these qualities (1..100) and subsamplings, None for no JPEG.

        The usual qualities of the web where fewer than `FEWEST` images have one below 97.
        """
        seen = Counter(
            (quality, subsampling if subsampling in _KNOWN else "4:2:0")
            for quality, subsampling in images
            if quality is not None and quality < NEARLY_LOSSLESS
        )
        if seen.total() < FEWEST:
            return cls()
        return cls._of(seen)

    @classmethod
    def _of(cls, seen: Counter[Setting]) -> JpegHistory:
        ordered = sorted(seen.items())
        return cls(tuple(s for s, _ in ordered), tuple(n for _, n in ordered))

    def condensed(self, most: int = 101) -> JpegHistory:
        """The same mix from at most ``most`` images, evenly spaced in the order of the settings."""
        total = sum(self.counts)
        places = np.unique(np.linspace(0, total - 1, most).round().astype(int))
        which = np.searchsorted(np.cumsum(self.counts), places, side="right")
        return self._of(Counter(self.settings[i] for i in which.tolist()))

    def listed(self) -> tuple[Setting, ...]:
        """Every setting as often as it was seen, sorted."""
        return tuple(s for s, n in zip(self.settings, self.counts, strict=True) for _ in range(n))

    def draw(self, rng: np.random.Generator) -> Setting:
        """Quality and subsampling of one first generation."""
        ends = np.cumsum(self.counts)
        return self.settings[int(np.searchsorted(ends, rng.integers(ends[-1]), side="right"))]

    def apply(self, pixels: RGBImage, rng: np.random.Generator) -> RGBImage:
        """``pixels`` (H, W, 3) uint8 after one drawn JPEG generation."""
        quality, subsampling = self.draw(rng)
        return degrade.get("jpeg").apply(pixels, quality=quality, subsampling=subsampling)


_KNOWN = ("4:4:4", "4:2:2", "4:2:0")
