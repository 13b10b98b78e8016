"""What each part of `analyze` costs on one image, and what stability says.

python benchmarks/analyze_cost.py BUNDLE IMAGE... [--repeats 5] [--threads 1]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections import Counter
from pathlib import Path

from authentiscan.analysis import analyze, warnings
from authentiscan.images import decode as images
from authentiscan.inference import load_detector


def main() -> int:
    """Print the median milliseconds of each part over all images and repeats."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", help="as scan takes it, such as default")
    parser.add_argument("images", type=Path, nargs="+")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    detector = load_detector(arguments.bundle, threads=arguments.threads)
    spent: dict[str, list[float]] = {}
    verdicts: Counter[str] = Counter()
    shifts = []
    for path in arguments.images:
        for _ in range(arguments.repeats):
            report = analyze(path, detector, stability=True, heatmap=True)
            image = images.decode(path)
            started = time.perf_counter()
            judging = detector.spec.networks_for(*image.pixels.shape[:2])
            warnings.check(image, [network.preprocess for network in judging])
            spent.setdefault("warnings_ms", []).append((time.perf_counter() - started) * 1e3)
            for name, value in report.timings.items():
                spent.setdefault(name, []).append(value)
        verdicts[f"{report.verdict} by {report.rule}"] += 1
        shifts.append(report.stability.largest_shift if report.stability else 0.0)
    print(f"{detector.spec.name}, {len(arguments.images)} images, {arguments.repeats} runs each")
    for name, values in spent.items():
        print(f"{name:16}{statistics.median(values):10.2f} median{max(values):10.2f} largest")
    print(f"largest score shift under stability: median {statistics.median(shifts):.3f}")
    print(dict(verdicts))
    return 0


if __name__ == "__main__":
    sys.exit(main())
