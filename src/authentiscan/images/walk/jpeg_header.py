"""What a JPEG's markers state: size, sampling, quantisation tables, and the quality in them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

# Annex K of ITU-T T.81, in zigzag order, as libjpeg scales them.
_LUMINANCE = (
    "16 11 12 14 12 10 16 14 13 14 18 17 16 19 24 40 26 24 22 22 24 49 "
    "35 37 29 40 58 51 61 60 57 51 56 55 64 72 92 78 64 68 87 69 55 56 "
    "80 109 81 87 95 98 103 104 103 62 77 113 121 112 100 120 92 101 103 99"
)
_CHROMINANCE = "17 18 18 24 21 24 47 26 26 47 99 66 56 66" + 50 * " 99"


@cache
def _scaled(base: str, quality: int) -> tuple[int, ...]:
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    return tuple(min(255, max(1, (int(step) * percent + 50) // 100)) for step in base.split())


_LUMINANCE_QUALITY = {_scaled(_LUMINANCE, quality): quality for quality in range(1, 101)}


@dataclass(slots=True)
class JpegHeader:
    """What the markers up to the last scan say.

    components: (identifier, horizontal, vertical sampling factor, quantisation table) of each.
    tables: quantisation tables by number, in zigzag order.
    images: images that the multi-picture index announces; 1 without an index.
    adobe_transform: of the Adobe segment, None without one.
    """

    width: int = 0
    height: int = 0
    precision: int = 0
    frame_marker: int = 0
    components: list[tuple[int, int, int, int]] = field(default_factory=list)
    tables: dict[int, tuple[int, ...]] = field(default_factory=dict)
    images: int = 1
    adobe_transform: int | None = None
    scans: int = 0

    @property
    def quality(self) -> int | None:
        """Quality 1..100 at which libjpeg writes these tables; None for any other tables."""
        if not self.components or not self.tables:
            return None
        numbers = [table for *_, table in self.components]
        quality = _LUMINANCE_QUALITY.get(self.tables.get(numbers[0], ()))
        if quality is None or len(numbers) < 3:
            return quality
        chroma = {_scaled(_CHROMINANCE, quality)}
        found = {self.tables.get(number, ()) for number in numbers[1:3]}
        return quality if found == chroma else None

    @property
    def subsampling(self) -> str | None:
        """``4:4:4``, ``4:2:2``, ``4:2:0`` …; ``4:0:0`` for grey, else the factors themselves."""
        factors = [(across, down) for _, across, down, _ in self.components]
        if len(factors) == 1:
            return "4:0:0"
        if len(factors) < 3:
            return None
        names = {
            (1, 1): "4:4:4",
            (2, 1): "4:2:2",
            (2, 2): "4:2:0",
            (4, 1): "4:1:1",
            (1, 2): "4:4:0",
        }
        (across, down), blue, red = factors[:3]
        if blue == red and blue[0] and blue[1] and not (across % blue[0] or down % blue[1]):
            ratio = (across // blue[0], down // blue[1])
            if ratio in names:
                return names[ratio]
        return ",".join(f"{a}x{d}" for a, d in factors)
