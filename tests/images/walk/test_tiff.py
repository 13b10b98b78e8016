"""TIFF directories: tags of TIFF and BigTIFF, raw files named, orientation, hostile chains."""

from __future__ import annotations

import io
import struct
from typing import Literal

import numpy as np
import pytest
from PIL import Image

from authentiscan.core.errors import CorruptImageError, UnsupportedFormatError
from authentiscan.images.decode import decode
from authentiscan.images.walk import metadata, tiff, walk

Entry = tuple[int, int, bytes]
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 7: 1}


def directory(*entries: Entry, order: Literal["<", ">"] = "<", head: bytes = b"") -> bytes:
    """A file of one directory; values longer than four bytes stand behind it."""
    mark = head or (b"II*\0" if order == "<" else b"MM\0*")
    body, tail = struct.pack(order + "H", len(entries)), b""
    start = 8 + 2 + 12 * len(entries) + 4
    for tag, kind, value in entries:
        inline = value.ljust(4, b"\0")
        if len(value) > 4:
            inline = struct.pack(order + "I", start + len(tail))
            tail += value
        body += struct.pack(order + "HHI", tag, kind, len(value) // _SIZES[kind]) + inline
    return mark + struct.pack(order + "I", 8) + body + b"\0" * 4 + tail + b"\0" * 8


def short(value: int, order: str = "<") -> bytes:
    return struct.pack(order + "H", value)


@pytest.mark.parametrize("order", ["<", ">"])
def test_tags_in_both_byte_orders(order: Literal["<", ">"]) -> None:
    block = directory((256, 3, short(7, order)), (271, 2, b"Maker of cameras\0"), order=order)
    found = {tag.number: tag.text() for tag in tiff.tags(block)}
    assert found == {256: "7", 271: "Maker of cameras"}


def test_tags_of_bigtiff() -> None:
    block = b"II+\0\x08\0\0\0" + struct.pack("<Q", 16) + struct.pack("<Q", 2)
    block += struct.pack("<HHQ", 257, 3, 1) + short(5).ljust(8, b"\0")
    block += struct.pack("<HHQQ", 271, 2, 9, 72) + b"\0" * 8 + b"\0" * 8 + b"Big maker"[:9]
    at = block.index(b"Big maker")
    block = block.replace(struct.pack("<Q", 72), struct.pack("<Q", at))
    assert {tag.number: tag.text() for tag in tiff.tags(block)} == {257: "5", 271: "Big maker"}
    assert walk(block).height == 5


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("value", range(10))
def test_orientation(value: int, order: Literal["<", ">"]) -> None:
    block = directory((271, 2, b"Maker\0"), (274, 3, short(value, order)), order=order)
    assert tiff.orientation(block) == (value if 1 <= value <= 8 else 1)


@pytest.mark.parametrize(
    "block", [b"", b"II*\0", b"MM\0*\0\0\0\x08", b"nonsense" * 4, directory((271, 2, b"x\0"))]
)
def test_no_orientation(block: bytes) -> None:
    assert tiff.orientation(block) == 1


def test_orientation_of_the_thumbnail_does_not_count() -> None:
    block = bytearray(directory((271, 2, b"ab\0")))
    end = 8 + 2 + 12
    block[end : end + 4] = struct.pack("<I", len(block))
    block += short(1) + struct.pack("<HHI", 274, 3, 1) + short(6) + b"\0" * 6
    assert tiff.orientation(bytes(block)) == 1
    assert [tag.number for tag in tiff.tags(bytes(block))] == [271, 274]


def test_a_value_outside_the_data_is_told() -> None:
    block = directory((271, 2, b"Maker of cameras\0"))
    told: list[str] = []
    assert list(tiff.tags(block[:40], told.append)) == []
    assert told == ["main directory: field 271 lies outside the data"]


def test_more_fields_than_are_read_is_told() -> None:
    told: list[str] = []
    entries = tuple((1000 + i, 3, short(i)) for i in range(tiff.MAX_ENTRIES + 5))
    assert len(list(tiff.tags(directory(*entries), told.append))) == tiff.MAX_ENTRIES
    assert "1,029 fields" in told[0]


RAW = [
    (directory((50706, 1, b"\1\4\0\0"), (271, 2, b"Any\0")), "a DNG"),
    (directory((254, 4, b"\1\0\0\0"), (271, 2, b"NIKON CORPORATION\0")), "a Nikon NEF"),
    (directory((254, 4, b"\1\0\0\0"), (271, 2, b"SONY\0")), "a Sony ARW"),
    (directory((259, 3, short(65535)), (271, 2, b"PENTAX Corporation\0")), "a Pentax PEF"),
    (directory((262, 3, short(32803)), (271, 2, b"Hasselblad\0")), "a Hasselblad 3FR"),
    (directory((254, 4, b"\1\0\0\0")), "a camera raw file"),
    (directory((256, 3, short(9)), head=b"IIRO"), "an Olympus ORF"),
    (directory((256, 3, short(9)), head=b"IIU\0"), "a Panasonic RW2"),
    (b"II*\0\x10\0\0\0CR\2\0" + b"\0" * 40, "a Canon CR2"),
]


@pytest.mark.parametrize(("content", "told"), RAW)
def test_raw_files_are_named_with_what_to_do(content: bytes, told: str) -> None:
    with pytest.raises(UnsupportedFormatError, match=f"^{told}.*: not supported; export it as"):
        decode(content)


def test_metadata_of_a_raw_file_is_read_all_the_same() -> None:
    content = directory((254, 4, b"\1\0\0\0"), (271, 2, b"SONY\0"), (700, 1, b"<x:xmpmeta/>"))
    found = metadata(content)
    assert found.xmp == [b"<x:xmpmeta/>"]
    assert [t.text() for t in tiff.tags(found.exif[0]) if t.number == 271] == ["SONY"]


def test_a_photograph_edited_as_tiff_is_no_raw_file() -> None:
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((4, 5, 3), np.uint8)).save(buffer, "TIFF", tiffinfo={271: "NIKON"})
    assert decode(buffer.getvalue()).facts.width == 5


