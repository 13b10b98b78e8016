"""Pillow held in hand: one plug-in by name, no limits of its own, nothing on standard error."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib
import io
import logging
import re
import struct
import warnings
import zlib
from collections.abc import Callable

from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from authentiscan.core.errors import (
    CorruptImageError,
    DecodeError,
    MissingExtraError,
    UnsupportedFormatError,
)
from authentiscan.images.walk import Walk, png

_PLUGINS: dict[str, Callable[[io.BytesIO, str], ImageFile.ImageFile]] = {
    "JPEG": JpegImagePlugin.JpegImageFile,
    "MPO": JpegImagePlugin.JpegImageFile,
    "PNG": PngImagePlugin.PngImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
    "AVIF": AvifImagePlugin.AvifImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "GIF": GifImagePlugin.GifImageFile,
}


def opened(walked: Walk) -> Image.Image:
    """The image of a walk that passed the limits; its pixels are not decoded before ``load``.

    Called directly, a plug-in gives its own reason where it fails, and `Image.open`'s limit of
    pixels stays out of the way.

    Raises UnsupportedFormatError for a variant that Pillow cannot read, CorruptImageError,
    MissingExtraError for HEIC without the ``heif`` extra.
    """
    _silence()
    pixels = walked.width * walked.height
    if Image.MAX_IMAGE_PIXELS is not None and pixels > Image.MAX_IMAGE_PIXELS:
        # Some plug-ins ask for it too. Raised only for what our own limits have let through.
        Image.MAX_IMAGE_PIXELS = pixels
    plugin = _heif() if walked.format == "HEIF" else _PLUGINS[walked.format]
    content = io.BytesIO(_content(walked))
    try:
        return plugin(content, "")
    except MemoryError:
        raise
    except Exception as error:  # plug-ins raise anything on hostile bytes
        raise failure(walked, error, variant=bool(walked.variant)) from error


def failure(walked: Walk, error: Exception, *, variant: bool) -> DecodeError:
    """The error to tell of: a variant that is not supported, else a file that is broken."""
    if variant:
        return UnsupportedFormatError(
            f"{walked.variant}: this variant is not supported; save it as an 8-bit PNG or TIFF"
        )
    broken = "truncated or broken"
    if walked.format in ("AVIF", "HEIF"):
        broken = "truncated, broken or of a variant that is not supported"
    reason = _reason(error)
    return CorruptImageError(f"{walked.format} that is {broken}{': ' * bool(reason)}{reason}")


_OF_PROGRAMS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    TypeError,
    UnicodeError,
    struct.error,
)
_OF_NO_USE = re.compile(r"<[^>]* at 0x[0-9a-f]+>|\b0x[0-9a-f]{6,}|\bobject\b|\bdriver\b")
_BYTES = re.compile(r"\bb'([^']*)'")


def _reason(error: Exception) -> str:
    """A decoder's own words where they say something of the file; the same words in every run."""
    if isinstance(error, _OF_PROGRAMS) or isinstance(error.__cause__, _OF_PROGRAMS):
        return ""
    text = str(error)
    return "" if _OF_NO_USE.search(text) else _BYTES.sub(r"\1", text)


def _content(walked: Walk) -> bytes:
    """The bytes for the decoder: of a PNG without metadata that it would otherwise inflate."""
    if walked.apple:
        return _standard(walked)
    if not walked.pixels:
        return bytes(walked.data)
    kept = sum(map(len, walked.pixels)) + len(png.SIGNATURE)
    if kept == len(walked.data):
        return bytes(walked.data)
    return b"".join([png.SIGNATURE, *walked.pixels])


def _standard(walked: Walk) -> bytes:
    """A PNG by the standard from Apple's variant (CgBI), whose pixel data has no zlib wrapping."""
    header = next((bytes(c[8:21]) for c in walked.pixels if bytes(c[4:8]) == b"IHDR"), b"")
    if len(header) < 13 or header[8] != 8 or header[9] not in (2, 6):
        raise UnsupportedFormatError(
            "Apple's PNG variant (CgBI) in other than 8-bit RGB: not supported; "
            "convert it with pngcrush -revert-iphone-optimizations"
        )
    # Interlaced rows come in seven passes, each with filter bytes of its own.
    most = walked.height * (8 + walked.width * (4 if header[9] == 6 else 3)) + 64
    parts = [chunk[8:-4] for chunk in walked.pixels if bytes(chunk[4:8]) == b"IDAT"]
    wrapped = b"".join([b"\x78\x01", *parts, struct.pack(">I", _checksum(parts, most))])
    content = [png.SIGNATURE, _chunk(b"IHDR", header), _chunk(b"IDAT", wrapped)]
    return b"".join([*content, _chunk(b"IEND", b"")])


def _checksum(parts: list[memoryview], most: int) -> int:
    """Adler-32 of what bare deflate data unpacks to; a megabyte is held, ``most`` is unpacked."""
    engine, check = zlib.decompressobj(-zlib.MAX_WBITS), 1
    for part in parts:
        packed: bytes | memoryview = part
        while packed and most > 0:
            out = engine.decompress(packed, 2**20)
            packed, most = engine.unconsumed_tail, most - len(out)
            check = zlib.adler32(out, check)
    return zlib.adler32(engine.flush(), check) if most > 0 else check


def _chunk(name: bytes, body: bytes) -> bytes:
    check = zlib.crc32(name + body)
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", check)


def _heif() -> Callable[[io.BytesIO, str], ImageFile.ImageFile]:
    try:
        import pillow_heif
    except ImportError as error:
        raise MissingExtraError("reading HEIC images", "heif") from error
    pillow_heif.options.THUMBNAILS = False
    plugin: Callable[[io.BytesIO, str], ImageFile.ImageFile] = pillow_heif.HeifImageFile
    return plugin


_DECODER_MODULES = re.compile(r"(PIL|pillow_heif)\b")


def _silence() -> None:
    """Keep decoders' words about strange files from the caller's stderr.

    A filter for the whole process, on these modules only: `warnings.catch_warnings` is not safe in
    threads. Put back at each call, since test runners and others restore older filters.
    """
    if not any(entry[3] == _DECODER_MODULES for entry in warnings.filters[:3]):
        warnings.filterwarnings("ignore", module=_DECODER_MODULES.pattern)
    _silence_libraries()


@functools.cache
def _silence_libraries() -> None:
    """Keep Pillow's log and libtiff's complaints from being printed where nobody asked for them.

    A program that sets up logging still gets Pillow's log. Pillow reports libtiff's failures
    anyhow. Where its libtiff is linked in statically there is nothing to call.
    """
    logging.getLogger("PIL").addHandler(logging.NullHandler())
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(importlib.import_module("PIL._imaging").__file__)
        for name in ("TIFFSetErrorHandler", "TIFFSetWarningHandler"):
            handler = getattr(library, name)
            handler.restype = ctypes.c_void_p
            handler(ctypes.c_void_p(None))
