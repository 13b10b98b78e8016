"""What kind of file the first bytes announce, whatever its name says."""

from __future__ import annotations

from authentiscan.images.walk import bmp, png, svg, tiff

HEAD = 4096
"""Bytes from the beginning that are looked at."""

_JXL = bytes.fromhex("0000000c4a584c200d0a870a")
_AVIF = frozenset({b"avif", b"avis"})
_HEIF = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"heif", b"mif2"}
)


def container(head: bytes) -> str | None:
    """The format that `images.walk` can step through; None for any other file."""
    if head[4:8] == b"ftyp":
        return _by_brand(_brands(head))
    if head[:4] == b"RIFF":
        return "WEBP" if head[8:12] == b"WEBP" else None
    if head[:2] == b"BM":
        # Bytes 6 to 10 are reserved or hold a hot spot: not always zero.
        return "BMP" if int.from_bytes(head[14:18], "little") in bmp.HEADERS else None
    found = next((name for mark, name in _MARKS if head.startswith(mark)), None)
    return "SVG" if found is None and svg.sniff(head) else found


_MARKS: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "JPEG"),
    (png.SIGNATURE, "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    *((mark, "TIFF") for mark in tiff.BYTE_ORDERS),
    (_JXL, "JXL"),
)


def _brands(head: bytes) -> frozenset[bytes]:
    size = min(int.from_bytes(head[:4], "big"), len(head), 256)
    return frozenset({head[8:12], *(head[at : at + 4] for at in range(16, size - 3, 4))})


def _by_brand(brands: frozenset[bytes]) -> str | None:
    if brands & _AVIF:
        return "AVIF"
    if brands & _HEIF:
        return "HEIF"
    return None if b"crx " in brands else "MP4"


def describe(head: bytes) -> str:
    """What a file that is no allowed image is, in words, with advice where there is some."""
    if head[4:8] == b"ftyp":
        return _media(head)
    for signature, offset, name in _KINDS:
        if head[offset : offset + len(signature)] == signature:
            return name
    if not head.strip(b"\0"):
        return "nothing but zero bytes" if head else "an empty file"
    return _text(head) or f"no known image format (first bytes {head[:8].hex(' ')})"


def _text(head: bytes) -> str | None:
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<svg", b"<?xml")) or svg.sniff(head):
        return "an SVG or XML document"
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return "an HTML page"
    plain = all(32 <= byte < 127 or byte in b"\t\r\n" for byte in head[:64])
    return "a text file" if plain else None


def _media(head: bytes) -> str:
    brand = head[8:12]
    if brand == b"crx ":
        return f"a Canon CR3 {_RAW}"
    name = "".join(c if c.isprintable() else "?" for c in brand.decode("latin-1")).strip()
    return (
        f"a video or other ISO media file (brand {name!r}), not an image; "
        "`authentiscan scan` judges videos with an ending of theirs, such as .mp4; "
        "of this family AVIF and HEIC images are allowed"
    )


_RAW = "camera raw file: not supported; export it as JPEG or TIFF"
_EXPORT = "not supported; export it as PNG, JPEG or TIFF"

