"""Throughput and memory of verify on a table, and how the search grows with the number of hashes.

    python benchmarks/verify_scale.py --table TABLE.parquet
    python benchmarks/verify_scale.py --hashes 100000 300000 1000000

The rival of the search is comparing all hashes with all in numpy; beyond 30,000 hashes its time is
computed from the smaller run, which is marked with "~". A tenth of the hashes are planted copies,
each 0 to 5 bits from another, and the share of them found is printed.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np

from authentiscan.checks import duplicates
from authentiscan.checks.verify import verify
from authentiscan.datasets.open import open_data


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--hashes", type=int, nargs="*", default=[])
    arguments = parser.parse_args()
    if arguments.table:
        whole_table(arguments.table, arguments.workers)
    if arguments.hashes:
        search(arguments.hashes)


def whole_table(path: str, workers: int) -> None:
    manifest = open_data(path)
    report = verify(manifest, workers=workers).report
    own, children = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    processor = own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
    print(f"{path}: {report.rows} images in {report.seconds} s")
    print(f"  {report.images_per_second:.0f} images/s of wall time with {workers} workers")
    print(f"  {report.rows / processor:.0f} images/s of processor time ({processor:.1f} s)")
    print(f"  peak memory {own.ru_maxrss / 1024:.0f} MiB, largest worker", end=" ")
    print(f"{children.ru_maxrss / 1024:.0f} MiB")
    for kind, found in report.copies.items():
        print(f"  {kind}: {found.sets} sets, {found.extra} extra images, {found.pairs} pairs")


def search(sizes: list[int]) -> None:
    per_pair = brute_force(10_000) / 10_000**2
    print(f"{'hashes':>10} {'search s':>10} {'all with all s':>15} {'found':>8} {'peak MiB':>9}")
    for size in sizes:
        hashes, planted = synthetic(size)
        began = time.process_time()
        pairs = duplicates.candidate_pairs(hashes)
        seconds = time.process_time() - began
        keys = np.unique(pairs[:, 0] * size + pairs[:, 1])
        share = float(np.isin(planted, keys).mean())
        rival = f"{brute_force(size):.1f}" if size <= 30_000 else f"~{per_pair * size**2:.0f}"
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{size:10d} {seconds:10.1f} {rival:>15} {share:8.4f} {peak:9.0f}", flush=True)


def synthetic(size: int) -> tuple[np.ndarray, np.ndarray]:
    """(size, 7) hashes, the last tenth copies of the first, and the keys of the pairs."""
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**64, (size, duplicates.HASHES), dtype=np.uint64)
    copies = size // 10
    changed = hashes[:copies, 0].copy()
    for i in range(5):
        flip = rng.integers(6, size=copies) > i
        bit = np.uint64(1) << rng.integers(0, 64, copies, dtype=np.uint64)
        changed = np.where(flip, changed ^ bit, changed)
    hashes[size - copies :, 0] = changed
    return hashes, np.arange(copies) * size + np.arange(size - copies, size)


def brute_force(size: int) -> float:
    whole = np.random.default_rng(1).integers(0, 2**64, size, dtype=np.uint64)
    began = time.process_time()
    for i, value in enumerate(whole):
        np.flatnonzero(np.bitwise_count(whole[i + 1 :] ^ value) <= duplicates.RADIUS)
    return time.process_time() - began


if __name__ == "__main__":
    main()
