"""One walk over an image's container, safe on hostile bytes: limits, facts and metadata blocks.

Each file of this room steps through one family of containers in pure Python. Nothing is decoded,
copied or unpacked on the way: the decoder asks for facts and limits, `metadata` reads the blocks.
"""

from __future__ import annotations

from collections.abc import Callable

from authentiscan.core.errors import CorruptImageError, DecodeError, UnsupportedFormatError
from authentiscan.images.walk import bmff, bmp, gif, jpeg, png, signatures, svg, tiff, webp
from authentiscan.images.walk.metadata import Metadata, Text, gather
from authentiscan.images.walk.record import Block, Walk

__all__ = [
    "ALLOWED",
    "Block",
    "Metadata",
    "Text",
    "Walk",
    "gather",
    "looks_like_image",
    "metadata",
    "walk",
]

ALLOWED = ("JPEG", "MPO", "PNG", "WEBP", "AVIF", "TIFF", "BMP", "GIF", "HEIF")
"""Formats that are decoded."""

_WALKS: dict[str, Callable[[Walk], None]] = {
    "JPEG": jpeg.walk,
    "PNG": png.walk,
    "WEBP": webp.walk,
    "GIF": gif.walk,
    "TIFF": tiff.walk,
    "BMP": bmp.walk,
    "SVG": svg.walk,
    "AVIF": bmff.walk,
    "HEIF": bmff.walk,
    "JXL": bmff.walk,
    "MP4": bmff.walk,
}
_CHECKED_BY_DECODER = ("AVIF", "HEIF")


def walk(data: bytes) -> Walk:
    """Walk the container of ``data``; never raises.

    What keeps a decoder away is `Walk.refusal`, what is broken is a line of `Walk.problems`.
    """
    head = bytes(data[: signatures.HEAD])
    found = Walk(signatures.container(head) or "unknown", memoryview(data))
    if found.format not in ALLOWED:
        allowed = "allowed are JPEG, PNG, WebP, AVIF, TIFF, BMP, GIF, MPO and HEIC"
        kind = signatures.describe(head)
        text = kind if "not supported" in kind else f"{kind}; {allowed}"
        found.refuse(UnsupportedFormatError(text))
    if found.format == "unknown":
        found.problem(f"metadata was not looked for in {signatures.describe(head)}")
        return found
    try:
        _WALKS[found.format](found)
    except DecodeError as error:
        found.problem(str(error))
        found.refuse(error)
    except (ValueError, IndexError) as error:
        found.problem(f"{found.format} structure broken: {error}")
        if found.format not in _CHECKED_BY_DECODER:
            found.refuse(CorruptImageError(f"{found.format} with a broken or truncated header"))
    return found


def looks_like_image(head: bytes) -> bool:
    """Whether the first bytes of a file (64 and more) are those of a format that is decoded."""
    return signatures.container(head) in ALLOWED


def metadata(data: bytes) -> Metadata:
    """The metadata blocks of the encoded image ``data``; never raises."""
    return gather(walk(data))