_KINDS: tuple[tuple[bytes, int, str], ...] = (
    (b"FUJIFILMCCD-RAW", 0, f"a Fujifilm RAF {_RAW}"),
    (b"FOVb", 0, f"a Sigma X3F {_RAW}"),
    (b"\0MRM", 0, f"a Minolta MRW {_RAW}"),
    (b"HEAPCCDR", 6, f"a Canon CRW {_RAW}"),
    (b"waRII", 9, f"a Phase One IIQ {_RAW}"),
    (b"8BPS", 0, f"a Photoshop document: {_EXPORT}"),
    (b"\xff\x0a", 0, f"a JPEG XL image: {_EXPORT}"),
    (_JXL, 0, f"a JPEG XL image: {_EXPORT}"),
    (b"\0\0\0\x0cjP  ", 0, f"a JPEG 2000 image: {_EXPORT}"),
    (b"\xff\x4f\xff\x51", 0, f"a JPEG 2000 image: {_EXPORT}"),
    (b"II\xbc\x01", 0, f"a JPEG XR image: {_EXPORT}"),
    (b"\xff\xd8\xff\xf7", 0, f"a JPEG-LS image: {_EXPORT}"),
    (b"v/1\x01", 0, f"an OpenEXR image: {_EXPORT}"),
    (b"#?RADIANCE", 0, f"a Radiance HDR image: {_EXPORT}"),
    (b"#?RGBE", 0, f"a Radiance HDR image: {_EXPORT}"),
    (b"gimp xcf", 0, f"a GIMP document: {_EXPORT}"),
    (b"DDS ", 0, f"a DirectDraw texture: {_EXPORT}"),
    (b"\xabKTX", 0, f"a KTX texture: {_EXPORT}"),
    (b"qoif", 0, f"a QOI image: {_EXPORT}"),
    (b"FLIF", 0, f"a FLIF image: {_EXPORT}"),
    (b"BPG\xfb", 0, f"a BPG image: {_EXPORT}"),
    (b"SIMPLE  =", 0, f"a FITS image: {_EXPORT}"),
    (b"DICM", 128, f"a DICOM image: {_EXPORT}"),
    (b"\x59\xa6\x6a\x95", 0, f"a Sun raster image: {_EXPORT}"),
    (b"\x01\xda\x00\x01", 0, f"an SGI image: {_EXPORT}"),
    (b"\x01\xda\x01\x01", 0, f"an SGI image: {_EXPORT}"),
    (b"\n\x05\x01", 0, f"a PCX image: {_EXPORT}"),
    (b"BA", 0, f"an OS/2 bitmap array: {_EXPORT}"),
    (b"\x8aMNG\r\n\x1a\n", 0, f"an MNG animation: {_EXPORT}"),
    (b"\x8bJNG\r\n\x1a\n", 0, f"a JNG image: {_EXPORT}"),
    *((b"P%d%c" % (n, end), 0, f"a PNM image: {_EXPORT}") for n in range(1, 8) for end in b"\n "),
    (b"\xd7\xcd\xc6\x9a", 0, f"a Windows metafile: {_EXPORT}"),
    (b" EMF", 40, f"a Windows metafile: {_EXPORT}"),
    (b"\0\0\1\0", 0, f"an icon: {_EXPORT}"),
    (b"\0\0\2\0\0\0", 0, f"a Targa image: {_EXPORT}"),  # a cursor has at least one picture
    (b"\0\0\2\0", 0, f"a cursor: {_EXPORT}"),
    (b"icns", 0, f"an icon: {_EXPORT}"),
    (b"%!PS", 0, f"a PostScript file: {_EXPORT}"),
    (b"\xc5\xd0\xd3\xc6", 0, f"a PostScript file: {_EXPORT}"),
    (b"%PDF", 0, f"a PDF document: {_EXPORT}"),
    (b"\0\x05\x16\x07", 0, "a macOS side file (AppleDouble), which holds no image"),
    (b"version https://git-lfs", 0, "a Git LFS pointer: fetch the image itself with git lfs pull"),
    (b"PK\x03\x04", 0, "a ZIP archive"),
    (b"PK\x05\x06", 0, "an empty ZIP archive"),
    (b"\x1f\x8b", 0, "gzip data"),
    (b"BZh", 0, "bzip2 data"),
    (b"\xfd7zXZ\0", 0, "xz data"),
    (b"\x28\xb5\x2f\xfd", 0, "Zstandard data"),
    (b"7z\xbc\xaf\x27\x1c", 0, "a 7z archive"),
    (b"Rar!", 0, "a RAR archive"),
    (b"ustar", 257, "a tar archive"),
    (b"\x1aE\xdf\xa3", 0, "a Matroska or WebM video"),
    (b"AVI ", 8, "an AVI video"),
    (b"WAVE", 8, "a WAVE sound"),
    (b"FLV\x01", 0, "a Flash video"),
    (b"\0\0\x01\xba", 0, "an MPEG video"),
    (b"OggS", 0, "an Ogg sound or video"),
    (b"ID3", 0, "an MP3 sound"),
    (b"PAR1", 0, "a Parquet table"),
    (b"ARROW1", 0, "an Arrow table"),
    (b"SQLite format 3", 0, "an SQLite database"),
    (b"\x89HDF", 0, "an HDF5 file"),
    (b"\x93NUMPY", 0, "a NumPy array"),
    (b"\x7fELF", 0, "a program"),
    (b"MZ", 0, "a program"),
)
