"""Near duplicates among many images: fingerprints, a search that is not quadratic, a second look.

1. `fingerprint` gives every image a small grey picture and seven 64-bit hashes: one of the whole
   image and six of windows cut out of it.
2. `candidate_pairs` finds images whose whole-image hash is close to any hash of another image.
3. `confirm` compares the small pictures of each candidate pair and keeps true copies.
"""

from __future__ import annotations

from authentiscan.checks.duplicates.confirm import SIMILARITY, confirm
from authentiscan.checks.duplicates.fingerprint import (
    GREY_SIDE,
    HASHES,
    hashes,
    is_flat,
    small_grey,
)
from authentiscan.checks.duplicates.search import RADIUS, candidate_pairs, clusters

__all__ = [
    "GREY_SIDE",
    "HASHES",
    "RADIUS",
    "SIMILARITY",
    "candidate_pairs",
    "clusters",
    "confirm",
    "hashes",
    "is_flat",
    "small_grey",
]
