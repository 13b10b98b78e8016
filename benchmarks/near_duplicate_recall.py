"""Recall and precision of near-duplicate search on planted copies, against plain pHash.

    python benchmarks/near_duplicate_recall.py TABLE.parquet --images 1000

The rival, "pHash r=7" and "pHash r=12", is what common tools do: one 64-bit DCT hash an image, a
pair reported within 7 or 12 bits, compared all with all. A pair is false where an image is paired
with another's copy; pairs that are found in the untouched images already are left out.
"""

from __future__ import annotations

import argparse

import numpy as np

from authentiscan.checks import duplicates
from authentiscan.datasets.open import open_data
from authentiscan.images import degrade
from authentiscan.images.decode import decode

CHAINS = (
    "resize:scale=0.5",
    "resize:scale=1.5",
    "jpeg:quality=50",
    "resize:scale=0.5..1 | jpeg:quality=70..90",
    "crop:keep=0.95",
    "crop:keep=0.9,x=0.5,y=0.5",
    "crop:keep=0.95 | resize:scale=0.5..1 | jpeg:quality=70",
    "crop:keep=0.9",
    "screenshot:bar=0",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table")
    parser.add_argument("--images", type=int, default=1000)
    arguments = parser.parse_args()
    manifest = open_data(arguments.table)
    count = min(arguments.images, len(manifest))
    rows = np.sort(np.random.default_rng(0).choice(len(manifest), count, replace=False))
    images = [decode(manifest.image_bytes(int(row))).pixels for row in rows]
    greys = np.stack([duplicates.small_grey(image) for image in images])
    known = {method: pairs_of(greys, method) for method in METHODS}
    print(f"{arguments.table}: {count} images, each with one copy\n")
    print(f"{'copy':56}" + "".join(f"{m:>24}" for m in METHODS))
    print(f"{'':56}" + "     recall   precision" * len(METHODS))
    for text in CHAINS:
        chain = degrade.parse(text)
        copies = [chain(p, degrade.image_rng(1, i))[0] for i, p in enumerate(images)]
        both = np.concatenate([greys, [duplicates.small_grey(copy) for copy in copies]])
        line = f"{text:56}"
        for method in METHODS:
            line += "{:11.3f} {:11.3f} ".format(*judged(both, count, method, known[method]))
        print(line, flush=True)


METHODS = ("this", "pHash r=7", "pHash r=12")


def pairs_of(greys: np.ndarray, method: str) -> set[tuple[int, int]]:
    hashes = duplicates.hashes(greys)
    if method == "this":
        pairs = duplicates.candidate_pairs(hashes)
        pairs = pairs[duplicates.confirm(greys, pairs) >= duplicates.SIMILARITY]
        return {(int(a), int(b)) for a, b in pairs}
    whole, radius = hashes[:, 0], int(method.rpartition("=")[2])
    found = set()
    for i, value in enumerate(whole):
        near = np.flatnonzero(np.bitwise_count(whole[i + 1 :] ^ value) <= radius) + i + 1
        found |= {(i, int(j)) for j in near}
    return found


def judged(
    greys: np.ndarray, count: int, method: str, known: set[tuple[int, int]]
) -> tuple[float, float]:
    """Recall of the planted pairs, and their share of all pairs that are new."""
    right = wrong = 0
    for a, b in pairs_of(greys, method):
        if b - a == count:
            right += 1
        elif tuple(sorted((a % count, b % count))) not in known:
            wrong += 1
    return right / count, right / max(right + wrong, 1)


if __name__ == "__main__":
    main()
