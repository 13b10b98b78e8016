"""Images per second of a scan against bare ONNX Runtime loops over the same crops, in one run.

    python benchmarks/scan_throughput.py [--model BUNDLE] [--images FOLDER] [--workers 2]

The rivals do nothing but run the network: their inputs are decoded, cropped and normalised before
the clock starts. A scan reads files, decodes, crops, normalises, runs the network, reads provenance
and makes reports. With the same threads it can at best come close. Rounds alternate; medians are
shown. Without --images, JPEGs of photographs from scikit-image are written to a temporary folder.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime as ort

from authentiscan.core.types import RGBImage
from authentiscan.images.decode import decode, encode
from authentiscan.inference import Detector, find_bundle, load_detector
from authentiscan.scan import Options, find, scan

Inputs = list[tuple[int, np.ndarray]]
"""Of one image: the number of each network that judges it, and the crops that this takes."""


def main() -> None:
    """Run all, print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", default=None, help="as scan takes it; the packaged detector")
    parser.add_argument("--images", type=Path, default=None)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--count", type=int, default=48, help="photographs to write")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    bundle = find_bundle(arguments.model)
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.images or _photographs(Path(temporary), arguments.count)
        files = [item.path for item in find([str(folder)]) if item.path is not None]
        detector = load_detector(bundle, threads=1)
        images = [decode(path).pixels for path in files]
        inputs = [ready(detector, pixels) for pixels in images]
        side = statistics.median(max(pixels.shape[:2]) for pixels in images)
        crops = sum(len(tensor) for one in inputs for _, tensor in one)
        print(
            f"{len(files)} images (median long side {side:.0f}), "
            f"{crops} crops, {detector.spec.name}, "
            f"{arguments.workers} threads, ONNX Runtime {ort.__version__}"
        )
        del images

        def scanned(provenance: bool) -> Callable[[], None]:
            options = Options(provenance=provenance)

            def run() -> None:
                results = list(
                    scan(find([str(folder)]), detector, workers=arguments.workers, options=options)
                )
                failed = [r.report.error for r in results if r.report.error]
                assert len(results) == len(files), len(results)
                assert not failed, failed[:3]

            return run

        graphs = [placed.folder / "model.onnx" for placed in detector.spec.placed_networks(bundle)]
        runs = {
            f"bare, {arguments.workers} threads x 1-thread runs": _pooled(
                graphs, inputs, arguments.workers
            ),
            f"bare, one {arguments.workers}-thread session": _single(
                graphs, inputs, arguments.workers
            ),
            "scan": scanned(True),
            "scan --no-provenance": scanned(False),
        }
        _report(runs, len(files), arguments.rounds)


def ready(detector: Detector, pixels: RGBImage) -> Inputs:
    """Crops of ``pixels``, normalised, for the networks of ``detector`` that judge its size."""
    found = []
    for number, weighted in enumerate(detector.networks):
        crops, boxes = weighted.crops(pixels)
        if boxes:
            found.append((number, weighted.network.preprocess.tensor(crops)))
    return found


def _report(runs: dict[str, Callable[[], None]], images: int, rounds: int) -> None:
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    busy: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()  # warm: files cached, sessions built
    for _ in range(rounds):
        for name, run in runs.items():
            started, used = time.perf_counter(), time.process_time()
            run()
            seconds[name].append(time.perf_counter() - started)
            busy[name].append(time.process_time() - used)
    rate = {name: images / statistics.median(times) for name, times in seconds.items()}
    best = max(value for name, value in rate.items() if name.startswith("bare"))
    # Processor time tells the overhead where other processes take part of the cores.
    print(f"{'':32s} {'images/s':>9s} {'of faster bare':>15s} {'CPU ms/image':>13s}")
    for name, value in rate.items():
        cost = statistics.median(busy[name]) / images * 1e3
        print(f"{name:32s} {value:9.2f} {value / best:15.3f} {cost:13.1f}")


def _session(path: Path, threads: int) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _run(sessions: list[ort.InferenceSession], inputs: Inputs) -> None:
    # Only what the logits need: without this the graph's heatmap outputs are computed too.
    options = ort.RunOptions()
    options.only_execute_path_to_fetches = True
    for number, tensor in inputs:
        sessions[number].run(["logits"], {"image": tensor}, options)


def _single(graphs: list[Path], images: list[Inputs], threads: int) -> Callable[[], None]:
    sessions = [_session(path, threads) for path in graphs]

    def run() -> None:
        for inputs in images:
            _run(sessions, inputs)

    return run


def _pooled(graphs: list[Path], images: list[Inputs], threads: int) -> Callable[[], None]:
    sessions = [_session(path, 1) for path in graphs]

    def run() -> None:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda inputs: _run(sessions, inputs), images))

    return run


def _photographs(folder: Path, count: int) -> Path:
    from skimage import data

    photos = [data.astronaut(), data.coffee(), data.rocket(), data.chelsea()]
    for number in range(count):
        content = encode(photos[number % len(photos)], "JPEG", quality=80 + number % 16)
        (folder / f"{number:04d}.jpg").write_bytes(content)
    return folder


if __name__ == "__main__":
    main()
