"""What a JPEG's markers say: size, quality, subsampling, profile; and a faster decoder for it.

Only the headers are read here, in pure Python and within bounds, before any decoder sees the bytes.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from authentiscan.core.errors import CorruptImageError, ImageLimitError
from authentiscan.core.types import RGBImage

MAX_SEGMENTS = 20_000
MAX_SCANS = 100  # a progressive file has about ten; thousands are a way to burn processor time

_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_BARE_MARKERS = frozenset(range(0xD0, 0xD9)) | {0x01}
_AFTER_SCAN = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")

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
    metadata: bytes in application segments and comments.
    images: images that the multi-picture index announces; 1 without an index.
    adobe_transform: of the Adobe segment, None without one.
    """

    width: int = 0
    height: int = 0
    precision: int = 0
    frame_marker: int = 0
    components: list[tuple[int, int, int, int]] = field(default_factory=list)
    tables: dict[int, tuple[int, ...]] = field(default_factory=dict)
    metadata: int = 0
    images: int = 1
    adobe_transform: int | None = None
    scans: int = 0
    icc: dict[int, bytes] = field(default_factory=dict)
    exif: bytes = b""

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

    @property
    def profile(self) -> bytes:
        """The embedded ICC profile, joined from its segments."""
        return b"".join(part for _, part in sorted(self.icc.items()))


def read_header(data: bytes) -> JpegHeader:
    """Walk the markers of ``data``, from the start to the end-of-image marker.

    Raises CorruptImageError where there is no frame header, ImageLimitError where there are
    absurdly many segments or scans. A file cut short later passes: the decoder judges that.
    """
    header = JpegHeader()
    position, segments = 2, 0
    while position + 4 <= len(data):
        if data[position] != 0xFF:
            position += 1
            found = _AFTER_SCAN.search(data, position)
            if found is None:
                break
            position = found.start()
            continue
        marker = data[position + 1]
        if marker == 0xFF:
            position += 1
            continue
        if marker in _BARE_MARKERS or marker == 0:
            position += 2
            continue
        if marker == 0xD9:
            break
        length = max(2, int.from_bytes(data[position + 2 : position + 4], "big"))
        segments += 1
        if segments > MAX_SEGMENTS:
            raise ImageLimitError(f"JPEG with more than {MAX_SEGMENTS:,} segments")
        _segment(header, marker, data[position + 4 : position + 2 + length])
        position += 2 + length
        if marker == 0xDA:
            found = _AFTER_SCAN.search(data, position)
            position = found.start() if found else len(data)
    if not header.components:
        raise CorruptImageError("JPEG without a frame header: the file is truncated or broken")
    return header


def _segment(header: JpegHeader, marker: int, body: bytes) -> None:
    if marker in _FRAME_MARKERS and not header.components and len(body) >= 6:
        header.frame_marker = marker
        header.precision, header.height, header.width, count = struct.unpack(">BHHB", body[:6])
        header.components = [
            (body[at], body[at + 1] >> 4, body[at + 1] & 15, body[at + 2])
            for at in range(6, min(len(body) - 2, 6 + 3 * count), 3)
        ]
    elif marker == 0xDB and header.scans == 0:
        _quantisation(header, body)
    elif marker == 0xDA:
        header.scans += 1
        if header.scans > MAX_SCANS:
            raise ImageLimitError(
                f"JPEG with more than {MAX_SCANS} scans; photographs have about ten"
            )
    elif 0xE0 <= marker <= 0xEF or marker == 0xFE:
        header.metadata += len(body)
        if marker == 0xE1 and body.startswith(b"Exif\0\0"):
            header.exif = header.exif + body[6:] if header.exif else body
        elif marker == 0xE2 and body.startswith(b"ICC_PROFILE\0") and len(body) > 14:
            header.icc.setdefault(body[12], body[14:])
        elif marker == 0xE2 and body.startswith(b"MPF\0"):
            header.images = max(1, _pictures(body[4:]))
        elif marker == 0xEE and body.startswith(b"Adobe") and len(body) >= 12:
            header.adobe_transform = body[11]


def _quantisation(header: JpegHeader, body: bytes) -> None:
    at = 0
    while at < len(body):
        wide, number = body[at] >> 4, body[at] & 15
        size = 128 if wide else 64
        steps = body[at + 1 : at + 1 + size]
        if len(steps) < size:
            return
        header.tables[number] = struct.unpack(">64H" if wide else ">64B", steps)
        at += 1 + size


def _pictures(index: bytes) -> int:
    """NumberOfImages of a CIPA multi-picture index; 0 where it cannot be read."""
    order = {b"II": "<", b"MM": ">"}.get(index[:2])
    if order is None or len(index) < 10:
        return 0
    start: int = struct.unpack(order + "I", index[4:8])[0]
    if start + 2 > len(index):
        return 0
    entries: int = struct.unpack(order + "H", index[start : start + 2])[0]
    for entry in range(min(entries, 64)):
        raw = index[start + 2 + 12 * entry : start + 14 + 12 * entry]
        if len(raw) == 12:
            tag, _, _, value = struct.unpack(order + "HHII", raw)
            if tag == 0xB001:
                return int(value)
    return 0


def decode_fast(data: bytes, header: JpegHeader) -> RGBImage | None:
    """Pixels (H, W, 3) by simplejpeg (the ``fast`` extra), bit-equal to Pillow's.

    None where it may not or cannot be used, so that Pillow decides. It may be for 8-bit baseline
    and progressive, grey or YCbCr with the common subsamplings: there both libraries run the same
    libjpeg-turbo code. Strict: any warning of the decoder hands over to Pillow.
    """
    identifiers = tuple(identifier for identifier, *_ in header.components)
    if (
        header.precision != 8
        or header.frame_marker not in (0xC0, 0xC2)
        or header.adobe_transform not in (None, 1)
        or header.images > 1
        or header.subsampling not in ("4:4:4", "4:2:2", "4:2:0", "4:0:0")
        or (len(identifiers) == 3 and identifiers not in ((1, 2, 3), (0, 1, 2)))
        or len(identifiers) not in (1, 3)
    ):
        return None
    pixels = _by_simplejpeg(data, "GRAY" if len(identifiers) == 1 else "RGB")
    if pixels is None or pixels.shape[:2] != (header.height, header.width):
        return None
    return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels


def decode_own(data: bytes) -> RGBImage | None:
    """Pixels (H, W, 3) of a colour JPEG by `images.decode.encode`; None without simplejpeg."""
    return _by_simplejpeg(data, "RGB")


def _by_simplejpeg(data: bytes, colours: str) -> RGBImage | None:
    try:
        import simplejpeg
    except ImportError:
        return None
    try:
        pixels: RGBImage = simplejpeg.decode_jpeg(data, colorspace=colours, strict=True)
    except (ValueError, RuntimeError, MemoryError):
        return None
    return pixels
