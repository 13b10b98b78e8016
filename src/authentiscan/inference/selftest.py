"""A graph of small numbers shows on the spot whether this processor computes it rightly.

Products of 8-bit numbers overflow on some processors (x86 without VNNI): the graph runs, and its
scores are wrong. So such a bundle states the logits of fixed crops, and is held to them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from authentiscan.core.errors import BundleError
from authentiscan.inference.spec import NetworkSpec

PROBES = 4
DRIFT = 1.0
"""Largest difference of a logit that is borne. Overflow moves logits further, and 8-bit rounding
that comes out otherwise on another processor less."""


class _Reads(Protocol):
    spec: NetworkSpec

    def logits(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]: ...


def probes(size: int) -> NDArray[np.uint8]:
    """Crops (`PROBES`, size, size, 3) uint8: waves of many lengths and hard edges, always alike."""
    y, x = np.mgrid[:size, :size].astype(np.float64) / size
    crops = np.empty((PROBES, size, size, 3), dtype=np.uint8)
    for number in range(PROBES):
        for channel in range(3):
            k = 3 * number + channel + 1
            wave = np.sin(2 * np.pi * (k * x + 0.7 * k * y)) + np.sin(37.0 * k * x * y + channel)
            fine = np.sin(1e4 * np.sin(k + 1e3 * x + 311.0 * y))
            edge = np.where((x * k) % 1 > 0.5, 0.4, -0.4)
            crops[number, ..., channel] = np.clip(
                128 + 45 * wave + 4 * number * fine + 40 * edge, 0, 255
            )
    return crops


def check_selftest(network: _Reads, folder: Path) -> None:
    """Raise BundleError where a graph drifts from the logits that its bundle states."""
    stated = network.spec.selftest
    if stated is None:
        return
    found = network.logits(probes(network.spec.preprocess.size))
    if len(stated) != len(found):
        raise BundleError(
            f"{folder}: its selftest states {len(stated)} logits, expected {len(found)}, one for "
            "each fixed crop: make the bundle again"
        )
    drift = drift_of(found, stated)
    if not drift <= DRIFT:
        raise BundleError(
            f"{folder}: on this processor the logits of the graph are {drift:.2f} off; at most "
            f"{DRIFT} is borne. Its 8-bit products overflow here: use a float32 or float16 graph"
        )


def drift_of(found: NDArray[np.float32], stated: tuple[float, ...]) -> float:
    """Largest difference of logits; infinite where their number differs."""
    if len(found) != len(stated):
        return float("inf")
    return float(np.abs(found - np.asarray(stated)).max())
