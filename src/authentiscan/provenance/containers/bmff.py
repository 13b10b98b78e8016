"""HEIF, AVIF and JPEG XL boxes: Exif and XMP items, uuid boxes, JUMBF.

ISO/IEC 14496-12 (boxes), 23008-12 (items).
"""

from __future__ import annotations

from collections.abc import Iterator

from authentiscan.provenance.containers.record import Collector, number

_C2PA = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_JXL = bytes.fromhex("0000000c4a584c200d0a870a")
_AVIF = (b"avif", b"avis")
_HEIF = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"heif", b"mif2")


def sniff(data: bytes) -> str | None:
    """``AVIF``, ``HEIF`` or ``JXL`` by the first box."""
    if data.startswith(_JXL):
        return "JXL"
    if data[4:8] != b"ftyp":
        return None
    brands = {data[8:12], *(data[i : i + 4] for i in range(16, min(64, len(data)), 4))}
    if brands & set(_AVIF):
        return "AVIF"
    return "HEIF" if brands & set(_HEIF) else None


def walk(data: bytes, into: Collector) -> None:
    """Step through the top-level boxes."""
    view = memoryview(data)
    for name, content in _boxes(view, into):
        if name == b"meta":
            _meta(content[4:], view, into)
        elif name == b"uuid" and bytes(content[:16]) == _C2PA:
            into.c2pa(len(content))
        elif name == b"uuid" and bytes(content[:16]) == _XMP:
            into.xmp(content[16:])
        elif name == b"jumb":
            into.c2pa(len(content))
        elif name == b"Exif":
            into.exif(_after_offset(content))
        elif name == b"xml ":
            into.xmp(content)


def _boxes(view: memoryview, into: Collector) -> Iterator[tuple[bytes, memoryview]]:
    at = 0
    while at + 8 <= len(view):
        into.step()
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


def _meta(view: memoryview, whole: memoryview, into: Collector) -> None:
    """Find the items that hold EXIF (type ``Exif``) and XMP (type ``mime``), and where they lie."""
    parts = dict(_boxes(view, into))
    kinds = _item_kinds(parts[b"iinf"], into) if b"iinf" in parts else {}
    wanted = {item: kind for item, kind in kinds.items() if kind in (b"Exif", b"mime")}
    if not wanted or b"iloc" not in parts:
        return
    for item, start, size, inside in _locations(parts[b"iloc"], into):
        if item not in wanted:
            continue
        home = parts.get(b"idat", memoryview(b"")) if inside else whole
        content = home[start : start + size]
        if wanted[item] == b"Exif":
            into.exif(_after_offset(content))
        elif b"<" in bytes(content[:64]):
            into.xmp(content)


def _item_kinds(view: memoryview, into: Collector) -> dict[int, bytes]:
    """Item type by item number, from ``iinf`` with ``infe`` entries of version 2 or 3."""
    kinds = {}
    for name, entry in _boxes(view[6 if view[0] == 0 else 8 :], into):
        if name == b"infe" and len(entry) >= 12 and entry[0] in (2, 3):
            wide = 4 if entry[0] == 3 else 2
            kinds[number(entry, 4, wide)] = bytes(entry[6 + wide : 10 + wide])
    return kinds


def _locations(view: memoryview, into: Collector) -> Iterator[tuple[int, int, int, bool]]:
    """(item, start, size, in idat) of every extent, from ``iloc``."""
    version = view[0]
    sizes = number(view, 4, 2)
    offset_size, length_size = sizes >> 12, sizes >> 8 & 15
    base_size, index_size = sizes >> 4 & 15, (sizes & 15) if version else 0
    wide = 4 if version == 2 else 2
    count, at = number(view, 6, wide), 6 + wide
    for _ in range(count):
        into.step()
        item, at = number(view, at, wide), at + wide
        inside = False
        if version:
            inside, at = number(view, at, 2) & 15 == 1, at + 2
        base, at = number(view, at + 2, base_size), at + 2 + base_size
        extents, at = number(view, at, 2), at + 2
        for _ in range(extents):
            into.step()
            at += index_size
            start, at = number(view, at, offset_size), at + offset_size
            size, at = number(view, at, length_size), at + length_size
            yield item, base + start, size, inside


def _after_offset(content: memoryview) -> memoryview:
    """EXIF items begin with the distance to their TIFF header."""
    return content[4 + number(content, 0, 4) :]
