"""What a TIFF's directories say: size, number of images, and what their tags claim to hold."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from authentiscan.core.errors import CorruptImageError, ImageLimitError, UnsupportedFormatError

_NEW_SUBFILE, _WIDTH, _HEIGHT, _TILE_WIDTH, _TILE_HEIGHT, _DNG = 254, 256, 257, 322, 323, 50706
_LAYOUT = frozenset({273, 279, 288, 289, 324, 325})  # where strips and tiles lie: not metadata
_TYPE_SIZES = (0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8)
_INTEGER_CODES = {1: "B", 3: "H", 4: "I", 16: "Q"}


@dataclass(slots=True)
class TiffHeader:
    """Width and height of the first image, the number of images, bytes its other tags claim."""

    width: int = 0
    height: int = 0
    frames: int = 0
    metadata: int = 0


@dataclass(frozen=True, slots=True)
class _Layout:
    """How directories are written: byte order and field widths of classic TIFF or BigTIFF."""

    order: str
    big: bool

    def number(self, data: bytes, at: int, code: str) -> int:
        size = struct.calcsize(self.order + code)
        value: int = struct.unpack(self.order + code, data[at : at + size])[0]
        return value


def read_header(data: bytes, frame_limit: int) -> TiffHeader:
    """Follow the chain of directories, at most one beyond ``frame_limit``; loops end it.

    Raises CorruptImageError where the first directory is missing, UnsupportedFormatError for camera
    raw files (their first image is a preview), ImageLimitError for tiles far larger than the image.
    May raise struct.error on a directory cut short.
    """
    layout = _Layout("<" if data[:2] == b"II" else ">", data[2:4] in (b"+\0", b"\0+"))
    start = layout.number(data, 8, "Q") if layout.big else layout.number(data, 4, "I")
    if start + 8 > len(data):
        raise CorruptImageError("TIFF whose first directory lies beyond its end: truncated")
    header = TiffHeader()
    seen: set[int] = set()
    while start and start not in seen and start + 8 <= len(data) and header.frames <= frame_limit:
        seen.add(start)
        if header.frames == 0:
            _first(header, _tags(data, start, layout))
        header.frames += 1
        start = _next(data, start, layout)
    return header


def _first(header: TiffHeader, tags: dict[int, tuple[int, int]]) -> None:
    values = {tag: value for tag, (value, _) in tags.items()}
    if values.get(_NEW_SUBFILE, 0) & 1 or _DNG in values:
        raise UnsupportedFormatError(
            "a camera raw file (its first TIFF image is only a preview); "
            "export it as JPEG, PNG or TIFF first"
        )
    header.width, header.height = values.get(_WIDTH, 0), values.get(_HEIGHT, 0)
    header.metadata = sum(size for tag, (_, size) in tags.items() if tag not in _LAYOUT)
    tile = values.get(_TILE_WIDTH, 0) * values.get(_TILE_HEIGHT, 0)
    if tile > max(4 * header.width * header.height, 1 << 24):
        raise ImageLimitError(
            f"TIFF with tiles of {tile:,} pixels for an image of {header.width}x{header.height}"
        )


def _tags(data: bytes, start: int, layout: _Layout) -> dict[int, tuple[int, int]]:
    """Of each tag its first value (0 unless it is one integer) and the bytes it claims."""
    tags: dict[int, tuple[int, int]] = {}
    wide = layout.big
    count, first = _count(data, start, layout)
    for number in range(count):
        at = first + (20 if wide else 12) * number
        tag, kind = layout.number(data, at, "H"), layout.number(data, at + 2, "H")
        items = layout.number(data, at + 4, "Q" if wide else "I")
        size = _TYPE_SIZES[kind] * items if kind < len(_TYPE_SIZES) else 0
        one = items == 1 and kind in _INTEGER_CODES
        value = layout.number(data, at + (12 if wide else 8), _INTEGER_CODES[kind]) if one else 0
        tags.setdefault(tag, (value, size))
    return tags


def _next(data: bytes, start: int, layout: _Layout) -> int:
    count, first = _count(data, start, layout)
    at = first + (20 if layout.big else 12) * count
    if at + (8 if layout.big else 4) > len(data):
        return 0
    return layout.number(data, at, "Q" if layout.big else "I")


def _count(data: bytes, start: int, layout: _Layout) -> tuple[int, int]:
    """Number of entries, and where the first lies."""
    if layout.big:
        return min(layout.number(data, start, "Q"), 65_535), start + 8
    return layout.number(data, start, "H"), start + 2
