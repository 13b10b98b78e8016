"""Files of other kinds are named for what they are, with what to do where something helps."""

from __future__ import annotations

import struct

import pytest

from authentiscan.core.errors import UnsupportedFormatError
from authentiscan.images.decode import decode
from authentiscan.images.walk import signatures

EXPORT = "not supported; export it as"
KINDS = [
    (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", f"a Canon CR3 camera raw file: {EXPORT}"),
    (b"FUJIFILMCCD-RAW 0201FF", f"a Fujifilm RAF camera raw file: {EXPORT}"),
    (b"FOVb\0\0\2\0", f"a Sigma X3F camera raw file: {EXPORT}"),
    (b"\0MRM\0\1\2\3", f"a Minolta MRW camera raw file: {EXPORT}"),
    (b"II\x1a\0\0\0HEAPCCDR", f"a Canon CRW camera raw file: {EXPORT}"),
    (b"8BPS\0\2", f"a Photoshop document: {EXPORT}"),
    (b"%PDF-1.4", f"a PDF document: {EXPORT}"),
    (b"\xff\x0a\xfa\x7f", f"a JPEG XL image: {EXPORT}"),
    (bytes.fromhex("0000000c4a584c200d0a870a"), f"a JPEG XL image: {EXPORT}"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", f"a JPEG 2000 image: {EXPORT}"),
    (b"\xff\x4f\xff\x51\0\x2f", f"a JPEG 2000 image: {EXPORT}"),
    (b"II\xbc\x01\x08\0\0\0", f"a JPEG XR image: {EXPORT}"),
    (b"v/1\x01\2\0\0\0", f"an OpenEXR image: {EXPORT}"),
    (b"#?RADIANCE\n", f"a Radiance HDR image: {EXPORT}"),
    (b"gimp xcf v011\0", f"a GIMP document: {EXPORT}"),
    (b"P6\n4 4\n255\n", f"a PNM image: {EXPORT}"),
    (b"qoif\0\0", f"a QOI image: {EXPORT}"),
    (b"\0\0\1\0\1\0", f"an icon: {EXPORT}"),
    (b"\0\0\2\0\1\0", f"a cursor: {EXPORT}"),
    (b"\0\0\2\0\0\0\0\0\0\0\0\0\4\0\4\0\x18\0", f"a Targa image: {EXPORT}"),
    (b"\0" * 128 + b"DICM", f"a DICOM image: {EXPORT}"),
    (b"\0\5\x16\7\0\2\0\0Mac OS X", "a macOS side file"),
    (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
    (b"\0" * 600, "nothing but zero bytes"),
    (b"RIFF\0\0\0\0WAVEfmt ", "a WAVE sound"),
    (b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", "brand 'qt'"),
    (b"\0\0\0\x14ftyp\x1b[2J\0\0\0\0", "brand '?[2J'"),
    (b"BM and so on, a text that begins so", "a text file"),
]


@pytest.mark.parametrize(("content", "told"), KINDS)
def test_other_kinds(content: bytes, told: str) -> None:
    with pytest.raises(UnsupportedFormatError) as caught:
        decode(content)
    assert told in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("size", [12, 40, 52, 56, 64, 108, 124])
@pytest.mark.parametrize("reserved", [b"\0\0\0\0", b"\x1d\0\x1e\0", b"\xff" * 4])
def test_bitmaps_by_the_size_of_their_header(size: int, reserved: bytes) -> None:
    head = b"BM" + struct.pack("<I", 500) + reserved + struct.pack("<II", 14 + size, size)
    assert signatures.container(head) == "BMP"


@pytest.mark.parametrize(
    ("brands", "format"),
    [
        (b"avif\0\0\0\0mif1avif", "AVIF"),
        (b"mif1\0\0\0\0avifmiaf", "AVIF"),
        (b"heic\0\0\0\0mif1heic", "HEIF"),
        (b"msf1\0\0\0\0hevc", "HEIF"),
        (b"isom\0\0\0\0mp41", "MP4"),
        (b"crx \0\0\0\1crx isom", None),
    ],
)
def test_brands(brands: bytes, format: str | None) -> None:
    head = struct.pack(">I", 8 + len(brands)) + b"ftyp" + brands
    assert signatures.container(head) == format
