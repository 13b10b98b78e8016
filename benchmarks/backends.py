"""One bundle's crops through the bare ONNX Runtime loop, our Detector, and torch eager.

    python benchmarks/backends.py [BUNDLE] [--threads 2] [--rounds 15]

BUNDLE: one network's, as default/layers is; without it the packaged network for photographs.

Crops per second, at several batch sizes. The bare loop gets ready-made float tensors: the ratio
is what preprocessing, pooling and calibration of the Detector cost. Runs are interleaved.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime as ort
from rich.console import Console
from rich.table import Table

from authentiscan.inference import find_bundle, load_detector
from authentiscan.inference.bundle import read_spec

PHOTOGRAPH = 512
"""Its shorter side, in pixels."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle", nargs="?")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--crops", type=int, default=64)
    arguments = parser.parse_args()
    bundle = one_network(find_bundle(arguments.bundle))
    detector = load_detector(bundle, threads=arguments.threads).network
    rival = load_detector(bundle, backend="torch", threads=arguments.threads).network
    options = ort.SessionOptions()
    options.intra_op_num_threads = arguments.threads
    bare = ort.InferenceSession(str(bundle / "model.onnx"), options)
    size = detector.preprocess.size
    rng = np.random.default_rng(0)
    crops = rng.integers(0, 256, (arguments.crops, size, size, 3), dtype=np.uint8)
    tensor = detector.preprocess.tensor(crops)
    table = Table(
        "batch",
        "bare ONNX Runtime",
        "Detector",
        "Detector / bare",
        "torch Detector",
        "Detector / torch",
        title=f"{detector.spec.name}: crops of {size} px per second, {arguments.threads} threads",
    )
    for batch in (1, 4, 16, 64):
        detector.batch = rival.batch = batch

        def loop(batch: int = batch) -> None:
            for start in range(0, len(tensor), batch):
                bare.run(["logits"], {"image": tensor[start : start + batch]})

        ways = [loop, lambda: detector.logits(crops), lambda: rival.logits(crops)]
        seconds = measure(ways, arguments.rounds)
        rates = len(crops) / np.median(seconds, axis=1)
        ours = np.median(seconds[0] / seconds[1])
        over_torch = np.median(seconds[2] / seconds[1])
        table.add_row(
            str(batch),
            f"{rates[0]:.0f}",
            f"{rates[1]:.0f}",
            f"{ours:.2f}",
            f"{rates[2]:.0f}",
            f"{over_torch:.2f}",
        )
    Console(width=120).print(table)


def one_network(bundle: Path) -> Path:
    """The folder of the network in ``bundle`` that judges photographs."""
    placed = read_spec(bundle).placed_networks(bundle)
    return next(one.folder for one in placed if one.sides[0] <= PHOTOGRAPH <= one.sides[1])


def measure(ways: list[Callable[[], object]], rounds: int) -> np.ndarray:
    """Seconds (ways, rounds), after one warm-up each."""
    seconds = np.zeros((len(ways), rounds))
    for way in ways:
        way()
    for turn in range(rounds):
        for index, way in enumerate(ways):
            start = time.perf_counter()
            way()
            seconds[index, turn] = time.perf_counter() - start
    return seconds


if __name__ == "__main__":
    main()
