"""Time of the evaluation harness against bare ONNX Runtime on the same crops.

    python benchmarks/evaluation_overhead.py BUNDLE MANIFEST [--images 200] [--repeat 3]

Bare: the crops are made beforehand, one session of one thread, two threads that call it. The
harness reads, decodes, treats, crops, infers, pools and calibrates, with two workers.
"""

from __future__ import annotations

import argparse
import time
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
        preprocess = detector.spec.preprocess
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
    manifest = sample(read_data(given.manifest), given.images)
    print(f"{len(manifest)} images, {detector.spec.name}; best of {given.repeat}, seconds")
    print(f"{'protocol':<10}{'crops':>7}{'bare':>9}{'harness':>9}{'overhead':>10}")
    for treatment in (RAW, MATCHED):
        tensors = prepared(detector, manifest, treatment)
        bare, harness = [], []
        for _ in range(given.repeat):  # in turn, so that a busy machine hits both
            started = time.perf_counter()
            with ThreadPoolExecutor(2) as pool:
                list(pool.map(detector.backend.logits, tensors))
            bare.append(time.perf_counter() - started)
            started = time.perf_counter()
            score_manifest(detector, manifest, treatment)
            harness.append(time.perf_counter() - started)
        crops = sum(len(t) for t in tensors)
        over = min(harness) / min(bare) - 1
        print(f"{treatment.name:<10}{crops:>7}{min(bare):>9.2f}{min(harness):>9.2f}{over:>10.1%}")


if __name__ == "__main__":
    main()
