"""Uniform and mirrored borders: what padding, letterboxing and careless cropping leave."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from authentiscan.core.types import RGBImage

BORDER_NAMES = ("border_uniform_sides", "border_uniform_depth", "border_level", "border_mirrored")
_DEEPEST = 8


def border_facts(pixels: RGBImage) -> NDArray[np.float32]:
    """Facts of the borders of (H, W, 3) uint8, in the order of `BORDER_NAMES`.

    Sides (0..4) whose outermost line has one colour; how deep that goes, as a share of the side;
    their grey level (-1 without any); how unlike a mirror image the lines beside the border are
    (0 where a border is a reflection of what lies within, about 1 otherwise).
    """
    grey = pixels.astype(np.float32).mean(axis=2)
    sides = [grey, grey[::-1], grey.T, grey.T[::-1]]
    depths = [_uniform_depth(side) for side in sides]
    levels = [float(s[0].mean()) for s, depth in zip(sides, depths, strict=True) if depth > 0]
    mirrored = min(_unlike_mirror(side) for side in sides)
    return np.asarray(
        [
            sum(depth > 0 for depth in depths),
            max(depths),
            np.mean(levels) if levels else -1.0,
            mirrored,
        ],
        dtype=np.float32,
    )


def _uniform_depth(grey: NDArray[np.float32]) -> float:
    """Share of the lines from the top on that have one level, the same in all of them."""
    if grey.shape[1] < 4 or np.ptp(grey[0]) > 4:
        return 0.0
    level = grey[0].mean()
    same = np.abs(grey - level).max(axis=1) <= 6
    return float(np.argmin(same) if not same.all() else len(same)) / len(same)


def _unlike_mirror(grey: NDArray[np.float32]) -> float:
    """Smallest difference from a reflected border, relative to how much lines differ there."""
    best = 1.0
    for depth in range(2, _DEEPEST + 1):
        if grey.shape[0] < 3 * depth:
            break
        outside = grey[:depth][::-1]
        usual = np.abs(grey[depth : 2 * depth] - grey[2 * depth : 3 * depth][::-1]).mean()
        for start in (depth, depth + 1):
            inside = grey[start : start + depth]
            if inside.shape == outside.shape and usual > 0.5:
                best = min(best, float(np.abs(outside - inside).mean() / usual))
    return best