def test_exif_of_a_large_tiff_is_read_without_a_copy() -> None:
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((2000, 2000, 3), np.uint8)).save(buffer, "TIFF", tiffinfo={271: "M"})
    content = buffer.getvalue()
    assert len(content) > 8 * 2**20
    (block,) = metadata(content).exif
    assert isinstance(block, memoryview)
    assert block.obj is content


@pytest.mark.parametrize(
    ("tags", "told"),
    [
        ({258: (16, 16, 16), 277: 3, 339: (2, 2, 2)}, "signed 16-bit RGB"),
        ({258: (12, 12, 12), 277: 3, 284: 2}, "12-bit RGB, 3 samples a pixel, separate planes"),
        ({258: (32, 32, 32), 277: 3, 339: (3, 3, 3)}, "floating-point 32-bit RGB"),
        ({258: (24, 24, 24), 277: 3}, "24-bit RGB"),
    ],
)
def test_variants_that_pillow_cannot_read_are_named(
    tags: dict[int, int | tuple[int, ...]], told: str
) -> None:
    sized: dict[int, int | tuple[int, ...]] = {256: 2, 257: 2, 259: 1, 262: 2, 273: 8, 279: 96}
    entries = []
    for tag, value in sorted((sized | tags).items()):
        values = value if isinstance(value, tuple) else (value,)
        entries.append((tag, 3, b"".join(short(v) for v in values)))
    with pytest.raises(UnsupportedFormatError, match=told) as caught:
        decode(directory(*entries) + b"\0" * 200)
    assert "this variant is not supported" in str(caught.value)


def test_a_directory_beyond_the_end() -> None:
    with pytest.raises(CorruptImageError, match="lies beyond its end"):
        decode(b"II*\0" + struct.pack("<I", 5000) + b"\0" * 50)


def test_sub_directories_that_name_each_other_end() -> None:
    entries = struct.pack("<HHII", 330, 4, 1, 8) + struct.pack("<HHII", 34665, 4, 1, 8)
    block = b"II*\0" + struct.pack("<I", 8) + short(2) + entries + struct.pack("<I", 8)
    assert len(list(tiff.tags(block))) == 2
    assert walk(block + b"\0" * 8).frames == 1
