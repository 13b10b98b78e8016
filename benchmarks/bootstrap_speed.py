"""Time of all metrics with bootstrap intervals, against re-sorting with scikit-learn.

    python benchmarks/bootstrap_speed.py [--images 100000] [--rounds 1000] [--rival-rounds 20]

The rival computes ROC AUC and average precision alone, by scikit-learn on resampled rows; its time
is scaled up from a few rounds.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from authentiscan.metrics.bootstrap import estimates
from authentiscan.metrics.ranking import METRICS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--rival-rounds", type=int, default=20)
    given = parser.parse_args()
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, given.images)
    s = np.clip(rng.normal(0.4 + 0.2 * y, 0.2), 0, 1)
    groups = rng.integers(0, given.images // 3, given.images)
    print(f"{given.images} scores, {given.rounds} rounds; seconds of wall and of processor time")
    for name, scores, clusters in (
        (f"all {len(METRICS)} metrics", s, None),
        (f"all {len(METRICS)} metrics, clustered", s, groups),
        (f"all {len(METRICS)} metrics, clustered, tied scores", np.round(s, 2), groups),
    ):
        wall, processor = time.perf_counter(), time.process_time()
        estimates(y, scores, clusters, rounds=given.rounds)
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
        print(f"{name:<48}{wall:8.2f}{processor:8.2f}")
    wall, processor = time.perf_counter(), time.process_time()
    for _ in range(given.rival_rounds):
        rows = rng.integers(0, given.images, given.images)
        roc_auc_score(y[rows], s[rows])
        average_precision_score(y[rows], s[rows])
    scale = given.rounds / given.rival_rounds
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    print(f"{'scikit-learn, 2 metrics (scaled up)':<48}{wall * scale:8.2f}{processor * scale:8.2f}")


if __name__ == "__main__":
    main()
