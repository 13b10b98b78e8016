"""Every kind of bad input has its own clear error, and none hangs, floods memory or warns."""

from __future__ import annotations

import io
import os
import struct
import time
import tracemalloc
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from authentiscan.core.errors import (
    CorruptImageError,
    DecodeError,
    EmptyFileError,
    ImageLimitError,
    UnreadableFileError,
    UnsupportedFormatError,
    UsageError,
)
from authentiscan.images.decode import Limits, decode, encode

GREY = np.full((40, 60, 3), 128, np.uint8)


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, *extra: bytes, pixels: bytes = b"") -> bytes:
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    data = png_chunk(b"IDAT", zlib.compress(pixels))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(extra) + data + png_chunk(b"IEND", b"")


def test_empty() -> None:
    with pytest.raises(EmptyFileError, match="0 bytes"):
        decode(b"")


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="does not exist"):
        decode(tmp_path / "none.jpg")


def test_folder(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="folder"):
        decode(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_permission(tmp_path: Path) -> None:
    path = tmp_path / "secret.png"
    path.write_bytes(encode(GREY, "PNG"))
    path.chmod(0)
    with pytest.raises(UnreadableFileError, match="permission"):
        decode(path)


def test_permission_error_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret.png"
    path.write_bytes(encode(GREY, "PNG"))

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(UnreadableFileError, match="no permission"):
        decode(path)


def test_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    started = time.perf_counter()
    with pytest.raises(UnreadableFileError, match="pipe"):
        decode(tmp_path / "pipe.jpg")
    assert time.perf_counter() - started < 1


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null"])
def test_device_is_not_read(device: str) -> None:
    with pytest.raises(UnreadableFileError, match="device"):
        decode(device)


@pytest.mark.parametrize("path", ["nul\0byte.jpg", "x" * 5000, ""])
def test_impossible_paths(path: str) -> None:
    with pytest.raises(UnreadableFileError):
        decode(path)


def test_link_loop(tmp_path: Path) -> None:
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    with pytest.raises(UnreadableFileError):
        decode(tmp_path / "loop.jpg")


def test_something_that_is_no_source() -> None:
    with pytest.raises(UsageError, match="int"):
        decode(3)  # type: ignore[arg-type]


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a", "b")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "PostScript"),
        (b"%PDF-1.7\n", "PDF"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b'<?xml version="1.0"?><svg/>', "SVG or XML"),
        (b"<!DOCTYPE html><html><body>404</body></html>", "HTML"),
        (zipped(), "ZIP"),
        (b"\x1f\x8b\x08\0\0\0\0\0", "gzip"),
        (b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41", "video"),
        (b"\x1aE\xdf\xa3 webm", "Matroska"),
        (b"RIFF\0\0\0\0AVI LIST", "AVI"),
        (b"8BPS\0\1", "Photoshop"),
        (b"just some words, not an image at all", "text"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"II*\0\x10\0\0\0CR\2\0", "camera raw"),
        (bytes(range(200, 208)) * 9, "allowed are JPEG"),
    ],
)
def test_other_formats_are_refused_by_name(content: bytes, told: str, tmp_path: Path) -> None:
    path = tmp_path / "renamed.jpg"
    path.write_bytes(content)
    with pytest.raises(UnsupportedFormatError, match=told):
        decode(path)


def test_camera_raw_previews_are_refused() -> None:
    buffer = io.BytesIO()
    Image.fromarray(GREY).save(buffer, "TIFF", tiffinfo={254: 1})
    with pytest.raises(UnsupportedFormatError, match="raw"):
        decode(buffer.getvalue())


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF", "BMP", "GIF"])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_truncated(format: str, share: float, photos: dict[str, np.ndarray]) -> None:
    buffer = io.BytesIO()
    Image.fromarray(photos["coffee"][:200, :200]).save(buffer, format)
    content = buffer.getvalue()
    with pytest.raises(CorruptImageError, match=format):
        decode(content[: int(len(content) * share)])


