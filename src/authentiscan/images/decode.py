"""The only place that opens images: bytes or a path in, RGB pixels and their facts out.

Order of things: read within the byte limit, name the format by its signature, walk the container
(`images.walk`) and check every limit, and only then let a decoder allocate pixels. The decoder
is told the one format it may try, so a file cannot choose among Pillow's forty.

An embedded colour profile is reported but not applied: forensics wants the stored values, and two
images that differ only in profile must get the same score.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
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
from authentiscan.images import icc, pillow
from authentiscan.images.jpeg import decode_fast, decode_own
from authentiscan.images.pixels import TRANSPARENT_MODES, from_apple, to_rgb
from authentiscan.images.walk import Walk, tiff, walk
from authentiscan.images.walk.record import unpacked_size

Source: TypeAlias = Path | str | bytes | BinaryIO

BYTES_A_PIXEL = 16
"""Most memory that decoding takes, beside the file (WebP; JPEG takes 3 to 6, PNG 8, AVIF 10)."""

_POSSIBLE = 1_000_000_000  # pixels of the largest photographs stitched; more is a broken header


class Limits(Record):
    """What an image may claim before pixels are allocated. Beyond any of them: ImageLimitError.

    bytes: of the encoded file. pixels: width times height; the largest photographs of phones have
    16384 x 12288 pixels, which take at most 3.2 GB (`BYTES_A_PIXEL`), as JPEG 1.2. frames: of an
    animation or multi-page file, of which only the first is decoded. metadata: bytes of EXIF, XMP,
    profiles, text and the like, after inflation.
    """

    bytes: int = Field(default=128 * 2**20, gt=0)
    pixels: int = Field(default=16384 * 12288, gt=0)
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
    return decode_walked(read_source(source, limits), limits=limits)[0]


def decode_walked(data: bytes, *, limits: Limits = DEFAULT_LIMITS) -> tuple[DecodedImage, Walk]:
    """As `decode` of encoded bytes; and the walk over them, for whoever reads their metadata.

    Raises as `decode` does.
    """
    whole = walk(data)
    found = _allowed(whole, limits)
    with _explained(found):
        image = _decode_fast(data, found) or _decode_with_pillow(data, found, limits)
    return image, whole


def read_header_facts(source: Source, *, limits: Limits = DEFAULT_LIMITS) -> ImageFacts:
    """The facts that `decode` would give, from the headers alone: no pixel is decoded.

    Some forty times faster for photographs. Broken pixels stay unseen, and ``has_alpha`` says
    whether there is a channel for transparency, not whether any pixel uses it.

    Raises as `decode` does where the headers are broken or beyond the limits.
    """
    data = read_source(source, limits)
    found = _allowed(walk(data), limits)
    with _explained(found):
        header = found.jpeg
        if header is not None and len(header.components) in (1, 3):
            mode, turn = "L" if len(header.components) == 1 else "RGB", _orientation(found)
            profile: str | None = icc.description(_profile(found))
        else:
            with pillow.opened(found) as image:
                mode = image.mode
                stored, turn = _looked_at(image, found, limits)
                profile = icc.description(stored)
        size = found.width, found.height
        # The decoders of these turn what they say of the size themselves.
        sideways = turn >= 5 and found.format not in ("TIFF", "HEIF")
        seen = size[::-1] if sideways else size
        alpha = mode in TRANSPARENT_MODES
        return _facts(data, found, seen, mode, turned=turn > 1, alpha=alpha, profile=profile)


def _allowed(whole: Walk, limits: Limits) -> Walk:
    """A copy, for decoders to fill in what only they know, once all limits are checked."""
    found = replace(whole)
    if found.refusal is not None:
        raise found.refusal
    for block in found.blocks:
        if block.packed and found.metadata <= limits.metadata:
            found.metadata += unpacked_size(block.content, limits.metadata - found.metadata + 1)
    _check(found, limits)
    return found


@contextmanager
def _explained(found: Walk) -> Iterator[None]:
    """Whatever a decoder raises becomes an error that says what is wrong with the file."""
    try:
        yield
    except (DecodeError, MissingExtraError):
        raise
    except MemoryError as error:
        raise ImageLimitError(f"{found.format} that needs more memory than there is") from error
    except (
        Exception
    ) as error:  # decoders raise anything on hostile bytes; all of it means one thing
        unusual = found.jpeg is not None and bool(found.variant)
        raise pillow.failure(found, error, variant=unusual) from error


def encode(pixels: RGBImage, format: str, *, software: str = "", **options: Any) -> bytes:
    """Encode RGB pixels (H, W, 3) uint8.

    JPEG takes ``quality`` (1..100, default 90), ``subsampling`` (``4:4:4``, ``4:2:2``,
    ``4:2:0``), ``progressive``, ``optimize``; WEBP ``quality``, ``lossless``, ``method``; PNG
    ``compress_level``; AVIF ``quality``, ``speed``. software: stands in the EXIF block, which is
    absent where this is empty.

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
    if software:
        options["exif"] = exif = Image.Exif()
        exif[_SOFTWARE_TAG] = software
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


_SOFTWARE_TAG = 0x0131
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
        known = isinstance(source, bytes | bytearray | memoryview)
        raise ImageLimitError.of_bytes(limits.bytes, len(data) if known else None)
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
                raise ImageLimitError.of_bytes(limit, status.st_size)
            return file.read(limit + 1)
    except OSError as error:
        reason = {errno.ENOENT: "does not exist", errno.EACCES: "may not be read (no permission)"}
        text = reason.get(error.errno or 0, f"cannot be read: {error.strerror}")
        raise UnreadableFileError(f"{path} {text}") from error
    except ValueError as error:  # a NUL byte in the path
        raise UnreadableFileError(f"{str(path)!r} is not a possible path: {error}") from error


