"""The only place that opens images: bytes or a path in, RGB pixels and their facts out.

Order of things: read within the byte limit, name the format by its signature, walk the container
(`images.formats`) and check every limit, and only then let a decoder allocate pixels. The decoder
is told the one format it may try, so a file cannot choose among Pillow's forty.

An embedded colour profile is reported but not applied: forensics wants the stored values, and two
images that differ only in profile must get the same score.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import hashlib
import importlib
import io
import os
import re
import stat
import warnings
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
from PIL import Image
from pydantic import Field

from authentiscan.core.errors import (
    CorruptImageError,
    DecodeError,
    EmptyFileError,
    ImageLimitError,
    MissingExtraError,
    UnreadableFileError,
    UsageError,
)
from authentiscan.core.records import Record
from authentiscan.core.types import DecodedImage, ImageFacts, RGBImage
from authentiscan.images import icc
from authentiscan.images.formats import Survey, survey
from authentiscan.images.jpeg import decode_fast, decode_own
from authentiscan.images.pixels import to_rgb

Source: TypeAlias = Path | str | bytes | BinaryIO

_PILLOW_REFUSES_ABOVE = 178_956_970


class Limits(Record):
    """What an image may claim before pixels are allocated. Beyond any of them: ImageLimitError.

    bytes: of the encoded file. pixels: width times height. frames: of an animation or multi-page
    file, of which only the first is decoded. metadata: bytes of EXIF, XMP, profiles, text and the
    like, after inflation.
    """

    bytes: int = Field(default=128 * 2**20, gt=0)
    pixels: int = Field(default=100_000_000, gt=0, le=_PILLOW_REFUSES_ABOVE)
    frames: int = Field(default=10_000, gt=0)
    metadata: int = Field(default=32 * 2**20, gt=0)


DEFAULT_LIMITS = Limits()


def decode(source: Source, *, limits: Limits = DEFAULT_LIMITS) -> DecodedImage:
    """Decode a path, encoded bytes or an open binary file to RGB pixels (H, W, 3) uint8 and facts.

    EXIF orientation is applied, transparency composed over white, 16-bit reduced to its high byte;
    of several frames the first is taken.

    Raises UnreadableFileError, EmptyFileError, UnsupportedFormatError, CorruptImageError or
    ImageLimitError, all DecodeError; MissingExtraError for HEIC without the ``heif`` extra.
    """
    data = read_source(source, limits)
    found = survey(data, metadata_limit=limits.metadata, frame_limit=limits.frames)
    _check(found, limits)
    try:
        return _decode_fast(data, found) or _decode_with_pillow(data, found, limits)
    except (DecodeError, MissingExtraError):
        raise
    except Image.DecompressionBombError as error:
        raise ImageLimitError(str(error)) from error
    except MemoryError as error:
        raise ImageLimitError(f"{found.format} that needs more memory than there is") from error
    except (
        Exception
    ) as error:  # decoders raise anything on hostile bytes; all of it means one thing
        raise CorruptImageError(f"{found.format} that is truncated or broken: {error}") from error


def encode(pixels: RGBImage, format: str, **options: Any) -> bytes:
    """Encode RGB pixels (H, W, 3) uint8.

    JPEG takes ``quality`` (1..100, default 90), ``subsampling`` (``4:4:4``, ``4:2:2``,
    ``4:2:0``), ``progressive``, ``optimize``; WEBP ``quality``, ``lossless``, ``method``; PNG
    ``compress_level``; AVIF ``quality``, ``speed``.

    Raises UsageError for other formats, options or pixels.
    """
    name = {"JPG": "JPEG"}.get(format.upper(), format.upper())
    if name not in _ENCODINGS:
        raise UsageError(f"cannot encode as {format!r}; known are {', '.join(_ENCODINGS)}")
    unknown = sorted(set(options) - set(_ENCODINGS[name]))
    if unknown:
        raise UsageError(f"{name} does not take {unknown}; it takes {sorted(_ENCODINGS[name])}")
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise UsageError(f"pixels must be uint8 (H, W, 3), got {pixels.dtype} {pixels.shape}")
    buffer = io.BytesIO()
    try:
        Image.fromarray(pixels).save(buffer, name, **{**_ENCODINGS[name], **options})
    except (ValueError, TypeError, OSError) as error:
        raise UsageError(f"{name} cannot be written with {options}: {error}") from error
    return buffer.getvalue()


def encoded_again(pixels: RGBImage, format: str, **options: Any) -> RGBImage:
    """Pixels (H, W, 3) uint8 as `decode` finds them in what `encode` makes of ``pixels``.

    The bytes are our own, so a JPEG's are decoded without the checks that a stranger's file needs.
    """
    data = encode(pixels, format, **options)
    own = decode_own(data) if format.upper() in ("JPEG", "JPG") else None
    return decode(data).pixels if own is None else own


_ENCODINGS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 90, "subsampling": "4:2:0", "progressive": False, "optimize": False},
    "PNG": {"compress_level": 6},
    "WEBP": {"quality": 80, "lossless": False, "method": 4},
    "AVIF": {"quality": 75, "speed": 6},
}


def read_source(source: Source, limits: Limits = DEFAULT_LIMITS) -> bytes:
    """The encoded bytes of ``source``, read within ``limits.bytes``.

    Only regular files are read, so a pipe or a device can neither hang nor flood the caller. Raises
    UnreadableFileError, EmptyFileError or ImageLimitError.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        data = bytes(source)
    elif isinstance(source, str | os.PathLike):
        data = _read_file(Path(source), limits.bytes)
    elif hasattr(source, "read"):
        data = source.read(limits.bytes + 1)
    else:
        raise UsageError(
            f"cannot read an image from {type(source).__name__}; "
            "give a path, bytes or a binary file"
        )
    if not data:
        raise EmptyFileError("the file is empty (0 bytes)")
    if len(data) > limits.bytes:
        raise ImageLimitError(
            f"{len(data):,} bytes or more; at most {limits.bytes:,} bytes are allowed"
        )
    return data


