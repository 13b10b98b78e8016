"""Variants that are opened or named, messages that never change, and a quiet standard error."""

from __future__ import annotations

import io
import re
import struct
import subprocess
import sys
import threading
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from authentiscan.core.errors import (
    CorruptImageError,
    DecodeError,
    ImageLimitError,
    UnsupportedFormatError,
)
from authentiscan.images.decode import DEFAULT_LIMITS, Limits, decode

PIXELS = np.random.default_rng(4).integers(0, 256, (9, 11, 4), dtype=np.uint8)


def saved(image: Image.Image, format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def chunk(name: bytes, content: bytes) -> bytes:
    check = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", check)


def apple(values: np.ndarray, colour: int, *, depth: int = 8, pieces: int = 3) -> bytes:
    """A PNG as Apple's pngcrush writes it from channels that are already in its order."""
    height, width = values.shape[:2]
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    engine = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = engine.compress(rows) + engine.flush()
    step = len(packed) // pieces + 1
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            chunk(b"CgBI", b"\x50\0\x20\2"),
            chunk(b"IHDR", header),
            *(chunk(b"IDAT", packed[at : at + step]) for at in range(0, len(packed), step)),
            chunk(b"IEND", b""),
        ]
    )


def test_apples_png_without_alpha_is_exact() -> None:
    image = decode(apple(PIXELS[..., 2::-1], 2))
    np.testing.assert_array_equal(image.pixels, PIXELS[..., :3])
    assert (image.facts.format, image.facts.mode, image.facts.has_alpha) == ("PNG", "RGB", False)


