"""What the evaluation harness costs beyond the network, and beyond what anybody's loop costs.

    python benchmarks/evaluation_overhead.py BUNDLE MANIFEST [--images 120] [--rounds 5]

Two baselines:

network       the processor time that ONNX Runtime takes within the same run. What the harness adds
              is reading, decoding, re-encoding, cropping, normalising and keeping the scores.
plain loop    what somebody writes who measures by hand: Pillow decodes, Pillow re-encodes where the
              protocol does, the bundle's crops, ONNX Runtime, mean of the logits. No error rows, no
              hashes, no facts of files, no bound on memory, no progress, no resume.

Both ways have two threads and the same session, and are run in turn. Each is counted in units of
its own network time, so that a machine that is busy in one round and not in the next does not
matter.
"""

from __future__ import annotations

import argparse
import io
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock

import numpy as np
from PIL import Image

from authentiscan.core.types import RGBImage
from authentiscan.datasets.open import open_data
from authentiscan.evaluation.harness import score_manifest
from authentiscan.evaluation.protocol import MATCHED, RAW, Protocol
from authentiscan.evaluation.robustness import sample
from authentiscan.inference import load_detector
from authentiscan.inference.detector import Backend, Network
from authentiscan.manifest.table import Manifest


def decoded(data: bytes) -> RGBImage:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def saved_again(pixels: RGBImage) -> RGBImage:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=90, subsampling="4:2:0")
    return decoded(buffer.getvalue())


def tensor_of(network: Network, data: bytes, protocol: Protocol) -> np.ndarray:
    pixels = decoded(data) if protocol is RAW else saved_again(decoded(data))
    return network.preprocess.tensor(network.preprocess.crops(pixels)[0])


def plain_loop(network: Network, images: list[bytes], protocol: Protocol) -> list[float]:
    def one(data: bytes) -> float:
        return float(network.backend.logits(tensor_of(network, data, protocol)).mean())

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(one, images))


class Clocked:
    """A backend that adds up the processor time of its calls, over all threads."""

    def __init__(self, backend: Backend) -> None:
        self.backend, self.seconds, self.lock = backend, 0.0, Lock()

    def logits(self, tensor: np.ndarray) -> np.ndarray:
        started = time.thread_time()
        logits = self.backend.logits(tensor)
        with self.lock:
            self.seconds += time.thread_time() - started
        return logits


def units(work: Callable[[], object], clock: Clocked) -> float:
    """Processor time of ``work`` over that of the network in it."""
    clock.seconds, started = 0.0, time.process_time()
    work()
    return (time.process_time() - started) / clock.seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--images", type=int, default=120)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    detector = load_detector(given.bundle, threads=1)
    network = detector.network
    network.backend = clock = Clocked(network.backend)
    # A few rows of a large table would each pay for reading a whole row group: embed them.
    chosen = sample(open_data(given.manifest), given.images)
    images = [chosen.image_bytes(i) for i in range(len(chosen))]
    manifest: Manifest = chosen.with_column("image", images)
    print(f"{len(images)} images, {detector.spec.name}, processor time, medians (lowest, highest)")
    for protocol in (RAW, MATCHED):
        harness, loop = [], []
        for turn in range(given.rounds + 1):
            one = units(lambda t=protocol: score_manifest(detector, manifest, t), clock)
            two = units(lambda t=protocol: plain_loop(network, images, t), clock)
            if turn:  # the first warms up
                harness.append(one - 1)
                loop.append(one / two - 1)
        for rival, found in (("network", harness), ("plain loop", loop)):
            print(
                f"{protocol.name:<10}{rival:<12}{statistics.median(found):>+8.1%}   "
                f"({min(found):+.1%}, {max(found):+.1%})",
                flush=True,
            )


if __name__ == "__main__":
    main()
