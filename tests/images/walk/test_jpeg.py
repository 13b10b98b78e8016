"""JPEG segments: EXIF and XMP in parts are joined, and what is cut short is told."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image

from authentiscan.images.walk import metadata, tiff, walk

XMP = b"http://ns.adobe.com/xap/1.0/\0"
MORE = b"http://ns.adobe.com/xmp/extension/\0"


def photo(**options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((24, 32, 3), 90, np.uint8)).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def segment(marker: int, body: bytes) -> bytes:
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(body) + 2) + body


def with_segments(*segments: bytes) -> bytes:
    plain = photo()
    return plain[:2] + b"".join(segments) + plain[2:]


def exif(comment: str, orientation: int = 1) -> bytes:
    block = Image.Exif()
    block[0x010E] = comment
    block[0x0112] = orientation
    return block.tobytes().removeprefix(b"Exif\0\0")


def descriptions(block: bytes | memoryview) -> list[str]:
    return [tag.text() for tag in tiff.tags(block) if tag.number == 270]


@pytest.mark.parametrize("cut", [8, 9, 100, 40_000])
def test_exif_over_several_segments_is_one_block(cut: int) -> None:
    whole = exif("word " * 12_000)
    parts = [whole[:cut], whole[cut : cut + 30_000], whole[cut + 30_000 :]]
    content = with_segments(*(segment(0xE1, b"Exif\0\0" + part) for part in parts))
    found = metadata(content)
    assert [bytes(block) for block in found.exif] == [whole]
    assert descriptions(found.exif[0]) == [("word " * 12_000).strip()]
    assert found.problems == []


def test_two_whole_exif_blocks_stay_two() -> None:
    blocks = [exif("first", 6), exif("second", 3)]
    content = with_segments(*(segment(0xE1, b"Exif\0\0" + block) for block in blocks))
    assert [descriptions(block) for block in metadata(content).exif] == [["first"], ["second"]]


def test_a_lost_part_of_exif_is_told_where_its_fields_are_read() -> None:
    whole = exif("word " * 12_000)
    content = with_segments(segment(0xE1, b"Exif\0\0" + whole[:40_000]))
    told: list[str] = []
    assert [tag.number for tag in tiff.tags(metadata(content).exif[0], told.append)] == [274]
    assert told == ["main directory: field 270 lies outside the data"]


def extended(packet: bytes, at: int, end: int, digest: bytes = b"D" * 32) -> bytes:
    return segment(0xE1, MORE + digest + struct.pack(">II", len(packet), at) + packet[at:end])


def test_extended_xmp_is_joined_in_its_order() -> None:
    packet = b"<x>" + bytes(range(33, 120)) * 3 + b"</x>"
    parts = [extended(packet, at, at + 50) for at in range(0, len(packet), 50)]
    found = metadata(with_segments(segment(0xE1, XMP + b"<main/>"), *reversed(parts)))
    assert found.xmp == [b"<main/>", packet]
    assert found.problems == []


def test_extended_xmp_that_lacks_a_part_is_told() -> None:
    packet = b"<x>" + b"a" * 200 + b"</x>"
    found = metadata(with_segments(extended(packet, 0, 100)))
    assert found.xmp == [packet[:100]]
    assert found.problems == ["extended XMP is cut short: 100 of 207 bytes"]
    assert metadata(with_segments(segment(0xE1, MORE + b"D" * 20))).problems == [
        "extended XMP is cut short"
    ]


def test_extended_xmp_of_absurd_length_is_told_and_left() -> None:
    body = MORE + b"D" * 32 + struct.pack(">II", 2**31, 0) + b"<x/>"
    found = metadata(with_segments(segment(0xE1, body)))
    assert found.xmp == []
    assert "extended XMP is over 8 MB" in found.problems[0]


def resource(kind: int, content: bytes) -> bytes:
    padded = content + b"\0" * (len(content) % 2)
    return b"8BIM" + struct.pack(">H", kind) + b"\0\0" + struct.pack(">I", len(content)) + padded


def test_photoshop_resources_over_two_segments() -> None:
    block = resource(0x03ED, b"xyz") + resource(0x0404, b"\x1c\x02\x50\0\4name" * 100)
    halves = [block[:300], block[300:]]
    content = with_segments(*(segment(0xED, b"Photoshop 3.0\0" + half) for half in halves))
    found = metadata(content)
    assert found.iptc == [b"\x1c\x02\x50\0\4name" * 100]
    assert found.problems == []
    short = metadata(with_segments(segment(0xED, b"Photoshop 3.0\0" + halves[0])))
    assert short.problems == ["Photoshop resources are cut short"]


def test_comment_profile_and_manifest() -> None:
    content = with_segments(
        segment(0xFE, "grün".encode()),
        segment(0xE2, b"ICC_PROFILE\0\2\2" + b"B" * 10),
        segment(0xE2, b"ICC_PROFILE\0\1\2" + b"A" * 10),
        segment(0xEB, b"JP\0\1" + b"j" * 60),
        segment(0xEB, b"JP\0\2" + b"j" * 30),
    )
    walked, found = walk(content), metadata(content)
    assert [(text.key, text.value) for text in found.texts] == [("comment", "grün")]
    assert found.c2pa_bytes == 98
    assert [b.read(print) for b in walked.blocks if b.kind == "icc"] == [b"A" * 10 + b"B" * 10]


def test_junk_between_segments_does_not_hide_what_follows() -> None:
    content = photo()
    with_junk = content[:20] + b"\0\1\2" + segment(0xFE, b"found") + content[20:]
    found = metadata(with_junk)
    assert [text.value for text in found.texts] == ["found"]
    assert "no marker where one must stand" in found.problems[0]


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5])
def test_a_cut_off_head_is_told(share: float) -> None:
    content = with_segments(segment(0xE1, b"Exif\0\0" + exif("x" * 3000)))
    found = metadata(content[: int(share * len(content))])
    assert "JPEG ends before its first scan" in found.problems


def test_unusual_codings_are_named() -> None:
    content = bytearray(photo())
    at = content.index(b"\xff\xc0")
    content[at + 4] = 12
    assert walk(bytes(content)).variant == "JPEG of 12 bits a sample"
    content[at + 1] = 0xC3
    assert walk(bytes(content)).variant == "lossless JPEG of 12 bits a sample"
    content[at + 1], content[at + 4] = 0xF7, 8
    assert walk(bytes(content)).variant == "JPEG-LS of 8 bits a sample"
    content[at + 1] = 0xC0
    content[at + 5 : at + 7] = b"\0\0"
    assert walk(bytes(content)).variant == "JPEG that tells its height behind its pixels"
    assert walk(photo()).variant == ""
