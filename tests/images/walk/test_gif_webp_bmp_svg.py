"""GIF, WebP, BMP and SVG: their facts and their blocks."""

from __future__ import annotations

import base64
import struct

import pytest

from authentiscan.core.errors import ImageLimitError
from authentiscan.images.walk import metadata, walk

PIXEL = b"\x2c\0\0\0\0\1\0\1\0\0\2\2\x44\1\0"


def gif(*blocks: bytes, trailer: bytes = b";") -> bytes:
    return (
        b"GIF89a" + struct.pack("<HHBBB", 3, 2, 0x80, 0, 0) + b"\0" * 6 + b"".join(blocks) + trailer
    )


def test_gif_comment_and_xmp() -> None:
    packet = b"<x:xmpmeta/>" * 30
    magic = b"\1" + bytes(range(255, -1, -1)) + b"\0"
    found = metadata(
        gif(
            b"!\xfe\3one\4 two\0",
            b"!\xff\x0bXMP DataXMP" + packet + magic,
            b"!\xff\x0bC2PA_GIF\1\0\0\2ab\0",
            PIXEL,
        )
    )
    assert [(text.key, text.value) for text in found.texts] == [("comment", "one two")]
    assert found.xmp == [packet]
    assert found.c2pa_bytes == 16
    assert found.problems == []


def test_gif_frames_and_canvas() -> None:
    wide = b"\x2c" + struct.pack("<HHHHB", 5, 6, 7, 8, 0) + b"\2\2\x44\1\0"
    walked = walk(gif(wide, PIXEL, PIXEL))
    assert (walked.frames, walked.width, walked.height) == (3, 12, 14)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (gif(PIXEL, trailer=b""), "GIF ends before its trailer"),
        (gif(PIXEL, trailer=b"\7"), "no block where one must stand"),
        (gif(b"!\xfe\x80cut"), "GIF ends before its trailer"),
    ],
)
def test_gif_cut_short(content: bytes, told: str) -> None:
    assert any(told in problem for problem in metadata(content).problems)


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"".join(
        name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
        for name, data in chunks
    )
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


CANVAS = (b"VP8X", b"\0\0\0\0" + b"\x0f\0\0" + b"\x1f\0\0")


def test_webp_chunks() -> None:
    frames = [(b"ANMF", b"\0" * 16)] * 3
    content = riff(
        CANVAS, (b"ICCP", b"profile"), *frames, (b"EXIF", b"Exif\0\0II*\0"), (b"XMP ", b"<x/>")
    )
    walked, found = walk(content), metadata(content)
    assert (walked.width, walked.height, walked.frames) == (16, 32, 3)
    assert walked.metadata == len(b"profile" + b"Exif\0\0II*\0" + b"<x/>")
    assert [bytes(block) for block in found.exif] == [b"II*\0"]
    assert found.xmp == [b"<x/>"]
    cut = metadata(content[:-3])
    assert cut.problems == [
        "WebP chunk 'XMP ' is cut off",
        "WebP ends before the length that it states",
    ]


def test_webp_sizes_of_bare_streams() -> None:
    lossless = riff((b"VP8L", b"\x2f" + struct.pack("<I", 99 | 49 << 14) + b"\0" * 8))
    assert (walk(lossless).width, walk(lossless).height) == (100, 50)
    lossy = riff((b"VP8 ", b"\0\0\0\x9d\x01\x2a" + struct.pack("<HH", 70, 40) + b"\0" * 4))
    assert (walk(lossy).width, walk(lossy).height) == (70, 40)
    with pytest.raises(ImageLimitError, match="chunks"):
        raise walk(riff(CANVAS, *[(b"ABCD", b"")] * 100_001)).refusal or ValueError


def bitmap(width: int, height: int, depth: int = 24, coding: int = 0) -> bytes:
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, depth, coding, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54, 29, 30, 54) + header


def test_bitmap_facts() -> None:
    walked = walk(bitmap(9, -7))
    assert (walked.format, walked.width, walked.height) == ("BMP", 9, 7)
    assert walk(bitmap(9, 7, 2)).variant == "BMP of 2 bits a pixel, uncompressed"
    assert walk(bitmap(9, 7, 8, 4)).variant == "BMP of 8 bits a pixel, JPEG inside"
    assert isinstance(walk(bitmap(9000, 9000, 8, 1)).refusal, ImageLimitError)


def test_svg_packet_and_manifest() -> None:
    store = base64.b64encode(b"\0\0\0\x20jumb" + b"\0" * 24)
    packet = b"<x:xmpmeta>a</x:xmpmeta>"
    content = b"<?xml version='1.0'?><svg>" + packet + b"<c2pa:manifest>" + store
    found = metadata(content + b"</c2pa:manifest></svg>")
    assert (found.format, found.xmp, found.c2pa_bytes) == ("SVG", [packet], len(store))
    assert metadata(b"<svg><x:xmpmeta>a").problems == [
        "SVG ends before its closing tag",
        "XMP packet is cut short",
    ]
    fake = metadata(b"<svg><c2pa:manifest>AAAA</c2pa:manifest></svg>")
    assert fake.problems == ["a C2PA element holds no manifest"]
