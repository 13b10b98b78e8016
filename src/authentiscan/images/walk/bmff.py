"""HEIF, AVIF and JPEG XL boxes: Exif and XMP items, uuid boxes, JUMBF.

ISO/IEC 14496-12 (boxes), 23008-12 (items). Size, frames and profile are the decoder's to tell.
"""

from __future__ import annotations

from collections.abc import Iterator

from authentiscan.core.errors import ImageLimitError
from authentiscan.images.walk.record import MAX_BLOCK, MAX_PARTS, Walk, number

_C2PA = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")


def walk(into: Walk) -> None:
    """Step through the top-level boxes. Raises ValueError where they break off."""
    for name, content in _boxes(into.data, into):
        if name == b"meta":
            _meta(content[4:], into)
        elif name == b"uuid" and content[:16] == _C2PA:
            into.keep("c2pa", content, "uuid box")
        elif name == b"uuid" and content[:16] == _XMP:
            into.keep("xmp", content[16:], "uuid box")
        elif name == b"jumb":
            into.keep("c2pa", content, "jumb box")
        elif name == b"Exif":
            _exif(content, "Exif box", into)
        elif name == b"xml ":
            into.keep("xmp", content, "xml box")
        elif name == b"brob":
            held = bytes(content[:4]).decode("latin-1")
            into.problem(f"box {held!r} is Brotli-compressed and was not read")
    into.metadata = sum(len(block.content) for block in into.blocks)


def _boxes(view: memoryview, into: Walk) -> Iterator[tuple[bytes, memoryview]]:
    at = 0
    for _ in range(MAX_PARTS):
        if at + 8 > len(view):
            return
        size, name, head = number(view, at, 4), bytes(view[at + 4 : at + 8]), 8
        if size == 1:
            size, head = number(view, at + 8, 8), 16
        elif size == 0:
            size = len(view) - at
        if size < head or at + size > len(view):
            into.problem(f"box {name.decode('latin-1')!r} is cut off")
            size = max(head, len(view) - at)
        yield name, view[at + head : at + size]
        at += size
    raise ImageLimitError(f"{into.format} with more than {MAX_PARTS:,} boxes")


def _meta(view: memoryview, into: Walk) -> None:
    """Find the items that hold EXIF (type ``Exif``) and XMP (type ``mime``), and where they lie."""
    parts = dict(_boxes(view, into))
    kinds = _item_kinds(parts[b"iinf"], into) if b"iinf" in parts else {}
    wanted = {item: kind for item, kind in kinds.items() if kind in (b"Exif", b"mime")}
    if not wanted or b"iloc" not in parts:
        return
    pieces: dict[int, list[memoryview]] = {}
    for item, start, size, method in _locations(parts[b"iloc"], into):
        if item not in wanted:
            continue
        home = {0: into.data, 1: parts.get(b"idat", memoryview(b""))}.get(method)
        if home is None:
            into.problem(f"item {wanted[item].decode()!r} is stored in a way that is not read")
            continue
        content = home[start : start + size] if size else home[start:]
        if len(content) < size:
            into.problem(f"item {wanted[item].decode()!r} is cut off")
        pieces.setdefault(item, []).append(content)
    room = 4 * MAX_BLOCK  # extents may overlap: what is copied must not outgrow the file
    for item, found in pieces.items():
        content = found[0]
        if len(found) > 1:
            room -= sum(map(len, found))
            if room < 0:
                into.problem(f"item {wanted[item].decode()!r} is too large and was not read")
                continue
            content = memoryview(b"".join(found))
        if wanted[item] == b"Exif":
            _exif(content, "Exif item", into)
        elif b"<" in bytes(content[:64]):
            into.keep("xmp", content, "mime item")


def _item_kinds(view: memoryview, into: Walk) -> dict[int, bytes]:
    """Item type by item number, from ``iinf`` with ``infe`` entries of version 2 or 3."""
    kinds = {}
    for name, entry in _boxes(view[6 if number(view, 0, 1) == 0 else 8 :], into):
        if name == b"infe" and len(entry) >= 12 and entry[0] in (2, 3):
            wide = 4 if entry[0] == 3 else 2
            kinds[number(entry, 4, wide)] = bytes(entry[6 + wide : 10 + wide])
    return kinds


def _locations(view: memoryview, into: Walk) -> Iterator[tuple[int, int, int, int]]:
    """(item, start, size, construction method) of every extent, from ``iloc``."""
    version, sizes, budget = number(view, 0, 1), number(view, 4, 2), MAX_PARTS
    offset_size, length_size = sizes >> 12, sizes >> 8 & 15
    base_size, index_size = sizes >> 4 & 15, (sizes & 15) if version else 0
    wide = 4 if version == 2 else 2
    count, at = number(view, 6, wide), 6 + wide
    for _ in range(count):
        item, at = number(view, at, wide), at + wide
        method = 0
        if version:
            method, at = number(view, at, 2) & 15, at + 2
        base, at = number(view, at + 2, base_size), at + 2 + base_size
        extents, at = number(view, at, 2), at + 2
        budget -= 1 + extents
        if budget < 0:
            raise ImageLimitError(f"{into.format} with more than {MAX_PARTS:,} items")
        for _ in range(extents):
            at += index_size
            start, at = number(view, at, offset_size), at + offset_size
            size, at = number(view, at, length_size), at + length_size
            yield item, base + start, size, method


def _exif(content: memoryview, where: str, into: Walk) -> None:
    """EXIF items begin with the distance to their TIFF header."""
    if len(content) < 4 or 4 + number(content, 0, 4) >= len(content):
        into.problem(f"EXIF in the {where} is cut short")
        return
    into.keep("exif", content[4 + number(content, 0, 4) :], where)
