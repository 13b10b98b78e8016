"""Small pictures of images, made from pixels that are decoded already."""

from __future__ import annotations

import base64

import numpy as np
from PIL import Image

from authentiscan.core.errors import AuthentiscanError
from authentiscan.core.types import RGBImage
from authentiscan.images.decode import decode, encode
from authentiscan.manifest.table import Manifest

SIDE = 160


def shrunk(pixels: RGBImage, side: int = SIDE) -> RGBImage:
    """``pixels`` (H, W, 3) with the longer side at most ``side``; a small image stays as it is."""
    image = Image.fromarray(pixels)
    image.thumbnail((side, side))
    return np.asarray(image)


def address(data: bytes, kind: str = "jpeg") -> str:
    """A picture's file as a data address, which a page holds in itself."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


def thumbnail(manifest: Manifest, row: int, side: int = SIDE) -> str | None:
    """A small JPEG of the image in ``row`` as a data address; None where it cannot be read."""
    try:
        pixels = decode(manifest.image_bytes(row)).pixels
    except AuthentiscanError:
        return None
    return address(encode(shrunk(pixels, side), "JPEG", quality=80))
