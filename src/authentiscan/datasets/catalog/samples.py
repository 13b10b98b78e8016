"""Writing tiny data sets in the catalog's layouts, from any photographs, for tests.

The "generated" images are the same photographs, smoothed: samples show layouts, they teach nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np

from authentiscan.core.types import RGBImage
from authentiscan.images.decode import encode


def tiles(photos: Mapping[str, RGBImage], size: int = 48) -> Iterator[RGBImage]:
    """Distinct square crops of the photographs, ``size`` pixels a side, without end."""
    names = sorted(photos)
    index = 0
    while True:
        photo = photos[names[index % len(names)]]
        step = index // len(names)
        top = 7 * step % (photo.shape[0] - size)
        left = 13 * step % (photo.shape[1] - size)
        yield np.ascontiguousarray(photo[top : top + size, left : left + size])
        index += 1


def smooth(pixels: RGBImage) -> RGBImage:
    """The image with each pixel averaged with its right and lower neighbour."""
    wide = pixels.astype(np.uint16)
    mean = (wide + np.roll(wide, 1, axis=0) + np.roll(wide, 1, axis=1)) // 3
    return mean.astype(np.uint8)


def sample_bytes(pixels: RGBImage, name: str, generated: bool) -> bytes:
    """The encoded image, in the format the name's ending asks for (PNG or JPEG)."""
    kind = "PNG" if name.lower().endswith(".png") else "JPEG"
    return encode(smooth(pixels) if generated else pixels, kind)


def lay_out(
    folder: Path, photos: Mapping[str, RGBImage], files: Iterable[tuple[str, bool]], size: int = 48
) -> Path:
    """Write one image for every (relative path, generated?) below ``folder``; gives ``folder``."""
    for (name, generated), pixels in zip(files, tiles(photos, size), strict=False):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(sample_bytes(pixels, name, generated))
    return folder