def _read_file(path: Path, limit: int) -> bytes:
    try:
        kind = path.stat().st_mode
        if stat.S_ISDIR(kind):
            raise UnreadableFileError(f"{path} is a folder, not an image file")
        if not stat.S_ISREG(kind):
            raise UnreadableFileError(f"{path} is a pipe, socket or device, not a regular file")
        # Non-blocking, and checked again once open: the path may have been swapped for a pipe.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(path, flags), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise UnreadableFileError(f"{path} is not a regular file")
            if status.st_size > limit:
                raise ImageLimitError(
                    f"{status.st_size:,} bytes; at most {limit:,} bytes are allowed"
                )
            return file.read(limit + 1)
    except OSError as error:
        reason = {errno.ENOENT: "does not exist", errno.EACCES: "may not be read (no permission)"}
        told = reason.get(error.errno or 0, f"cannot be read: {error.strerror}")
        raise UnreadableFileError(f"{path} {told}") from error
    except ValueError as error:  # a NUL byte in the path
        raise UnreadableFileError(f"{str(path)!r} is not a possible path: {error}") from error


def _check(found: Survey, limits: Limits) -> None:
    """Raise ImageLimitError where the container announces more than the limits allow."""
    pixels = found.width * found.height
    if pixels > limits.pixels:
        raise ImageLimitError(
            f"{found.width}x{found.height} is {pixels:,} pixels; "
            f"at most {limits.pixels:,} are allowed"
        )
    if found.metadata > limits.metadata:
        raise ImageLimitError(f"metadata of more than {limits.metadata:,} bytes")
    if found.frames > limits.frames:
        raise ImageLimitError(f"more than {limits.frames:,} frames")


def _decode_fast(data: bytes, found: Survey) -> DecodedImage | None:
    header = found.jpeg
    pixels = decode_fast(data, header) if header is not None else None
    if header is None or pixels is None:
        return None
    turn = _orientation(header.exif)
    mode = "L" if len(header.components) == 1 else "RGB"
    return _decoded(data, found, _turned(pixels, turn), mode, turned=turn > 1, alpha=False)


