"""Pairs of close 64-bit hashes without comparing all with all: multi-index hashing.

The hash is cut into bands (Norouzi, Punjani, Fleet, "Fast Search in Hamming Space with Multi-Index
Hashing", CVPR 2012). Two hashes within distance d agree, up to one flipped bit, in one of b bands
where d <= 2b - 1. Four bands of 16 bits find every pair within 7; from a quarter of a million
images on three longer bands keep the buckets short: every pair within 5, most within 7.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from authentiscan.core.progress import Progress

RADIUS = 7
_LARGE = 1 << 18
_BLOCK = 1 << 14
_BUCKET_LIMIT = 512

Hashes = NDArray[np.uint64]
Pairs = NDArray[np.int64]


def candidate_pairs(
    hashes: Hashes, *, radius: int = RADIUS, progress: Progress | None = None
) -> Pairs:
    """Pairs (i, j), i < j, of rows of ``hashes`` (n, q) worth a closer look.

    Column 0 is the hash of the whole image, the others are of its windows; a pair is given where
    any hash of the one lies within ``radius`` bits of the whole-image hash of the other. Images
    with equal whole-image hashes are chained (a-b, b-c, ...) rather than given as all pairs.
    Buckets of more than 512 different hashes are cut: time stays near linear on degenerate data.
    """
    whole, first, inverse = np.unique(hashes[:, 0], return_index=True, return_inverse=True)
    found = [_chains(inverse.astype(np.int64))]
    queries = hashes[first]
    bands = _bands(len(whole))
    tables = [_Table(whole, shift, bits) for shift, bits in bands]
    for start in range(0, len(whole), _BLOCK):
        block = queries[start : start + _BLOCK]
        for column in range(block.shape[1]):
            for table in tables:
                left, right = table.near(block[:, column], whole, radius)
                found.append(np.stack([first[left + start], first[right]], axis=1))
        if progress is not None:
            progress(min(start + _BLOCK, len(whole)), len(whole))
    return _ordered(np.concatenate(found), len(hashes))


def clusters(pairs: Pairs, n: int) -> NDArray[np.int64]:
    """(n,) for each of ``n`` items the smallest item it is joined to by ``pairs`` (m, 2)."""
    parent = np.arange(n, dtype=np.int64)
    for a, b in pairs.tolist():
        low, high = sorted((_root(parent, a), _root(parent, b)))
        parent[high] = low
    while True:  # parents are never larger, so this ends at the smallest members
        shorter = parent[parent]
        if np.array_equal(shorter, parent):
            return parent
        parent = shorter


class _Table:
    """Hashes by the value of one band, with direct addressing."""

    def __init__(self, whole: Hashes, shift: int, bits: int) -> None:
        self.shift, self.mask = np.uint64(shift), np.uint64((1 << bits) - 1)
        # The key itself, then every key one bit away.
        self.flips = np.asarray([0, *(1 << bit for bit in range(bits))], dtype=np.int64)
        keys = self._keys(whole)
        self.order = np.argsort(keys, kind="stable")
        counts = np.bincount(keys, minlength=1 << bits)
        self.starts = np.concatenate([[0], np.cumsum(counts)])

    def _keys(self, hashes: Hashes) -> NDArray[np.int64]:
        return ((hashes >> self.shift) & self.mask).astype(np.int64)

    def near(
        self, queries: Hashes, whole: Hashes, radius: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows of ``queries`` and of ``whole`` within ``radius`` that nearly share this band."""
        keys = self._keys(queries)
        lefts, rights = [], []
        for flip in self.flips:
            low = self.starts[keys ^ flip]
            count = np.minimum(self.starts[(keys ^ flip) + 1] - low, _BUCKET_LIMIT)
            total = int(count.sum())
            left = np.repeat(np.arange(len(queries)), count)
            within = np.arange(total) - np.repeat(np.cumsum(count) - count, count)
            right = self.order[np.repeat(low, count) + within]
            near = np.bitwise_count(queries[left] ^ whole[right]) <= radius
            lefts.append(left[near])
            rights.append(right[near])
        return np.concatenate(lefts), np.concatenate(rights)


def _bands(n: int) -> list[tuple[int, int]]:
    """(shift, bits) of each band for ``n`` hashes."""
    widths = [16] * 4 if n < _LARGE else [21, 21, 22]
    return [(sum(widths[:i]), width) for i, width in enumerate(widths)]


def _chains(inverse: NDArray[np.int64]) -> Pairs:
    order = np.argsort(inverse, kind="stable")
    same = inverse[order][1:] == inverse[order][:-1]
    return np.stack([order[:-1][same], order[1:][same]], axis=1)


def _ordered(pairs: Pairs, n: int) -> Pairs:
    """Each pair once, smaller row first, without pairs of a row with itself."""
    low, high = pairs.min(axis=1), pairs.max(axis=1)
    keys = np.unique((low * n + high)[low != high])
    return np.stack([keys // n, keys % n], axis=1)


def _root(parent: NDArray[np.int64], item: int) -> int:
    while parent[item] != item:
        parent[item] = parent[parent[item]]
        item = int(parent[item])
    return item
