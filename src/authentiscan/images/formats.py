"""Which image format bytes are, and how large, before any decoder is let near them.

`sniff` names the format by signature; `survey` walks the container within bounds, so that limits
are checked before a decoder allocates pixels or inflates metadata.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from authentiscan.core.errors import CorruptImageError, ImageLimitError, UnsupportedFormatError
from authentiscan.images.jpeg import JpegHeader
from authentiscan.images.jpeg import read_header as read_jpeg_header
from authentiscan.images.tiff import read_header as read_tiff_header

ALLOWED = ("JPEG", "MPO", "PNG", "WEBP", "AVIF", "TIFF", "BMP", "GIF", "HEIF")
MAX_PARTS = 100_000  # chunks of a PNG or WebP, blocks of a GIF


@dataclass(slots=True)
class Survey:
    """What the container announces.

    width, height: as stored, 0 where only the decoder can tell (AVIF, HEIF).
    metadata: bytes of everything that is not pixels, inflated.
    content: the bytes for the decoder, without metadata it would otherwise inflate.
    """

    format: str
    content: bytes
    width: int = 0
    height: int = 0
    frames: int = 1
    metadata: int = 0
    icc: bytes = b""
    jpeg: JpegHeader | None = None


_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
)


def sniff(head: bytes) -> str:
    """Pillow's name of the format that the first bytes announce.

    Raises UnsupportedFormatError, naming what it is where that is known.
    """
    if head[4:8] == b"ftyp":
        return _iso_brand(head)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[:2] == b"BM" and head[6:10] == b"\0\0\0\0":
        return "BMP"
    for signature, name in _SIGNATURES:
        if head.startswith(signature) and not (name == "TIFF" and head[8:10] == b"CR"):
            return name
    raise UnsupportedFormatError(
        f"{_other_kind(head)}; allowed are JPEG, PNG, WebP, AVIF, TIFF, BMP, GIF, MPO and HEIC"
    )


def _iso_brand(head: bytes) -> str:
    size = min(int.from_bytes(head[:4], "big"), len(head), 256)
    brands = {head[8:12]} | {head[at : at + 4] for at in range(16, size - 3, 4)}
    if brands & {b"avif", b"avis"}:
        return "AVIF"
    if brands & {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"}:
        return "HEIF"
    name = head[8:12].decode("ascii", "replace").strip()
    raise UnsupportedFormatError(
        f"a video or other ISO media file (brand {name!r}), not an image; "
        "of this family AVIF and HEIC images are allowed"
    )


_KINDS: tuple[tuple[bytes, int, str], ...] = (
    (b"%!PS", 0, "a PostScript file"),
    (b"\xc5\xd0\xd3\xc6", 0, "a PostScript file"),
    (b"%PDF", 0, "a PDF document"),
    (b"PK\x03\x04", 0, "a ZIP archive"),
    (b"\x1f\x8b", 0, "gzip data"),
    (b"8BPS", 0, "a Photoshop document"),
    (b"\x1aE\xdf\xa3", 0, "a Matroska or WebM video"),
    (b"AVI ", 8, "an AVI video"),
    (b"\0\0\0\x0cJXL ", 0, "a JPEG XL image"),
    (b"\xff\x0a", 0, "a JPEG XL image"),
    (b"\0\0\0\x0cjP  ", 0, "a JPEG 2000 image"),
    (b"\0\0\x01\0", 0, "an icon"),
    (b"ustar", 257, "a tar archive"),
    (b"\x7fELF", 0, "a program"),
    (b"MZ", 0, "a program"),
    (b"PAR1", 0, "a Parquet table"),
    (b"CR", 8, "a camera raw file"),
)


def _other_kind(head: bytes) -> str:
    for signature, offset, name in _KINDS:
        if head[offset : offset + len(signature)] == signature:
            return name
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<svg", b"<?xml")):
        return "an SVG or XML document"
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return "an HTML page"
    if head and all(32 <= byte < 127 or byte in b"\t\r\n" for byte in head[:64]):
        return "a text file"
    return f"no known image format (first bytes {head[:8].hex(' ')})"


def survey(data: bytes, *, metadata_limit: int, frame_limit: int) -> Survey:
    """Walk the container of ``data``: nothing is decoded, at most ``metadata_limit`` inflated.

    Raises UnsupportedFormatError, CorruptImageError or ImageLimitError.
    """
    name = sniff(data[:512])
    try:
        match name:
            case "JPEG":
                found = _jpeg(data)
            case "PNG":
                found = _png(data, metadata_limit)
            case "WEBP":
                found = _webp(data)
            case "GIF":
                found = _gif(data, frame_limit)
            case "TIFF":
                found = _tiff(data, frame_limit)
            case "BMP":
                found = _bmp(data)
            case _:
                found = Survey(name, data)
    except (struct.error, IndexError) as error:
        raise CorruptImageError(f"{name} with a broken or truncated header") from error
    return found


def _jpeg(data: bytes) -> Survey:
    header = read_jpeg_header(data)
    return Survey(
        "MPO" if header.images > 1 else "JPEG",
        data,
        header.width,
        header.height,
        frames=header.images,
        metadata=header.metadata,
        icc=header.profile,
        jpeg=header,
    )


def _tiff(data: bytes, frame_limit: int) -> Survey:
    header = read_tiff_header(data, frame_limit)
    return Survey(
        "TIFF", data, header.width, header.height, frames=header.frames, metadata=header.metadata
    )


_PNG_KEPT = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"eXIf"})


def _png(data: bytes, metadata_limit: int) -> Survey:
    """Text, profile and animation are dropped from what the decoder gets: it needs none of it."""
    found = Survey("PNG", data)
    found.width, found.height = struct.unpack(">II", data[16:24])
    kept, position, parts = [data[:8]], 8, 0
    while position + 8 <= len(data):
        parts += 1
        if parts > MAX_PARTS:
            raise ImageLimitError(f"PNG with more than {MAX_PARTS:,} chunks")
        length = int.from_bytes(data[position : position + 4], "big")
        kind = data[position + 4 : position + 8]
        end = position + 12 + length
        if kind in _PNG_KEPT:
            kept.append(data[position:end])
        elif kind == b"acTL":
            found.frames = max(1, int.from_bytes(data[position + 8 : position + 12], "big"))
        elif kind not in (b"fcTL", b"fdAT"):
            body = data[position + 8 : position + 8 + length]
            inflated = _png_inflated(kind, body, max(0, metadata_limit - found.metadata))
            found.metadata += len(body) + len(inflated)
            found.icc = inflated if kind == b"iCCP" and not found.icc else found.icc
        if found.metadata > metadata_limit or kind == b"IEND":
            break
        position = end
    found.content = b"".join(kept)
    return found


def _png_inflated(kind: bytes, body: bytes, budget: int) -> bytes:
    """The inflated part of a compressed chunk, at most one byte over ``budget``."""
    packed = b""
    if kind in (b"iCCP", b"zTXt"):
        packed = body.partition(b"\0")[2][1:]
    elif kind == b"iTXt":
        rest = body.partition(b"\0")[2]
        if rest[:1] == b"\x01":
            packed = rest[2:].partition(b"\0")[2].partition(b"\0")[2]
    if not packed:
        return b""
    try:
        return zlib.decompressobj().decompress(packed, budget + 1)
    except zlib.error:
        return b""


def _webp(data: bytes) -> Survey:
    found = Survey("WEBP", data)
    kind, body = data[12:16], data[20:30]
    if len(body) < 10:
        raise CorruptImageError("WebP with a truncated header")
    if kind == b"VP8X":
        found.width = int.from_bytes(body[4:7], "little") + 1
        found.height = int.from_bytes(body[7:10], "little") + 1
    elif kind == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        found.width, found.height = (bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1
    else:
        found.width = int.from_bytes(body[6:8], "little") & 0x3FFF
        found.height = int.from_bytes(body[8:10], "little") & 0x3FFF
    position, parts, frames = 12, 0, 0
    while position + 8 <= len(data):
        parts += 1
        if parts > MAX_PARTS:
            raise ImageLimitError(f"WebP with more than {MAX_PARTS:,} chunks")
        kind = data[position : position + 4]
        length = int.from_bytes(data[position + 4 : position + 8], "little")
        frames += kind == b"ANMF"
        if kind in (b"ICCP", b"EXIF", b"XMP ", b"C2PA"):
            found.metadata += length
        if kind == b"ICCP":
            found.icc = data[position + 8 : position + 8 + length]
        position += 8 + length + (length & 1)
    found.frames = max(1, frames)
    return found


def _gif(data: bytes, frame_limit: int) -> Survey:
    width, height = struct.unpack("<HH", data[6:10])
    found = Survey("GIF", data, width, height, frames=0)
    flags = data[10]
    position, parts = 13 + (3 << ((flags & 7) + 1) if flags & 0x80 else 0), 0
    while position < len(data):
        kind = data[position]
        if kind == 0x2C and position + 10 <= len(data):
            left, top, width, height, flags = struct.unpack(
                "<HHHHB", data[position + 1 : position + 10]
            )
            if found.frames == 0:  # Pillow enlarges the canvas to what the first frame needs
                found.width = max(found.width, left + width)
                found.height = max(found.height, top + height)
            found.frames += 1
            position += 11 + (3 << ((flags & 7) + 1) if flags & 0x80 else 0)
        elif kind == 0x21:
            position += 2
        else:
            break
        start = position
        while position < len(data) and data[position]:
            position += 1 + data[position]
            parts += 1
        position += 1
        if kind == 0x21:
            found.metadata += position - start
        if parts > 20 * MAX_PARTS or found.frames > frame_limit:
            break
    found.frames = max(1, found.frames)
    return found


def _bmp(data: bytes) -> Survey:
    found = Survey("BMP", data)
    if struct.unpack("<I", data[14:18])[0] == 12:
        found.width, found.height = struct.unpack("<HH", data[18:22])
        return found
    width, height = struct.unpack("<ii", data[18:26])
    found.width, found.height = abs(width), abs(height)
    compression = struct.unpack("<I", data[30:34])[0]
    if compression in (1, 2) and found.width * found.height > 10_000_000:
        raise ImageLimitError(
            f"run-length coded BMP of {found.width}x{found.height} pixels; "
            "at most 10 megapixels are allowed in this coding, save it as PNG"
        )
    return found
