"""PNG: text chunks, eXIf, caBX (C2PA).

Text after the pixel data is read too, as some programs write it there.
"""

from __future__ import annotations

from authentiscan.provenance.containers.record import Collector, inflate, number

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def sniff(data: bytes) -> str | None:
    """``PNG`` by its signature."""
    return "PNG" if data.startswith(SIGNATURE) else None


def walk(data: bytes, into: Collector) -> None:
    """Step through the chunks up to IEND."""
    view = memoryview(data)
    at = len(SIGNATURE)
    while at + 8 <= len(view):
        into.step()
        size = number(view, at, 4)
        name = bytes(view[at + 4 : at + 8])
        content = view[at + 8 : at + 8 + size]
        if len(content) < size:
            into.problem(f"PNG chunk {name.decode('latin-1')!r} is cut off")
        if name == b"IEND":
            return
        _chunk(name, content, into)
        at += 12 + size
    into.problem("PNG ends before its IEND chunk")


def _chunk(name: bytes, content: memoryview, into: Collector) -> None:
    try:
        if name == b"IHDR":
            into.width, into.height = number(content, 0, 4), number(content, 4, 4)
        elif name in (b"tEXt", b"zTXt", b"iTXt"):
            _text(name, bytes(content), into)
        elif name == b"eXIf":
            into.exif(content)
        elif name == b"caBX":
            into.c2pa(len(content))
    except ValueError as error:
        into.problem(f"PNG chunk {name.decode('latin-1')!r}: {error}")


def _text(name: bytes, content: bytes, into: Collector) -> None:
    key, mark, rest = content.partition(b"\0")
    if not mark:
        raise ValueError("has no keyword")
    if name == b"tEXt":
        value = rest
    elif name == b"zTXt":
        value = inflate(rest[1:])
    else:
        packed = rest[:1] == b"\x01"
        value = rest[2:].partition(b"\0")[2].partition(b"\0")[2]
        value = inflate(value) if packed else value
    # The standard says Latin-1 for tEXt; generators write UTF-8 into it all the same.
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        text = value.decode("latin-1")
    _named(key.decode("latin-1"), text, into)


def _named(key: str, text: str, into: Collector) -> None:
    """File a text under what it holds: XMP, a hexadecimal profile of ImageMagick, or plain text."""
    if key == "XML:com.adobe.xmp":
        into.xmp(text.encode())
    elif key.startswith("Raw profile type "):
        kind = key.removeprefix("Raw profile type ").strip().lower()
        content = _profile(text)
        if kind in ("exif", "app1") and content.startswith(b"Exif\0\0"):
            into.exif(content)
        elif kind in ("xmp", "app1"):
            into.xmp(content[content.find(b"<") :])
        elif kind in ("iptc", "8bim"):
            into.iptc(content)
    else:
        into.text(key, text, f"PNG text '{key}'")


def _profile(text: str) -> bytes:
    """The bytes of three lines: name, length, hexadecimal content."""
    lines = text.strip().split("\n", 2)
    if len(lines) < 3:
        raise ValueError("profile text without content")
    return bytes.fromhex("".join(lines[2].split()))
