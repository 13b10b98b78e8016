"""Whether a picture looks like a photograph at all, by plain statistics of its 8-pixel blocks.

A camera's picture is never quite flat and its edges are never quite straight on the grid; a screen,
a page of text or a flat drawing is. Only such pictures are found: a painting with texture has the
statistics of a photograph. Measured hit and false rates: docs/verdict.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from authentiscan.core.types import RGBImage

BLOCK = 8
MOST_BLOCKS = 600
"""Blocks looked at, spread evenly over the picture: time does not grow with its size."""


@dataclass(frozen=True, slots=True)
class Content:
    """Shares in [0, 1] of the blocks looked at, where not stated otherwise.

    flat: blocks whose channels vary by 2 levels at most.
    straight: of the strong steps between neighbours, those with none across: edges on the grid.
    two_toned: of the pixels in blocks with strong contrast, those near its darkest or lightest.
    main_colour: the share of the commonest of 4096 coarse colours.
    saturation: mean, 0 grey to 1 pure.
    """

    flat: float
    straight: float
    two_toned: float
    main_colour: float
    saturation: float


def measure(pixels: RGBImage) -> Content | None:
    """Statistics of ``pixels`` (H, W, 3); None where a side is under 64 pixels."""
    if min(pixels.shape[:2]) < 64:
        return None
    blocks = _blocks(pixels)  # (8, 8, 3, N): whatever is reduced goes first, which numpy does fast
    low, high = (end(blocks, axis=(0, 1)) for end in (np.min, np.max))
    spread = (high.astype(np.int16) - low).max(axis=0)
    green = blocks[:, :, 1].astype(np.int16)  # most of the luminance, at no cost
    return Content(
        flat=float((spread <= 2).mean()),
        straight=_straight(green),
        two_toned=_two_toned(green[:, :, spread >= 60]),
        main_colour=_main_colour(blocks),
        saturation=_saturation(blocks),
    )


def _blocks(pixels: RGBImage) -> RGBImage:
    """At most about `MOST_BLOCKS` blocks from an even grid over the picture, (8, 8, 3, N)."""
    rows, columns = pixels.shape[0] // BLOCK, pixels.shape[1] // BLOCK
    step = max(1, int(np.ceil(np.sqrt(rows * columns / MOST_BLOCKS))))
    grid = pixels[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns, BLOCK, 3)
    chosen = grid[::step, :, ::step].transpose(1, 3, 4, 0, 2)
    return np.ascontiguousarray(chosen).reshape(BLOCK, BLOCK, 3, -1)


def _straight(green: NDArray[np.int16]) -> float:
    across = np.abs(np.diff(green, axis=1))[:-1]
    down = np.abs(np.diff(green, axis=0))[:, :-1]
    strong = np.maximum(across, down) > 24
    count = int(strong.sum())
    return float((strong & (np.minimum(across, down) < 2)).sum() / count) if count else 0.0


def _two_toned(green: NDArray[np.int16]) -> float:
    if not green.size:
        return 0.0
    low, high = green.min(axis=(0, 1)), green.max(axis=(0, 1))
    margin = (0.15 * (high - low)).astype(np.int16)
    return float(((green < low + margin) | (green > high - margin)).mean())


def _main_colour(blocks: RGBImage) -> float:
    coarse = (blocks >> 4).astype(np.int32)
    index = coarse[:, :, 0] << 8 | coarse[:, :, 1] << 4 | coarse[:, :, 2]
    return float(np.bincount(index.ravel(), minlength=4096).max() / index.size)


def _saturation(blocks: RGBImage) -> float:
    few = blocks[::4, ::4].astype(np.float32)
    top = few.max(axis=2)
    return float(((top - few.min(axis=2)) / np.maximum(top, 1.0)).mean())
