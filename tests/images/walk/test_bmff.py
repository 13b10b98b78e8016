"""HEIF and AVIF items: in the file, in idat, in pieces, cut off, too many, too large."""

from __future__ import annotations

import struct

import pytest

from authentiscan.images.walk import metadata, walk

EXIF = b"II*\0\x08\0\0\0\0\0\0\0\0\0"
Extent = tuple[int, int]


def box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + name + content


def full(name: bytes, content: bytes, version: int = 0) -> bytes:
    return box(name, bytes([version, 0, 0, 0]) + content)


def heif(
    kind: bytes, content: bytes, extents: list[Extent], *, method: int = 0, idat: bytes = b""
) -> bytes:
    """A file of one item; extents count from where ``content`` begins, in ``mdat`` or ``idat``."""
    head = box(b"ftyp", b"heic\0\0\0\0mif1heic")
    entry = full(b"infe", struct.pack(">HH", 1, 0) + kind + b"\0", version=2)
    items = full(b"iinf", struct.pack(">H", 1) + entry)

    def located(shift: int) -> bytes:
        body = struct.pack(">HHHHHH", 0x4400, 1, 1, method, 0, len(extents))
        body += b"".join(struct.pack(">II", shift + at, size) for at, size in extents)
        meta = items + full(b"iloc", body, version=1)
        return full(b"meta", meta + (box(b"idat", idat) if idat else b""))

    shift = 0 if method else len(head) + len(located(0)) + 8
    return head + located(shift) + box(b"mdat", content)


def test_exif_and_xmp_items() -> None:
    content = b"\0\0\0\0" + EXIF
    found = metadata(heif(b"Exif", content, [(0, len(content))]))
    assert ([bytes(b) for b in found.exif], found.problems) == ([EXIF], [])
    found = metadata(heif(b"mime", b"<x/>", [(0, 4)]))
    assert (found.xmp, found.problems) == ([b"<x/>"], [])


def test_an_item_in_pieces_is_joined() -> None:
    content = b"\0\0\0\0" + EXIF + b"junk"
    found = metadata(heif(b"Exif", content, [(0, 10), (10, len(EXIF) - 6)]))
    assert [bytes(b) for b in found.exif] == [EXIF]


def test_an_item_in_idat() -> None:
    content = b"\0\0\0\0" + EXIF
    found = metadata(heif(b"Exif", b"", [(0, len(content))], method=1, idat=content))
    assert [bytes(b) for b in found.exif] == [EXIF]


@pytest.mark.parametrize(
    ("extents", "method", "told"),
    [
        ([(0, 5000)], 0, "item 'Exif' is cut off"),
        ([(0, 3)], 0, "EXIF in the Exif item is cut short"),
        ([(0, 18)], 2, "item 'Exif' is stored in a way that is not read"),
    ],
)
def test_items_that_cannot_be_read_are_told(extents: list[Extent], method: int, told: str) -> None:
    assert told in metadata(heif(b"Exif", b"\0\0\0\0" + EXIF, extents, method=method)).problems


def test_overlapping_extents_cannot_fill_memory() -> None:
    content = heif(b"Exif", b"\0" * 2**20, [(0, 2**20)] * 600)
    found = metadata(content)
    assert found.exif == []
    assert found.problems == ["item 'Exif' is too large and was not read"]


def test_absurd_numbers_of_boxes_end() -> None:
    content = box(b"ftyp", b"avif\0\0\0\0avif") + box(b"free", b"") * 120_000
    refusal = walk(content).refusal
    assert refusal is not None
    assert "boxes" in str(refusal)