def _decode_with_pillow(data: bytes, found: Survey, limits: Limits) -> DecodedImage:
    _silence_warnings()
    if found.format == "HEIF":
        _register_heif()
    elif found.format == "TIFF":
        _silence_libtiff()
    formats = ["JPEG"] if found.format == "MPO" else [found.format]
    with Image.open(io.BytesIO(found.content), formats=formats) as image:
        info = image.info
        found.width, found.height = image.size
        if found.format in ("AVIF", "HEIF"):
            found.frames = int(getattr(image, "n_frames", 1))
            found.icc = info.get("icc_profile") or b""
            found.metadata = sum(len(info.get(key) or b"") for key in ("exif", "xmp")) + len(
                found.icc
            )
        _check(found, limits)
        mode, turn = image.mode, _orientation(info.get("exif") or b"")
        if found.format in ("TIFF", "HEIF"):  # their decoders turn the pixels themselves
            turned = _orientation_of_tag(image, info) > 1
            turn = 1
        else:
            turned = turn > 1
        image.load()
        if found.format == "TIFF" and not found.icc:
            found.icc = info.get("icc_profile") or b""
        pixels, alpha = to_rgb(image)
    return _decoded(data, found, _turned(pixels, turn), mode, turned=turned, alpha=alpha)


def _decoded(
    data: bytes, found: Survey, pixels: RGBImage, mode: str, *, turned: bool, alpha: bool
) -> DecodedImage:
    if pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        raise CorruptImageError(f"{found.format} without pixels: {pixels.shape}")
    return DecodedImage(
        pixels,
        ImageFacts(
            format=found.format,
            width=pixels.shape[1],
            height=pixels.shape[0],
            mode=mode,
            bytes=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
            jpeg_quality=found.jpeg.quality if found.jpeg else None,
            jpeg_subsampling=found.jpeg.subsampling if found.jpeg else None,
            orientation_applied=turned,
            frames=found.frames,
            has_alpha=alpha,
            colour_profile=icc.description(found.icc),
        ),
    )


def _orientation(exif: bytes) -> int:
    """EXIF orientation 1..8; 1 where there is none or it cannot be read."""
    if not exif:
        return 1
    record = Image.Exif()
    try:
        record.load(exif)
        value = record.get(0x0112, 1)
    except Exception:  # broken EXIF says nothing about the pixels
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _orientation_of_tag(image: Image.Image, info: dict[Any, Any]) -> int:
    if "original_orientation" in info:  # HEIC: what libheif has already applied
        return int(info["original_orientation"] or 1)
    value = getattr(image, "tag_v2", {}).get(0x0112, 1)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _turned(pixels: RGBImage, orientation: int) -> RGBImage:
    """Pixels as they are to be seen, given their EXIF orientation 1..8."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def _register_heif() -> None:
    try:
        import pillow_heif
    except ImportError as error:
        raise MissingExtraError("reading HEIC images", "heif") from error
    pillow_heif.register_heif_opener(thumbnails=False)


_DECODER_MODULES = re.compile(r"(PIL|pillow_heif)\b")


def _silence_warnings() -> None:
    """Keep decoders' warnings about strange files from the caller's stderr.

    A filter for the whole process, on these modules only: `warnings.catch_warnings` is not safe in
    threads. Put back at each call, since test runners and others restore older filters.
    """
    if not any(entry[3] == _DECODER_MODULES for entry in warnings.filters[:3]):
        warnings.filterwarnings("ignore", module=_DECODER_MODULES.pattern)


@functools.cache
def _silence_libtiff() -> None:
    """Keep libtiff from printing its complaints about broken files straight to stderr.

    Pillow reports the failure anyhow. Where its libtiff is linked in statically there is nothing to
    call, and the complaints stay.
    """
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(importlib.import_module("PIL._imaging").__file__)
        for name in ("TIFFSetErrorHandler", "TIFFSetWarningHandler"):
            handler = getattr(library, name)
            handler.restype = ctypes.c_void_p
            handler(ctypes.c_void_p(None))
