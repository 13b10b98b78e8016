"""Images per second of a scan against a plain transformers pipeline with a network of equal size.

    python benchmarks/scan_rivals.py [--count 24] [--workers 2] [--rounds 3]

The rival is what most people would write: ``pipeline("image-classification")`` over the same files,
with MobileNetV2 (3.5 million parameters, as many as the packaged detector's backbone). Its weights
are random: speed does not depend on them. It scales an image to one square of 224 pixels; the
packaged detector reads up to nine squares of 160 at native pixels, and a scan also hashes the file,
reads provenance and makes a report. So squares a second stand beside images a second. Rounds
alternate; medians are shown, and processor time, which other work on the machine does not change.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from scan_throughput import _photographs, ready

from authentiscan.images.decode import decode
from authentiscan.inference import load_detector
from authentiscan.scan import Options, find, scan

SIDE = 224
Runs = dict[str, tuple[Callable[[], None], int, float]]
"""What runs, the squares of pixels that its network reads and how many megapixels they have."""


def main() -> None:
    """Run both, print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = _photographs(Path(place), arguments.count)
        detector = load_detector(threads=1)
        files = sorted(str(path) for path in folder.iterdir())
        read = [t for path in files for _, t in ready(detector, decode(path).pixels)]
        squares, megapixels = sum(len(t) for t in read), sum(t.size for t in read) / 3e6

        def ours() -> None:
            results = scan(find(files), detector, workers=arguments.workers, options=Options())
            assert not [result for result in results if result.report.error]

        theirs = len(files), len(files) * SIDE * SIDE / 1e6
        runs: Runs = {
            "scan": (ours, squares, megapixels),
            "transformers, one at a time": (_pipeline(files, arguments.workers, 1), *theirs),
            "transformers, batches of 8": (_pipeline(files, arguments.workers, 8), *theirs),
        }
        _report(runs, len(files), arguments.rounds)


def _pipeline(files: list[str], threads: int, batch: int) -> Callable[[], None]:
    import torch
    from transformers import (
        MobileNetV2Config,
        MobileNetV2ForImageClassification,
        MobileNetV2ImageProcessor,
        pipeline,
    )

    torch.set_num_threads(threads)
    model = MobileNetV2ForImageClassification(MobileNetV2Config(num_labels=2)).eval()
    made = pipeline(
        "image-classification",
        model=model,
        image_processor=MobileNetV2ImageProcessor(size={"height": SIDE, "width": SIDE}),
        device="cpu",
    )

    def run() -> None:
        assert len(list(made(files, batch_size=batch))) == len(files)

    return run


def _report(runs: Runs, images: int, rounds: int) -> None:
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    busy: dict[str, list[float]] = {name: [] for name in runs}
    for run, *_ in runs.values():
        run()
    for _ in range(rounds):
        for name, (run, *_) in runs.items():
            started, used = time.perf_counter(), time.process_time()
            run()
            seconds[name].append(time.perf_counter() - started)
            busy[name].append(time.process_time() - used)
    print(f"{'':28s} {'images/s':>9s} {'squares/s':>10s} {'CPU ms/image':>13s} {'CPU ms/Mpx':>11s}")
    for name, (_, squares, megapixels) in runs.items():
        wall, used = statistics.median(seconds[name]), statistics.median(busy[name])
        print(
            f"{name:28s} {images / wall:9.2f} {squares / wall:10.2f} "
            f"{used / images * 1e3:13.1f} {used / megapixels * 1e3:11.1f}"
        )


if __name__ == "__main__":
    main()
