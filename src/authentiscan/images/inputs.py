"""What every function that judges an image accepts: files, bytes, pixels, Pillow images."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypeAlias

import numpy as np
from PIL import Image, ImageOps

from authentiscan.core.errors import CorruptImageError, UsageError
from authentiscan.core.types import DecodedImage, ImageFacts, RGBImage
from authentiscan.images.decode import DEFAULT_LIMITS, Limits, decode_walked, read_source
from authentiscan.images.pixels import to_rgb
from authentiscan.images.walk import Walk

ImageInput: TypeAlias = Path | str | bytes | BinaryIO | RGBImage | Image.Image | DecodedImage
"""A file's path, its encoded bytes, an open binary file; or, without the file and so without its
metadata: pixels (H, W, 3) uint8 RGB, a Pillow image, an image that `decode` made."""


class Loaded(NamedTuple):
    """An image, its encoded bytes and the walk over them: None where only pixels were given."""

    image: DecodedImage
    content: bytes | None = None
    walked: Walk | None = None


def load_image(source: ImageInput, *, limits: Limits = DEFAULT_LIMITS) -> Loaded:
    """Pixels and facts of ``source``, and its encoded bytes where it has them.

    Files and bytes are decoded by `decode` within ``limits``. Of a Pillow image the EXIF
    orientation is applied and transparency composed over white, as `decode` does. Images without a
    file have the format ``pixels``, and their SHA-256 is that of the RGB values, row by row.

    Raises a DecodeError subclass where the image cannot be read, UsageError for pixels of another
    shape or type.
    """
    if isinstance(source, DecodedImage):
        return Loaded(source)
    if isinstance(source, np.ndarray):
        return Loaded(_bare(_checked(source)))
    if isinstance(source, Image.Image):
        return Loaded(_of_pillow(source))
    content = read_source(source, limits)
    image, walked = decode_walked(content, limits=limits)
    return Loaded(image, content, walked)


def _checked(pixels: RGBImage) -> RGBImage:
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise UsageError(
            f"pixels have shape {pixels.shape}, type {pixels.dtype}; expected (H, W, 3) uint8"
        )
    return pixels


def _of_pillow(image: Image.Image) -> DecodedImage:
    try:
        pixels, alpha = to_rgb(ImageOps.exif_transpose(image))
    except (OSError, ValueError, SyntaxError) as error:  # a lazily opened file that is broken
        raise CorruptImageError(f"a Pillow image that cannot be loaded: {error}") from error
    return _bare(_checked(pixels), mode=image.mode, alpha=alpha)


def _bare(pixels: RGBImage, *, mode: str = "RGB", alpha: bool = False) -> DecodedImage:
    height, width = pixels.shape[:2]
    return DecodedImage(
        pixels,
        ImageFacts(
            format="pixels",
            width=width,
            height=height,
            mode=mode,
            bytes=pixels.nbytes,
            sha256=hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest(),
            has_alpha=alpha,
        ),
    )
