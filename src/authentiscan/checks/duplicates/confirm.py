"""The second look: close hashes are a copy only where the small pictures agree as well.

The pictures are compared at 16x16, where resampling and compression no longer matter, over a fine
set of windows, so that a cropped copy is aligned with its original before it is judged.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from authentiscan.checks.duplicates.fingerprint import GREY_SIDE, Floats, Grey, crop_matrix
from authentiscan.checks.duplicates.search import Pairs

SIMILARITY = 0.95
_PROMISING = 0.7
_BLOCK = 512
_PLACES = (0.0, 0.25, 0.5, 0.75, 1.0)


def confirm(greys: Grey, pairs: Pairs) -> Floats:
    """Similarity (m,) of ``pairs`` (m, 2) of ``greys`` (n, 32, 32); a copy from `SIMILARITY` up.

    Similarity is the largest correlation, in [-1, 1], of the one picture with any window of the
    other, both ways. Pairs far apart in the coarse look are not aligned finely.
    """
    out = np.empty(len(pairs), dtype=np.float32)
    for start in range(0, len(pairs), _BLOCK):
        block = pairs[start : start + _BLOCK]
        left, right = greys[block[:, 0]], greys[block[:, 1]]
        similarity = _best(left, right, _COARSE)
        near = np.flatnonzero(similarity >= _PROMISING)
        if len(near):
            fine = _best(left[near], right[near], _FINE)
            similarity[near] = np.maximum(similarity[near], fine)
        out[start : start + _BLOCK] = similarity
    return out


def _best(left: Grey, right: Grey, axes: list[list[Floats]]) -> Floats:
    first, second = left.astype(np.float32), right.astype(np.float32)
    whole = _AVERAGE
    plain = [_unit(whole @ values @ whole.T) for values in (first, second)]
    best = (plain[0] * plain[1]).sum(axis=1)
    for crops in axes:
        for vertical in crops:
            rows = (vertical @ first, vertical @ second)
            for horizontal in crops:
                for cut, target in ((rows[0], plain[1]), (rows[1], plain[0])):
                    found = (_unit(cut @ horizontal.T) * target).sum(axis=1)
                    best = np.maximum(best, found)
    result: Floats = best
    return result


def _unit(pictures: NDArray[np.floating]) -> Floats:
    """(n, 16, 16) -> (n, 256) without mean, of length one each."""
    flat = pictures.reshape(len(pictures), -1)
    centred = flat - flat.mean(axis=1, keepdims=True)
    length = np.sqrt((centred**2).sum(axis=1, keepdims=True))
    unit: Floats = (centred / np.maximum(length, 1e-6)).astype(np.float32, copy=False)
    return unit


def _averaging() -> Floats:
    """(16, 32): means of neighbours."""
    return np.kron(np.eye(GREY_SIDE // 2), [[0.5, 0.5]]).astype(np.float32)


_AVERAGE = _averaging()
_COARSE = [[_AVERAGE @ crop_matrix(0.95, place) for place in (0.0, 0.5, 1.0)]]
_FINE = [
    [_AVERAGE @ crop_matrix(keep, place) for place in _PLACES] for keep in (0.97, 0.95, 0.93, 0.9)
]