def test_apples_png_with_alpha_over_white() -> None:
    alpha = PIXELS[..., 3:].astype(np.uint16)
    multiplied = ((PIXELS[..., :3] * alpha + 127) // 255).astype(np.uint8)
    stored = np.dstack([multiplied[..., ::-1], PIXELS[..., 3:]])
    image = decode(apple(stored, 6))
    usual = decode(saved(Image.fromarray(PIXELS, "RGBA"), "PNG"))
    assert image.facts.has_alpha
    assert np.abs(image.pixels.astype(int) - usual.pixels).max() <= 1
    opaque = np.dstack([PIXELS[..., 2::-1], np.full((9, 11, 1), 255, np.uint8)])
    image = decode(apple(opaque, 6))
    np.testing.assert_array_equal(image.pixels, PIXELS[..., :3])
    assert not image.facts.has_alpha


def test_apples_png_in_other_depths_is_named() -> None:
    with pytest.raises(UnsupportedFormatError, match=r"CgBI.*not supported"):
        decode(apple(PIXELS[..., :1], 0))


def test_apples_png_cannot_unpack_without_bound() -> None:
    bomb = np.zeros((4, 50_000_000), np.uint8)
    content = apple(bomb, 6).replace(struct.pack(">II", 50_000_000, 4), struct.pack(">II", 10, 4))
    check = zlib.crc32(b"IHDR" + struct.pack(">IIBBBBB", 10, 4, 8, 6, 0, 0, 0))
    at = content.index(b"IHDR") + 17
    content = content[:at] + struct.pack(">I", check) + content[at + 4 :]
    assert decode(content).facts.width == 10


def test_broken_apple_png() -> None:
    content = apple(PIXELS[..., 2::-1], 2)
    with pytest.raises(CorruptImageError, match=r"^PNG that is truncated or broken"):
        decode(content[: len(content) // 2])


@pytest.mark.parametrize("reserved", [b"\x1d\0\0\0", b"\0\0\x26\0", b"\xff\xff\xff\xff"])
@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
def test_bitmaps_with_reserved_bytes_set(reserved: bytes, mode: str) -> None:
    content = saved(Image.fromarray(PIXELS[..., :3]).convert(mode), "BMP")
    plain = decode(content)
    spotted = decode(content[:6] + reserved + content[10:])
    np.testing.assert_array_equal(plain.pixels, spotted.pixels)
    assert spotted.facts.format == "BMP"


@pytest.mark.parametrize(
    ("at", "value", "told"),
    [
        (28, 2, "BMP of 2 bits a pixel"),
        (28, 64, "BMP of 64 bits a pixel"),
        (30, 4, "JPEG inside"),
        (30, 5, "PNG inside"),
    ],
)
def test_bitmaps_that_pillow_cannot_read_are_named(at: int, value: int, told: str) -> None:
    content = bytearray(saved(Image.fromarray(PIXELS[..., :3]), "BMP"))
    content[at] = value
    with pytest.raises(UnsupportedFormatError, match=told):
        decode(bytes(content))


def test_jpeg_of_twelve_bits_is_named() -> None:
    content = bytearray(saved(Image.fromarray(PIXELS[..., :3]), "JPEG"))
    content[content.index(b"\xff\xc0") + 4] = 12
    with pytest.raises(UnsupportedFormatError, match="JPEG of 12 bits a sample"):
        decode(bytes(content))


def _broken() -> list[bytes]:
    """Damaged files of every format, each in several ways."""
    files, rng = [], np.random.default_rng(9)
    image = Image.fromarray(np.ascontiguousarray(PIXELS[..., :3])).resize((60, 50))
    for format in ("JPEG", "PNG", "WEBP", "AVIF", "TIFF", "BMP", "GIF"):
        options = {"speed": 10} if format == "AVIF" else {}
        whole = saved(image, format, **options)
        for _ in range(60):
            content = bytearray(whole[: int(rng.integers(len(whole) // 2, len(whole) + 1))])
            for at in rng.integers(0, len(content), 4):
                content[at] = rng.integers(0, 256)
            for at in rng.integers(8, min(200, len(content)), 3):
                content[at] = rng.integers(0, 256)
            files.append(bytes(content))
    return files


JARGON = re.compile(
    r"\b0x[0-9a-f]{4,}|\bobject\b|\bdriver\b|Error\b|Exception|Traceback|b'|NoneType|\bunpack\b"
)


def _messages() -> list[str]:
    told = []
    for content in _broken():
        try:
            decode(content, limits=Limits(pixels=1_000_000))
            told.append("")
        except DecodeError as error:
            told.append(str(error))
    return told


def test_messages_are_plain_and_the_same_in_every_run() -> None:
    first = _messages()
    assert sum(bool(message) for message in first) > 200
    assert first == _messages()
    assert [message for message in first if JARGON.search(message)] == []


NOISY = """
import sys
from pathlib import Path
from authentiscan.core.errors import DecodeError
from authentiscan.images.decode import decode
for path in sorted(Path(sys.argv[1]).iterdir()):
    try:
        decode(path)
    except DecodeError:
        pass
"""


def _tiff(samples: int, *, compression: int = 1) -> bytes:
    tags = {256: 9, 257: 9, 258: 8, 259: compression, 262: 1, 273: 8, 277: samples, 279: 99}
    entries = b"".join(struct.pack("<HHIHH", tag, 3, 1, tags[tag], 0) for tag in sorted(tags))
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + b"\0" * 200


def test_nothing_of_a_library_reaches_standard_error(tmp_path: Path) -> None:
    files = [*_broken(), _tiff(65535), _tiff(0), *(_tiff(1, compression=c) for c in (3, 5, 7, 8))]
    for number, content in enumerate(files):
        (tmp_path / str(number)).write_bytes(content)
    ran = subprocess.run(
        [sys.executable, "-W", "default", "-c", NOISY, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


def test_other_output_is_not_swallowed_meanwhile(capfd: pytest.CaptureFixture[str]) -> None:
    """Silence is set up once; no stream is turned away while an image is decoded."""
    stop = threading.Event()

    def decoding() -> None:
        while not stop.is_set():
            for content in (_tiff(1, compression=5), _tiff(65535)):
                with pytest.raises(DecodeError):
                    decode(content)

    thread = threading.Thread(target=decoding)
    thread.start()
    for number in range(300):
        print(number, file=sys.stderr)
    stop.set()
    thread.join()
    assert capfd.readouterr().err == "".join(f"{number}\n" for number in range(300))


def test_our_limit_of_pixels_decides_and_not_pillows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    image = Image.fromarray(np.ascontiguousarray(PIXELS[..., :3])).resize((60, 50))
    for format in ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF"):
        assert decode(saved(image, format)).facts.width == 60, format
    assert Image.MAX_IMAGE_PIXELS == 3000  # raised for what passed, and no further
    with pytest.raises(ImageLimitError, match="at most 2,999 are allowed"):
        decode(saved(image, "PNG"), limits=Limits(pixels=2999))


def test_phone_photographs_are_within_the_default_and_the_message_names_the_option() -> None:
    assert DEFAULT_LIMITS.pixels >= 16_320 * 12_240
    header = struct.pack(">IIBBBBB", 30_000, 10_000, 8, 2, 0, 0, 0)
    large = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IEND", b"")
    with pytest.raises(ImageLimitError, match="--max-pixels 300000000"):
        decode(large)
