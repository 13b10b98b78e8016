"""SVG is never drawn here; only its XMP packet and C2PA manifest are looked for."""

from __future__ import annotations

import base64

from authentiscan.images.walk.record import MAX_BLOCK, Walk


def sniff(head: bytes) -> bool:
    """Whether an ``<svg`` tag stands near the start of an XML text."""
    return b"<svg" in head and head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")


def walk(into: Walk) -> None:
    """Find an ``<x:xmpmeta>`` packet and a ``<c2pa:manifest>`` element by their tags."""
    text = bytes(into.data[:MAX_BLOCK])
    if len(into.data) > MAX_BLOCK:
        into.problem(f"SVG is over {MAX_BLOCK // 2**20} MB, the rest was not read")
    elif b"</svg" not in text and b"/>" not in text[-16:]:
        into.problem("SVG ends before its closing tag")
    start = text.find(b"<x:xmpmeta")
    end = text.find(b"</x:xmpmeta>", start)
    if 0 <= start < end:
        into.keep("xmp", text[start : end + len(b"</x:xmpmeta>")], "SVG element")
    elif start >= 0:
        into.problem("XMP packet is cut short")
    _manifest(text, into)


def _manifest(text: bytes, into: Walk) -> None:
    start = text.find(b"<c2pa:manifest")
    if start < 0:
        return
    content = text[text.find(b">", start) + 1 : max(start, text.find(b"</c2pa:manifest>", start))]
    head = b"".join(content[:64].split())[:16]
    try:
        held = base64.b64decode(head)[4:8] == b"jumb"
    except ValueError:
        held = False
    if held:
        into.keep("c2pa", content, "SVG element")
    else:
        into.problem("a C2PA element holds no manifest")
