"""Time of the evaluation harness against bare ONNX Runtime on the same crops.

    python benchmarks/evaluation_overhead.py BUNDLE MANIFEST [--images 200] [--repeat 3]

Bare: the crops are made beforehand, one session of one thread, two threads that call it. The
harness reads, decodes, treats, crops, infers, pools and calibrates, with two workers.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from authentiscan.core.images import decode
from authentiscan.data.degrade import image_rng
from authentiscan.evaluation.harness import score_manifest
from authentiscan.evaluation.protocol import MATCHED, RAW, Treatment
from authentiscan.evaluation.robustness import sample
from authentiscan.evaluation.sources import read_data
from authentiscan.inference import Detector, load_detector


def prepared(detector: Detector, manifest, treatment: Treatment) -> list[np.ndarray]:
    found = []
    for i in range(len(manifest)):
        image = decode(manifest.image_bytes(i))
        pixels = treatment(image.pixels, False, image_rng(0, image.facts.sha256))
        preprocess = detector.network.preprocess
        found.append(preprocess.tensor(preprocess.crops(pixels)[0]))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--repeat", type=int, default=3)
    given = parser.parse_args()
    detector = load_detector(given.bundle, threads=1)
    # A few rows of a large table would each pay for reading a whole row group: embed them.
    chosen = sample(read_data(given.manifest), given.images)
    images = [chosen.image_bytes(i) for i in range(len(chosen))]
    manifest = chosen.with_column("image", images)
    print(f"{len(manifest)} images, {detector.spec.name}; best of {given.repeat}, seconds")
    print("                       wall                           processor")
    print(f"{'protocol':<10}{'crops':>7}" + f"{'bare':>9}{'harness':>9}{'overhead':>10}" * 2)
    for treatment in (RAW, MATCHED):
        tensors = prepared(detector, manifest, treatment)
        bare, harness = [], []
        for _ in range(given.repeat):  # in turn, so that a busy machine hits both
            bare.append(timed(lambda inputs=tensors: run_bare(detector, inputs)))
            harness.append(timed(lambda t=treatment: score_manifest(detector, manifest, t)))
        line = f"{treatment.name:<10}{sum(len(t) for t in tensors):>7}"
        for clock in (0, 1):
            one, two = min(b[clock] for b in bare), min(h[clock] for h in harness)
            line += f"{one:>9.2f}{two:>9.2f}{two / one - 1:>10.1%}"
        print(line, flush=True)


def run_bare(detector: Detector, tensors: list[np.ndarray]) -> None:
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(detector.network.backend.logits, tensors))


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and processor seconds."""
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - processor


if __name__ == "__main__":
    main()
