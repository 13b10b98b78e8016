"""A faster decoder for the JPEGs that it decodes to the very pixels that Pillow gives."""

from __future__ import annotations

import numpy as np

from authentiscan.core.types import RGBImage
from authentiscan.images.walk.jpeg_header import JpegHeader


def decode_fast(data: bytes, header: JpegHeader) -> RGBImage | None:
    """Pixels (H, W, 3) by simplejpeg (the ``fast`` extra), bit-equal to Pillow's.

    None where it may not or cannot be used, so that Pillow decides. It may be for 8-bit baseline
    and progressive, grey or YCbCr with the common subsamplings: there both libraries run the same
    libjpeg-turbo code, and of several pictures (MPO) both take the first. Strict: any warning of
    the decoder hands over to Pillow.
    """
    identifiers = tuple(identifier for identifier, *_ in header.components)
    if (
        header.precision != 8
        or header.frame_marker not in (0xC0, 0xC2)
        or header.adobe_transform not in (None, 1)
        or header.subsampling not in ("4:4:4", "4:2:2", "4:2:0", "4:0:0")
        or (len(identifiers) == 3 and identifiers not in ((1, 2, 3), (0, 1, 2)))
        or len(identifiers) not in (1, 3)
    ):
        return None
    pixels = _by_simplejpeg(data, "GRAY" if len(identifiers) == 1 else "RGB")
    if pixels is None or pixels.shape[:2] != (header.height, header.width):
        return None
    return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels


def decode_own(data: bytes) -> RGBImage | None:
    """Pixels (H, W, 3) of a colour JPEG by `images.decode.encode`; None without simplejpeg."""
    return _by_simplejpeg(data, "RGB")


def _by_simplejpeg(data: bytes, colours: str) -> RGBImage | None:
    try:
        import simplejpeg
    except ImportError:
        return None
    try:
        pixels: RGBImage = simplejpeg.decode_jpeg(data, colorspace=colours, strict=True)
    except (ValueError, RuntimeError, MemoryError):
        return None
    return pixels
