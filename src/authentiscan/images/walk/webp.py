"""WebP: size, frames and the RIFF chunks with profile, EXIF, XMP and C2PA."""

from __future__ import annotations

from authentiscan.core.errors import CorruptImageError, ImageLimitError
from authentiscan.images.walk.record import MAX_PARTS, Kind, Walk, number

_KINDS: dict[bytes, Kind] = {b"ICCP": "icc", b"EXIF": "exif", b"XMP ": "xmp", b"C2PA": "c2pa"}


def walk(into: Walk) -> None:
    """Step through the chunks.

    Raises CorruptImageError without a header, ImageLimitError for absurdly many chunks.
    """
    data, at, frames = into.data, 12, 0
    for _ in range(MAX_PARTS):
        if at + 8 > len(data):
            break
        name, size = bytes(data[at : at + 4]), number(data, at + 4, 4, "little")
        content = data[at + 8 : at + 8 + size]
        if len(content) < size:
            into.problem(f"WebP chunk {name.decode('latin-1')!r} is cut off")
        if at == 12:
            _size(name, data[20:30], into)
        frames += name == b"ANMF"
        if name in _KINDS:
            into.metadata += size
            into.keep(_KINDS[name], content, f"WebP chunk {name.decode()!r}")
        at += 8 + size + size % 2
    else:
        raise ImageLimitError(f"WebP with more than {MAX_PARTS:,} chunks")
    into.frames = max(1, frames)
    if number(data, 4, 4, "little") > len(data) - 8:
        into.problem("WebP ends before the length that it states")
    if not into.width:
        raise CorruptImageError("WebP with a truncated header")


def _size(name: bytes, body: memoryview, into: Walk) -> None:
    if len(body) < 10:
        return
    if name == b"VP8X":
        into.width, into.height = 1 + number(body, 4, 3, "little"), 1 + number(body, 7, 3, "little")
    elif name == b"VP8L":
        bits = number(body, 1, 4, "little")
        into.width, into.height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    else:
        into.width = number(body, 6, 2, "little") & 0x3FFF
        into.height = number(body, 8, 2, "little") & 0x3FFF