def _check(found: Walk, limits: Limits) -> None:
    """Raise ImageLimitError where the container announces more than the limits allow."""
    pixels = found.width * found.height
    if pixels > limits.pixels:
        memory = max(0.1, pixels * BYTES_A_PIXEL / 1e9)
        way = f"; --max-pixels {pixels} allows it (up to {memory:.1f} GB of memory)"
        raise ImageLimitError(
            f"{found.width}x{found.height} is {pixels:,} pixels; at most {limits.pixels:,} are "
            f"allowed{way if pixels <= _POSSIBLE else ''}"
        )
    if found.metadata > limits.metadata:
        raise ImageLimitError(f"metadata of more than {limits.metadata:,} bytes")
    if found.frames > limits.frames:
        raise ImageLimitError(f"more than {limits.frames:,} frames")


def _decode_fast(data: bytes, found: Walk) -> DecodedImage | None:
    header = found.jpeg
    pixels = decode_fast(data, header) if header is not None else None
    if header is None or pixels is None:
        return None
    turn = _orientation(found)
    mode = "L" if len(header.components) == 1 else "RGB"
    profile = icc.description(_profile(found))
    pixels = _turned(pixels, turn)
    return _decoded(data, found, pixels, mode, turned=turn > 1, alpha=False, profile=profile)


def _decode_with_pillow(data: bytes, found: Walk, limits: Limits) -> DecodedImage:
    with pillow.opened(found) as image:
        profile, turn = _looked_at(image, found, limits)
        mode, turned = image.mode, turn > 1
        image.load()
        pixels, alpha = from_apple(image) if found.apple else to_rgb(image)
    if found.format in ("TIFF", "HEIF"):  # their decoders turn the pixels themselves
        turn = 1
    pixels = _turned(pixels, turn)
    name = icc.description(profile)
    return _decoded(data, found, pixels, mode, turned=turned, alpha=alpha, profile=name)


def _looked_at(image: Image.Image, found: Walk, limits: Limits) -> tuple[bytes, int]:
    """The colour profile and EXIF orientation of an opened image; its limits are checked again."""
    info = image.info
    profile = _profile(found)
    found.width, found.height = image.size
    turn = _orientation(found)
    if found.format in ("AVIF", "HEIF"):
        found.frames = int(getattr(image, "n_frames", 1))
        profile = info.get("icc_profile") or b""
        sizes = [len(info.get(key) or b"") for key in ("exif", "xmp")]
        found.metadata = max(found.metadata, sum(sizes) + len(profile))
        turn = _orientation_of(info)
    _check(found, limits)
    return profile, turn


def _decoded(
    data: bytes,
    found: Walk,
    pixels: RGBImage,
    mode: str,
    *,
    turned: bool,
    alpha: bool,
    profile: str | None,
) -> DecodedImage:
    if pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        raise CorruptImageError(f"{found.format} without pixels: {pixels.shape}")
    shape = (pixels.shape[1], pixels.shape[0])
    facts = _facts(data, found, shape, mode, turned=turned, alpha=alpha, profile=profile)
    return DecodedImage(pixels, facts)


def _facts(
    data: bytes,
    found: Walk,
    size: tuple[int, int],
    mode: str,
    *,
    turned: bool,
    alpha: bool,
    profile: str | None,
) -> ImageFacts:
    return ImageFacts(
        format=found.format,
        width=size[0],
        height=size[1],
        mode=mode,
        bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        jpeg_quality=found.jpeg.quality if found.jpeg else None,
        jpeg_subsampling=found.jpeg.subsampling if found.jpeg else None,
        orientation_applied=turned,
        frames=found.frames,
        has_alpha=alpha,
        colour_profile=profile,
    )


def _profile(found: Walk) -> bytes:
    """The embedded ICC profile; b"" without one, and where it does not unpack."""
    block = next((block for block in found.blocks if block.kind == "icc"), None)
    try:
        return block.read(lambda _: None) if block else b""
    except ValueError:
        return b""


def _orientation(found: Walk) -> int:
    """EXIF orientation 1..8 of the first block that is EXIF; 1 where there is none."""
    for block in found.blocks:
        if block.kind in ("exif", "app1"):
            try:
                exif = block.read(lambda _: None) if block.profile else block.content
            except ValueError:
                continue
            return tiff.orientation(exif[6:] if exif[:6] == b"Exif\0\0" else exif)
    return 1


def _orientation_of(info: dict[Any, Any]) -> int:
    """What the decoder of AVIF left to do, or of HEIC has already done."""
    if "original_orientation" in info:
        value = int(info["original_orientation"] or 1)
        return value if 1 <= value <= 8 else 1
    exif = info.get("exif") or b""
    return tiff.orientation(exif.removeprefix(b"Exif\0\0"))


def _turned(pixels: RGBImage, orientation: int) -> RGBImage:
    """Pixels as they are to be seen, given their EXIF orientation 1..8."""
    if orientation not in range(2, 9):
        return np.ascontiguousarray(pixels)
    # Pixels move as wholes of three bytes, which takes half the time of moving their channels.
    whole = np.ascontiguousarray(pixels).view("V3")[..., 0]
    if orientation in (5, 6, 7, 8):
        whole = whole.T
    if orientation in (3, 4, 7, 8):
        whole = whole[::-1]
    if orientation in (2, 3, 6, 7):
        whole = whole[:, ::-1]
    return np.ascontiguousarray(whole).view(np.uint8).reshape(*whole.shape, 3)
