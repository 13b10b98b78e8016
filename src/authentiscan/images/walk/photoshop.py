"""Photoshop's image resources (``8BIM``), which hold IPTC, XMP and EXIF in JPEG, TIFF and PNG."""

from __future__ import annotations

from authentiscan.images.walk.record import MAX_PARTS, Kind, Walk, number

MARK = b"8BIM"
_KINDS: dict[int, Kind] = {0x0404: "iptc", 0x0424: "xmp", 0x0422: "exif"}


def resources(block: memoryview, into: Walk) -> None:
    """Keep the metadata among the resources of ``block``."""
    at = 0
    for _ in range(MAX_PARTS):
        if at + 12 > len(block) or block[at : at + 4] != MARK:
            return
        kind = number(block, at + 4, 2)
        at += 6
        at += (1 + block[at] + 1) // 2 * 2  # Pascal string, padded to an even length
        if at + 4 > len(block):
            into.problem("Photoshop resources are cut short")
            return
        size = number(block, at, 4)
        content = block[at + 4 : at + 4 + size]
        if len(content) < size:
            into.problem("Photoshop resources are cut short")
        if kind in _KINDS:
            into.keep(_KINDS[kind], content, "Photoshop resource")
        at += 4 + (size + 1) // 2 * 2
