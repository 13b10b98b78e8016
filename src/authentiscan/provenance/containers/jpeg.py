"""JPEG: APP1 (EXIF, XMP and its extension), APP11 (JUMBF), APP13 (Photoshop, IPTC), comments."""

from __future__ import annotations

from authentiscan.provenance.containers.record import MAX_BLOCK, Collector, number, photoshop

_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_XMP_MORE = b"http://ns.adobe.com/xmp/extension/\0"
_PHOTOSHOP = b"Photoshop 3.0\0"
_SIZES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_BARE = {0x01, *range(0xD0, 0xD8)}


def sniff(data: bytes) -> str | None:
    """``JPEG`` by its first marker."""
    return "JPEG" if data.startswith(b"\xff\xd8") else None


def walk(data: bytes, into: Collector) -> None:
    """Step through the segments up to the first scan, where the pixels begin."""
    view = memoryview(data)
    more: dict[bytes, dict[int, bytes]] = {}
    at = 2
    while at + 4 <= len(view):
        into.step()
        if view[at] != 0xFF:
            raise ValueError("no marker where one must stand")
        code = view[at + 1]
        if code == 0xFF:  # fill byte
            at += 1
            continue
        if code in _BARE:
            at += 2
            continue
        if code in (0xDA, 0xD9):
            break
        size = number(view, at + 2, 2)
        content = view[at + 4 : at + 2 + size]
        if size < 2 or len(content) < size - 2:
            into.problem("JPEG segment is cut off")
        _segment(code, content, into, more)
        at += 2 + max(size, 2)
    else:
        into.problem("JPEG ends before its first scan")
    for parts in more.values():
        into.xmp(b"".join(parts[offset] for offset in sorted(parts)))


def _segment(
    code: int, content: memoryview, into: Collector, more: dict[bytes, dict[int, bytes]]
) -> None:
    if code == 0xFE:
        into.text("comment", bytes(content).decode("utf-8", errors="replace"), "JPEG comment")
    elif code in _SIZES:
        into.height, into.width = number(content, 1, 2), number(content, 3, 2)
    elif code == 0xEB and bytes(content[:2]) == b"JP":
        into.c2pa(len(content))
    elif code == 0xED and bytes(content[: len(_PHOTOSHOP)]) == _PHOTOSHOP:
        photoshop(content[len(_PHOTOSHOP) :], into)
    elif code == 0xE1:
        _app1(content, into, more)


def _app1(content: memoryview, into: Collector, more: dict[bytes, dict[int, bytes]]) -> None:
    head = bytes(content[:40])
    if head.startswith(b"Exif\0"):
        into.exif(content[6:])
    elif head.startswith(_XMP):
        into.xmp(content[len(_XMP) :])
    elif head.startswith(_XMP_MORE):
        # 32 bytes of digest, then the full length and this part's offset.
        body = content[len(_XMP_MORE) :]
        offset = number(body, 36, 4)
        if number(body, 32, 4) > MAX_BLOCK:
            into.problem("extended XMP is too large and was not read")
            return
        more.setdefault(bytes(body[:32]), {})[offset] = bytes(body[40:])
