"""GIF: comments and the XMP and C2PA application extensions."""

from __future__ import annotations

from authentiscan.provenance.containers.record import MAX_BLOCK, Collector, number


def sniff(data: bytes) -> str | None:
    """``GIF`` by its signature."""
    return "GIF" if data[:6] in (b"GIF87a", b"GIF89a") else None


def walk(data: bytes, into: Collector) -> None:
    """Step through the blocks up to the trailer."""
    view = memoryview(data)
    into.width, into.height = number(view, 6, 2, "little"), number(view, 8, 2, "little")
    at = 13 + _table(number(view, 10, 1))
    while at < len(view):
        into.step()
        mark = view[at]
        if mark == 0x3B:
            return
        if mark == 0x2C:
            at += 10 + _table(number(view, at + 9, 1)) + 1
            at = _skip(view, at)
        elif mark == 0x21:
            at = _extension(view, at, into)
        else:
            raise ValueError("no block where one must stand")
    into.problem("GIF ends before its trailer")


def _table(flags: int) -> int:
    """Bytes of the colour table that ``flags`` announce."""
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _skip(view: memoryview, at: int) -> int:
    while True:
        size = number(view, at, 1)
        at += 1 + size
        if size == 0:
            return at


def _extension(view: memoryview, at: int, into: Collector) -> int:
    kind, start = number(view, at + 1, 1), at + 2
    end = _skip(view, start)
    if kind == 0xFE:
        into.text("comment", _joined(view, start).decode("utf-8", errors="replace"), "GIF comment")
    elif kind == 0xFF:
        name = bytes(view[start + 1 : start + 12])
        if name == b"XMP DataXMP":
            # Stored raw, not in sub-blocks, and ended by a 258-byte trailer.
            into.xmp(view[start + 12 : max(start + 12, end - 258)])
        elif name.startswith(b"C2PA_GIF"):
            into.c2pa(end - start)
    return end


def _joined(view: memoryview, at: int) -> bytes:
    parts, total = [], 0
    while (size := number(view, at, 1)) and total < MAX_BLOCK:
        parts.append(bytes(view[at + 1 : at + 1 + size]))
        total += size
        at += 1 + size
    return b"".join(parts)
