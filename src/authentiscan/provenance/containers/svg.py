"""SVG is never drawn here; only its XMP packet and C2PA manifest are looked for."""

from __future__ import annotations

import base64

from authentiscan.provenance.containers.record import MAX_BLOCK, Collector


def sniff(data: bytes) -> str | None:
    """``SVG`` by an ``<svg`` tag near the start of an XML text."""
    head = data[:4096].lstrip(b"\xef\xbb\xbf \t\r\n")
    return "SVG" if head.startswith(b"<") and b"<svg" in head else None


def walk(data: bytes, into: Collector) -> None:
    """Find an ``<x:xmpmeta>`` packet and a ``<c2pa:manifest>`` element by their tags."""
    text = data[:MAX_BLOCK]
    start = text.find(b"<x:xmpmeta")
    end = text.find(b"</x:xmpmeta>", start)
    if 0 <= start < end:
        into.xmp(text[start : end + len(b"</x:xmpmeta>")])
    _manifest(text, into)


def _manifest(text: bytes, into: Collector) -> None:
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
        into.c2pa(len(content))
    else:
        into.problem("a C2PA element holds no manifest")
