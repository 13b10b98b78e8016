"""What images are compared by: a 32x32 grey picture, DCT hashes of it and of windows in it.

The hash is pHash (Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions",
2010) with the signs of the 64 lowest frequencies of a 32x32 DCT. A crop moves pHash far, so every
image also carries the hashes of windows cut out of it: a cropped copy is close to one of its
original's windows. All windows are linear in the grey picture; one matrix gives all their DCTs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from authentiscan.core.types import RGBImage

GREY_SIDE = 32
_ROWS = 11  # the 64 lowest frequencies of the zigzag order lie in the first 11 rows and columns
_FLAT = 2.0  # standard deviation in levels under which an image has nothing to be recognised by

Grey = NDArray[np.uint8]
Floats = NDArray[np.float32]

# (share kept, place): place 0 is the left or top, 1 the right or bottom.
_AXES = ((1.0, 0.5), (0.95, 0.5), (0.95, 0.0), (0.95, 1.0), (0.9, 0.5))
# Windows as (vertical, horizontal) axis: all of it, the middle 95 %, four corners, the middle 90 %.
_WINDOWS = ((0, 0), (1, 1), (2, 2), (2, 3), (3, 2), (3, 3), (4, 4))
HASHES = len(_WINDOWS)


def small_grey(pixels: RGBImage) -> Grey:
    """(H, W, 3) uint8 RGB -> (32, 32) uint8 luma, whatever the aspect."""
    grey = Image.fromarray(np.ascontiguousarray(pixels)).convert("L")
    size = (GREY_SIDE, GREY_SIDE)
    # Averaging is exact and fast for shrinking; small images need interpolation.
    shrinking = min(grey.size) >= 2 * GREY_SIDE
    kernel = Image.Resampling.BOX if shrinking else Image.Resampling.BILINEAR
    return np.asarray(grey.resize(size, kernel))


def hashes(greys: Grey) -> NDArray[np.uint64]:
    """(n, 32, 32) grey pictures -> (n, 7) hashes: the whole image, then its windows."""
    values = greys.astype(np.float32)
    spectra = _DCTS @ values @ _DCTS.T  # (n, axes * rows, axes * rows)
    columns = []
    for vertical, horizontal in _WINDOWS:
        block = spectra[:, vertical * _ROWS :, horizontal * _ROWS :]
        bits = block[:, _ZIGZAG[0], _ZIGZAG[1]] > 0
        packed = np.ascontiguousarray(np.packbits(bits, axis=1))
        columns.append(packed.view(">u8")[:, 0].astype(np.uint64))
    return np.stack(columns, axis=1)


def is_flat(greys: Grey) -> NDArray[np.bool_]:
    """(n, 32, 32) -> (n,): True where a picture has too little contrast to be recognised."""
    flat: NDArray[np.bool_] = greys.reshape(len(greys), -1).std(axis=1) < _FLAT
    return flat


def crop_matrix(keep: float, place: float) -> Floats:
    """(32, 32): linear interpolation of a window of ``keep`` at ``place`` up to full length."""
    centres = (1 - keep) * place * GREY_SIDE + (np.arange(GREY_SIDE) + 0.5) * keep - 0.5
    centres = np.clip(centres, 0, GREY_SIDE - 1)
    low = np.minimum(centres.astype(int), GREY_SIDE - 2)
    matrix = np.zeros((GREY_SIDE, GREY_SIDE), dtype=np.float32)
    rows = np.arange(GREY_SIDE)
    matrix[rows, low] = 1 - (centres - low)
    matrix[rows, low + 1] += centres - low
    return matrix


def _dct_matrix() -> Floats:
    k = np.arange(GREY_SIDE)
    angle = np.pi * (2 * k[None, :] + 1) * k[:_ROWS, None] / (2 * GREY_SIDE)
    return np.cos(angle).astype(np.float32)


def _zigzag() -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    places = [(i, j) for i in range(_ROWS) for j in range(_ROWS) if i + j > 0]
    lowest = np.asarray(sorted(places, key=lambda p: (p[0] + p[1], p))[:64])
    return lowest[:, 0], lowest[:, 1]


_CROPS = [crop_matrix(keep, place) for keep, place in _AXES]
_DCTS: Floats = np.concatenate([_dct_matrix() @ crop for crop in _CROPS])
_ZIGZAG = _zigzag()
