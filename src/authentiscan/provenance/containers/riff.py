"""WebP: the RIFF chunks EXIF, XMP and C2PA."""

from __future__ import annotations

from authentiscan.provenance.containers.record import Collector, number


def sniff(data: bytes) -> str | None:
    """``WEBP`` by its RIFF header."""
    return "WEBP" if data.startswith(b"RIFF") and data[8:12] == b"WEBP" else None


def walk(data: bytes, into: Collector) -> None:
    """Step through the chunks."""
    view = memoryview(data)
    at = 12
    while at + 8 <= len(view):
        into.step()
        name, size = bytes(view[at : at + 4]), number(view, at + 4, 4, "little")
        content = view[at + 8 : at + 8 + size]
        if len(content) < size:
            into.problem(f"WebP chunk {name.decode('latin-1')!r} is cut off")
        if name == b"EXIF":
            into.exif(content)
        elif name == b"XMP ":
            into.xmp(content)
        elif name == b"C2PA":
            into.c2pa(len(content))
        elif name == b"VP8X" and size >= 10:
            into.width = 1 + number(content, 4, 3, "little")
            into.height = 1 + number(content, 7, 3, "little")
        at += 8 + size + size % 2
