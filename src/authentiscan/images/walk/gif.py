"""GIF: canvas, frames, comments and the XMP and C2PA application extensions."""

from __future__ import annotations

from authentiscan.images.walk.record import MAX_BLOCK, MAX_PARTS, Walk, number


def walk(into: Walk) -> None:
    """Step through the blocks up to the trailer. Raises ValueError where the header is cut off."""
    data, frames = into.data, 0
    into.width, into.height = number(data, 6, 2, "little"), number(data, 8, 2, "little")
    at = 13 + _table(number(data, 10, 1))
    for _ in range(MAX_PARTS):
        mark = data[at] if at < len(data) else None
        if mark is None:
            into.problem("GIF ends before its trailer")
        elif mark == 0x2C and at + 10 <= len(data):
            if not frames:
                _canvas(data, at, into)
            frames += 1
            at = _skip(data, at + 11 + _table(data[at + 9]))
            continue
        elif mark == 0x21:
            end = _skip(data, at + 2)
            into.metadata += end - at - 2
            _extension(data[at:end], into)
            at = end
            continue
        elif mark != 0x3B:
            into.problem("GIF structure broken: no block where one must stand")
        break
    into.frames = max(1, frames)


def _canvas(data: memoryview, at: int, into: Walk) -> None:
    """Pillow enlarges the canvas to what the first frame needs."""
    left, top, width, height = (number(data, at + i, 2, "little") for i in (1, 3, 5, 7))
    into.width, into.height = max(into.width, left + width), max(into.height, top + height)


def _table(flags: int) -> int:
    """Bytes of the colour table that ``flags`` announce."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _skip(data: memoryview, at: int) -> int:
    """Where the sub-blocks from ``at`` on end; at most the end of ``data``."""
    while at < len(data) and data[at]:
        at += 1 + data[at]
    return min(at + 1, len(data))


def _extension(block: memoryview, into: Walk) -> None:
    kind, name = bytes(block[1:2]), bytes(block[3:14])
    if kind == b"\xfe":
        into.keep("text", _joined(block), "GIF comment", "comment")
    elif kind == b"\xff" and name == b"XMP DataXMP":
        # Stored raw, not in sub-blocks, and ended by a 258-byte trailer.
        into.keep("xmp", block[14 : max(14, len(block) - 258)], "GIF extension")
    elif kind == b"\xff" and name.startswith(b"C2PA_GIF"):
        into.keep("c2pa", block[2:], "GIF extension")


def _joined(block: memoryview) -> bytes:
    parts, at, total = [], 2, 0
    while at < len(block) and block[at] and total < MAX_BLOCK:
        parts.append(bytes(block[at + 1 : at + 1 + block[at]]))
        total += block[at]
        at += 1 + block[at]
    return b"".join(parts)
