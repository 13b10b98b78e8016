"""What the evaluation harness costs beyond inference, on the same images and threads.

    python benchmarks/evaluation_overhead.py BUNDLE MANIFEST [--images 120] [--rounds 5]

Two rivals that do less:

crops ready   ONNX Runtime alone; decoding, re-encoding, cropping and normalising were done before
              the clock started. What is left over is everything but the network.
plain loop    what somebody writes who measures by hand: Pillow decodes, Pillow re-encodes where the
              protocol does, the bundle's crops, ONNX Runtime, mean of the logits. No error rows, no
              hashes, no facts of files, no bound on memory, no progress, no resume.

Each has two threads and the same session. Rounds are run in turn; the figure is the median over
rounds of processor time against the rival of the same round, so that a busy machine hits both.
"""

from __future__ import annotations

import argparse
import io
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from authentiscan.core.manifest import Manifest
from authentiscan.core.types import RGBImage
from authentiscan.evaluation.harness import score_manifest
from authentiscan.evaluation.protocol import MATCHED, RAW, Treatment
from authentiscan.evaluation.robustness import sample
from authentiscan.evaluation.sources import read_data
from authentiscan.inference import load_detector
from authentiscan.inference.detector import Network


def decoded(data: bytes) -> RGBImage:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def saved_again(pixels: RGBImage) -> RGBImage:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=90, subsampling="4:2:0")
    return decoded(buffer.getvalue())


def tensor_of(network: Network, data: bytes, treatment: Treatment) -> np.ndarray:
    pixels = decoded(data) if treatment is RAW else saved_again(decoded(data))
    return network.preprocess.tensor(network.preprocess.crops(pixels)[0])


def plain_loop(network: Network, images: list[bytes], treatment: Treatment) -> list[float]:
    def one(data: bytes) -> float:
        return float(network.backend.logits(tensor_of(network, data, treatment)).mean())

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(one, images))


def crops_ready(network: Network, tensors: list[np.ndarray]) -> list[float]:
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda tensor: float(network.backend.logits(tensor).mean()), tensors))


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and processor seconds."""
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - processor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--images", type=int, default=120)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    detector = load_detector(given.bundle, threads=1)
    network = detector.network
    # A few rows of a large table would each pay for reading a whole row group: embed them.
    chosen = sample(read_data(given.manifest), given.images)
    images = [chosen.image_bytes(i) for i in range(len(chosen))]
    manifest: Manifest = chosen.with_column("image", images)
    print(f"{len(images)} images, {detector.spec.name}, median of {given.rounds} rounds")
    print(f"{'':<10}{'crops':>7}{'CPU s':>9}{'against':>12}{'':>4}{'CPU':>8}{'wall':>8}")
    for treatment in (RAW, MATCHED):
        tensors = [tensor_of(network, data, treatment) for data in images]
        ways: dict[str, Callable[[], object]] = {
            "harness": lambda t=treatment: score_manifest(detector, manifest, t),
            "plain loop": lambda t=treatment: plain_loop(network, images, t),
            "crops ready": lambda inputs=tensors: crops_ready(network, inputs),
        }
        rounds = [
            {name: timed(way) for name, way in ways.items()} for _ in range(given.rounds + 1)
        ][1:]  # the first warms up
        seconds = statistics.median(r["harness"][1] for r in rounds)
        for rival in ("plain loop", "crops ready"):
            wall, processor = (
                statistics.median(r["harness"][clock] / r[rival][clock] - 1 for r in rounds)
                for clock in (0, 1)
            )
            print(
                f"{treatment.name:<10}{sum(map(len, tensors)):>7}{seconds:>9.2f}{rival:>14}"
                f"{processor:>+10.1%}{wall:>+8.1%}",
                flush=True,
            )


if __name__ == "__main__":
    main()
