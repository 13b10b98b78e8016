"""PNG: size, frames, what a decoder needs, and text, EXIF, profile and C2PA chunks.

Text after the pixel data is read too, as some programs write it there.
"""

from __future__ import annotations

from authentiscan.core.errors import CorruptImageError, ImageLimitError
from authentiscan.images.walk.record import MAX_PARTS, Kind, Walk, number

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PIXELS = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
_FRAMES = frozenset({b"CgBI", b"acTL", b"fcTL", b"fdAT"})
_LONGEST_NAME = 4096
_RAW = "raw profile type "
_PROFILES: dict[str, Kind] = {
    "exif": "exif",
    "xmp": "xmp",
    "iptc": "iptc",
    "8bim": "photoshop",
    "app1": "app1",
}


def walk(into: Walk) -> None:
    """Step through the chunks up to IEND.

    Raises CorruptImageError without a header, ImageLimitError for absurdly many chunks.
    """
    data, at, headed = into.data, len(SIGNATURE), False
    for _ in range(MAX_PARTS):
        if at + 8 > len(data):
            into.problem("PNG ends before its IEND chunk")
            break
        size = number(data, at, 4)
        name = bytes(data[at + 4 : at + 8])
        content = data[at + 8 : at + 8 + size]
        if len(content) < size:
            into.problem(f"PNG chunk {_printable(name)} is cut off")
        if name in _PIXELS:
            into.pixels.append(data[at : at + 12 + size])
        elif name not in _FRAMES:
            into.metadata += len(content)
        if name == b"IHDR" and not headed and len(content) >= 8:
            into.width, into.height, headed = number(content, 0, 4), number(content, 4, 4), True
        _chunk(name, content, into)
        if name == b"IEND":
            break
        at += 12 + size
    else:
        raise ImageLimitError(f"PNG with more than {MAX_PARTS:,} chunks")
    if not headed:
        raise CorruptImageError("PNG with a broken or truncated header")


def _chunk(name: bytes, content: memoryview, into: Walk) -> None:
    if name == b"CgBI":
        into.apple = True
    elif name == b"acTL" and len(content) >= 4:
        into.frames = max(1, number(content, 0, 4))
    elif name in (b"tEXt", b"zTXt", b"iTXt"):
        _text(name, content, into)
    elif name == b"eXIf":
        into.keep("exif", content, "PNG chunk 'eXIf'")
    elif name == b"caBX":
        into.keep("c2pa", content, "PNG chunk 'caBX'")
    elif name == b"iCCP":
        start = _end(content, 0) + 1
        into.keep("icc", content[start + 1 :], "PNG chunk 'iCCP'", packed=True)


def _text(name: bytes, content: memoryview, into: Walk) -> None:
    """File a text under what it holds: XMP, a profile of ImageMagick, or plain text."""
    end = _end(content, 0)
    if end == len(content):
        into.problem(f"PNG chunk {_printable(name)} has no keyword")
        return
    key, start, packed = bytes(content[:end]).decode("latin-1"), end + 1, name == b"zTXt"
    if packed:
        start += 1
    elif name == b"iTXt":
        packed = bytes(content[start : start + 1]) == b"\x01"
        start = _end(content, _end(content, start + 2) + 1) + 1  # past language and translation
    where, value = f"PNG text '{key[:100]}'", content[start:]
    profile = _PROFILES.get(key.lower().removeprefix(_RAW).strip())
    if key == "XML:com.adobe.xmp":
        into.keep("xmp", value, where, packed=packed)
    elif profile and key.lower().startswith(_RAW):
        into.keep(profile, value, where, packed=packed, profile=True)
    else:
        into.keep("text", value, where, key, packed=packed)


def _end(content: memoryview, start: int) -> int:
    """Where the next NUL from ``start`` on stands; the end of ``content`` where none is near."""
    found = bytes(content[start : start + _LONGEST_NAME]).find(b"\0")
    return len(content) if found < 0 else start + found


def _printable(name: bytes) -> str:
    return repr(name.decode("latin-1"))