@pytest.mark.parametrize(
    "head",
    [b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF\4\0\0\0WEBPVP8 ", b"II*\0"],
)
def test_nothing_after_the_signature(head: bytes) -> None:
    with pytest.raises(CorruptImageError):
        decode(head)


def test_byte_limit(tmp_path: Path) -> None:
    content = encode(GREY, "PNG")
    small = Limits(bytes=len(content) - 1)
    path = tmp_path / "a.png"
    path.write_bytes(content)
    for source in (content, path, io.BytesIO(content)):
        with pytest.raises(ImageLimitError, match="bytes"):
            decode(source, limits=small)
    assert decode(content, limits=Limits(bytes=len(content)))


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF", "BMP", "GIF"])
def test_pixel_limit(format: str) -> None:
    buffer = io.BytesIO()
    Image.fromarray(GREY).save(buffer, format)
    assert decode(buffer.getvalue(), limits=Limits(pixels=2400))
    with pytest.raises(ImageLimitError, match=r"60x40 is 2,400 pixels; at most 2,399"):
        decode(buffer.getvalue(), limits=Limits(pixels=2399))


def bombs() -> dict[str, bytes]:
    webp = bytearray(
        b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0" + b"\0" * 4 + b"\xff\xff\x00" * 2 + b"\0" * 64
    )
    gif = b"GIF89a" + struct.pack("<HH", 65535, 65535) + b"\0\0\0" + b","
    tiff = b"II*\0\x08\0\0\0" + struct.pack("<H", 2)
    tiff += (
        struct.pack("<HHII", 256, 4, 1, 60000) + struct.pack("<HHII", 257, 4, 1, 60000) + b"\0" * 4
    )
    bmp = b"BM" + b"\0" * 8 + struct.pack("<IIii", 54, 40, 60000, -60000) + b"\0" * 40
    jpeg = bytearray(encode(GREY, "JPEG"))
    at = jpeg.index(b"\xff\xc0") + 5
    jpeg[at : at + 4] = struct.pack(">HH", 65000, 65000)
    return {
        "png": png(60000, 60000, pixels=b"\0" * 1000),
        "webp": bytes(webp),
        "gif": gif,
        "tiff": tiff,
        "bmp": bmp,
        "jpeg": bytes(jpeg),
    }


@pytest.mark.parametrize("kind", sorted(bombs()))
def test_pixel_bombs_are_stopped_before_memory_is_used(kind: str) -> None:
    tracemalloc.start()
    started = time.perf_counter()
    with pytest.raises(ImageLimitError, match="pixels"):
        decode(bombs()[kind])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000
    assert time.perf_counter() - started < 1


def compressed_chunks(size: int) -> dict[str, bytes]:
    packed = zlib.compress(b"\0" * size, 9)
    return {
        "zTXt": png_chunk(b"zTXt", b"key\0\0" + packed),
        "iTXt": png_chunk(b"iTXt", b"key\0\1\0en\0key\0" + packed),
        "iCCP": png_chunk(b"iCCP", b"name\0\0" + packed),
    }


@pytest.mark.parametrize("kind", ["zTXt", "iTXt", "iCCP"])
def test_metadata_bombs(kind: str) -> None:
    pixels = b"\0" * (1 + 3 * 8) * 8
    bomb = png(8, 8, compressed_chunks(100_000_000)[kind], pixels=pixels)
    assert len(bomb) < 200_000
    with pytest.raises(ImageLimitError, match="metadata"):
        decode(bomb)
    # What fits the limit is fine, also where Pillow alone would refuse more than one megabyte.
    assert decode(png(8, 8, compressed_chunks(5_000_000)[kind], pixels=pixels)).facts.width == 8


def test_many_small_metadata_bombs() -> None:
    chunks = [compressed_chunks(4_000_000)["zTXt"]] * 50
    with pytest.raises(ImageLimitError, match="metadata"):
        decode(png(8, 8, *chunks, pixels=b"\0" * 200))


def test_metadata_limit_counts_application_segments() -> None:
    content = encode(GREY, "JPEG")
    segment = b"\xff\xe5" + struct.pack(">H", 60002) + b"x" * 60000
    assert decode(content[:2] + segment + content[2:])
    with pytest.raises(ImageLimitError, match="metadata"):
        decode(content[:2] + segment + content[2:], limits=Limits(metadata=50_000))


def test_frame_limit() -> None:
    frames = [Image.new("L", (8, 8), 20 * level) for level in range(12)]
    for format in ("GIF", "WEBP", "TIFF", "PNG"):
        buffer = io.BytesIO()
        frames[0].save(buffer, format, save_all=True, append_images=frames[1:])
        assert decode(buffer.getvalue()).facts.frames == 12, format
        with pytest.raises(ImageLimitError, match="frames"):
            decode(buffer.getvalue(), limits=Limits(frames=11))


def test_tiff_directory_loop_ends() -> None:
    buffer = io.BytesIO()
    Image.fromarray(GREY).save(buffer, "TIFF")
    content = bytearray(buffer.getvalue())
    start = struct.unpack("<I", content[4:8])[0]
    entries = struct.unpack("<H", content[start : start + 2])[0]
    content[start + 2 + 12 * entries : start + 6 + 12 * entries] = struct.pack("<I", start)
    assert decode(bytes(content)).facts.frames == 1


def test_absurd_tiff_tiles() -> None:
    tags = {256: 60, 257: 40, 322: 60_000, 323: 60_000}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    with pytest.raises(ImageLimitError, match="tiles"):
        decode(b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + b"\0" * 8)


def test_thousands_of_scans() -> None:
    content = encode(GREY, "JPEG", progressive=True)
    scan = content.rindex(b"\xff\xda")
    with pytest.raises(ImageLimitError, match="scans"):
        decode(content[:-2] + content[scan:-2] * 500 + b"\xff\xd9")


def test_thousands_of_segments_and_chunks() -> None:
    content = encode(GREY, "JPEG")
    with pytest.raises(ImageLimitError, match="segments"):
        decode(content[:2] + b"\xff\xfe\0\2" * 30_000 + content[2:])
    with pytest.raises(ImageLimitError, match="chunks"):
        decode(png(8, 8, png_chunk(b"tIME", b"") * 150_000))


def test_large_run_length_coded_bmp() -> None:
    header = struct.pack("<IiiHHIIiiII", 40, 5000, 5000, 1, 8, 1, 0, 0, 0, 0, 0)
    with pytest.raises(ImageLimitError, match="run-length"):
        decode(b"BM" + b"\0" * 12 + header + b"\0" * 1200)


def test_pillow_never_warns(recwarn: pytest.WarningsRecorder) -> None:
    warnings.simplefilter("always")
    buffer = io.BytesIO()
    Image.fromarray(GREY).save(buffer, "TIFF")
    broken = buffer.getvalue()[:-10]
    info = PngImagePlugin.PngInfo()
    info.add_text("key", "value")
    for content in (broken, b"II*\0" + broken[4:200], encode(GREY, "PNG")):
        try:
            decode(content)
        except DecodeError:
            continue
    assert not [entry for entry in recwarn if "PIL" in entry.filename]


def test_libtiff_does_not_print(capfd: pytest.CaptureFixture[str]) -> None:
    buffer = io.BytesIO()
    Image.fromarray(GREY).save(buffer, "TIFF", compression="tiff_deflate")
    content = bytearray(buffer.getvalue())
    content[8:40] = b"\xff" * 32
    with pytest.raises(CorruptImageError):
        decode(bytes(content))
    assert capfd.readouterr().err == ""


def test_limits_are_a_frozen_record() -> None:
    with pytest.raises(ValueError, match="greater than 0"):
        Limits(pixels=0)
    with pytest.raises(ValueError, match="Extra"):
        Limits(pixel=3)  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="frozen"):
        Limits().pixels = 3  # type: ignore[misc]


@pytest.mark.parametrize("size", [(12000, 9000), (16384, 12288), (12288, 16384)])
def test_the_largest_photographs_of_phones_are_within_the_limits(size: tuple[int, int]) -> None:
    with pytest.raises(CorruptImageError):  # it has no pixels, and that is all that is wrong
        decode(png(*size))
    with pytest.raises(ImageLimitError, match=r"--max-pixels \d+ allows it"):
        decode(png(size[0] + 6000, size[1] + 6000))
