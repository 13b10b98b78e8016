"""PNG chunks: texts, ImageMagick's profiles, what is cut short, what the decoder gets."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from authentiscan.images.decode import decode
from authentiscan.images.walk import metadata, walk

PIXELS = np.random.default_rng(3).integers(0, 256, (12, 20, 3), dtype=np.uint8)


def chunk(name: bytes, content: bytes) -> bytes:
    check = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", check)


def png(*extra: bytes, after: bool = False) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, "PNG")
    content = buffer.getvalue()
    at = len(content) - 12 if after else 33
    return content[:at] + b"".join(extra) + content[at:]


def exif(orientation: int) -> bytes:
    block = Image.Exif()
    block[0x0112] = orientation
    return block.tobytes()


def raw(kind: str, content: bytes, *, packed: bool = True, claimed: int | None = None) -> bytes:
    """A chunk as ImageMagick writes it."""
    digits = content.hex()
    lines = "\n".join(digits[at : at + 72] for at in range(0, len(digits), 72))
    text = f"\n{kind}\n{claimed or len(content):8}\n{lines}\n".encode()
    key = f"Raw profile type {kind}".encode() + b"\0"
    return (
        chunk(b"zTXt", key + b"\0" + zlib.compress(text)) if packed else chunk(b"tEXt", key + text)
    )


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("kind", ["exif", "APP1", "EXIF"])
def test_a_raw_profile_of_exif_turns_the_picture(kind: str, packed: bool) -> None:
    content = png(raw(kind, exif(6), packed=packed))
    assert [bytes(block) for block in metadata(content).exif] == [exif(6)[6:]]
    image = decode(content)
    assert image.facts.orientation_applied
    np.testing.assert_array_equal(image.pixels, np.rot90(PIXELS, -1))


def test_the_standard_chunk_goes_before_a_raw_profile() -> None:
    content = png(chunk(b"eXIf", exif(3)[6:]), raw("exif", exif(6)))
    np.testing.assert_array_equal(decode(content).pixels, PIXELS[::-1, ::-1])


def test_exif_after_the_pixels_turns_the_picture_too() -> None:
    content = png(chunk(b"eXIf", exif(3)[6:]), after=True)
    np.testing.assert_array_equal(decode(content).pixels, PIXELS[::-1, ::-1])


def test_raw_profiles_of_xmp_and_iptc() -> None:
    packet, record = b"<x:xmpmeta/>", b"\x1c\x02\x50\0\4name"
    resources = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(record)) + record + b"\0"
    content = png(
        raw("xmp", packet),
        raw("APP1", b"http://ns.adobe.com/xap/1.0/\0" + packet),
        raw("iptc", record),
        raw("8bim", resources),
        raw("iptc", resources),
    )
    found = metadata(content)
    assert found.xmp == [packet, packet]
    assert found.iptc == [record] * 3
    assert found.problems == []


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (raw("exif", exif(6)[:20], claimed=90), "is cut short or broken"),
        (chunk(b"tEXt", b"Raw profile type exif\0\nexif\n  4\nfFzz"), "is cut short or broken"),
        (chunk(b"tEXt", b"Raw profile type exif\0\nexif\n"), "lacks its length or its content"),
        (chunk(b"zTXt", b"k\0\0" + zlib.compress(b"a" * 999)[:-8]), "compressed data cut short"),
        (chunk(b"zTXt", b"k\0\0not zlib"), "holds broken compressed data"),
        (chunk(b"iTXt", b"k\0\1\0\0\0not zlib"), "holds broken compressed data"),
        (chunk(b"tEXt", b"no keyword"), "has no keyword"),
    ],
)
def test_what_cannot_be_read_is_told(content: bytes, told: str) -> None:
    problems = metadata(png(content)).problems
    assert len(problems) == 1
    assert told in problems[0]


def test_a_text_cut_short_gives_what_is_there() -> None:
    packed = zlib.compress(np.random.default_rng(0).bytes(3000).hex().encode())
    found = metadata(png(chunk(b"zTXt", b"parameters\0\0" + packed[:-500])))
    assert 1000 < len(found.texts[0].value) < 6000


def test_texts_of_all_three_kinds() -> None:
    content = png(
        chunk(b"tEXt", b"a\0plain"),
        chunk(b"tEXt", b"latin\0gr\xfcn"),
        chunk(b"zTXt", b"b\0\0" + zlib.compress(b"packed")),
        chunk(b"iTXt", b"c\0\0\0de\0Schl\xc3\xbcssel\0" + "größe".encode()),
        chunk(b"iTXt", b"d\0\1\0\0\0" + zlib.compress("größer".encode())),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<x/>"),
    )
    found = metadata(content)
    texts = {text.key: text.value for text in found.texts}
    assert texts == {"a": "plain", "latin": "grün", "b": "packed", "c": "größe", "d": "größer"}
    assert found.texts[0].where == "PNG text 'a'"
    assert found.xmp == [b"<x/>"]


def test_the_decoder_gets_no_text_and_no_animation() -> None:
    content = png(chunk(b"tEXt", b"a\0" + b"b" * 500), chunk(b"acTL", struct.pack(">II", 7, 0)))
    walked = walk(content)
    kept = b"".join(map(bytes, walked.pixels))
    assert b"tEXt" not in kept
    assert b"acTL" not in kept
    assert (walked.frames, walked.metadata) == (7, 502)
    assert (walked.width, walked.height) == (20, 12)


def test_a_file_that_ends_early_is_told() -> None:
    content = png(chunk(b"tEXt", b"key\0" + b"x" * 100))
    assert metadata(content[:-12]).problems == ["PNG ends before its IEND chunk"]
    assert "PNG chunk 'tEXt' is cut off" in metadata(content[:80]).problems
