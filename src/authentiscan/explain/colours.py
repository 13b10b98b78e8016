"""Perceptually uniform colour scales without matplotlib, and the colour bar."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from authentiscan.core.errors import UsageError
from authentiscan.core.types import RGBImage

# 33 evenly spaced stops of the public-domain scales by van der Walt and Smith (matplotlib, 2015);
# linear interpolation between them stays within 5 of 255 levels.
_STOPS = {
    "inferno": "0000040403120b0724150b37210c4a2f0a5b3d09654a0c6b57106e64156e71196e7d1e6d8a226a97"
    "2766a32c61b0315bbc3754c73e4cd24644db503be45a31eb6628f1731df68013f98e09fb9d07fcac11fbbc21f9cb"
    "35f5db4cf2ea69f3f68afcffa4",
    "viridis": "440154470d6048186a482374472d7b4537814240863e49893b528b375b8d33638d2f6b8e2c728e29"
    "7a8e26828e23898e21918c1f988b1fa08822a78528ae8032b67a3fbc734ec36b5ec96270cf5784d44b98d83eaddc"
    "30c2df23d8e219ece51bfde725",
    "magma": "0000040303120a0822130d341d114729115a36106b440f7651127c5d177f6a1c81762181832681902a"
    "819c2e7faa337db73779c43c75d0416fdc4869e75263ef5d5ef56b5cf9795dfc8961fd9869fea772feb67cfec488"
    "fed395fde2a3fcf0b2fcfdbf",
}
SCALES = tuple(_STOPS)


@cache
def table(scale: str) -> NDArray[np.uint8]:
    """The 256 colours (256, 3) uint8 of ``scale``; UsageError for an unknown one."""
    if scale not in _STOPS:
        raise UsageError(f"unknown colour scale {scale!r}; allowed: {', '.join(SCALES)}")
    stops = np.frombuffer(bytes.fromhex(_STOPS[scale]), np.uint8).reshape(-1, 3).astype(float)
    at = np.linspace(0, len(stops) - 1, 256)
    columns = [np.interp(at, np.arange(len(stops)), stops[:, channel]) for channel in range(3)]
    return np.asarray(np.rint(np.stack(columns, axis=1)), dtype=np.uint8)


def coloured(values: NDArray[np.float32], scale: str = "inferno") -> RGBImage:
    """``values`` (H, W) in [0, 1], clipped, as colours (H, W, 3) uint8."""
    levels = np.clip(np.rint(np.nan_to_num(values) * 255), 0, 255).astype(np.uint8)
    colours: RGBImage = table(scale)[levels]
    return colours
