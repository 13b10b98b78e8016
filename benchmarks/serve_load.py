"""Load on a running server: images/s, p50, p99 by number of clients, against the bare ONNX loop.

    python benchmarks/serve_load.py [--model BUNDLE] [--seconds 10] [--rounds 2] [--requests 0]

The server is a process of its own on this machine; so are the clients, which share its cores. The
rival does nothing but run the network on prepared inputs, with the server's number of threads. Each
round measures the rival and every number of clients in turn; medians are shown. Where other
processes take part of the cores, the ratio of processor times per image tells more.

With --requests N, N requests of small images are sent by eight clients, half of them before and
half after the server is stopped and started again in the middle, with requests under way. It counts
answers, and the server's memory every tenth of the way. A client that gets no answer asks again.
"""

from __future__ import annotations

import argparse
import http.client
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import onnxruntime as ort
import psutil

from authentiscan.images.decode import decode, encode
from authentiscan.inference import default_bundle, load_detector

CLIENTS = (1, 8, 32)


def main() -> None:
    """Run all, print tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", type=Path, default=None)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--requests", type=int, default=0, help="of the endurance run")
    arguments = parser.parse_args()
    bundle = arguments.model or default_bundle()
    with tempfile.TemporaryDirectory() as folder:
        if arguments.rounds:
            measure(bundle, Path(folder), arguments)
        if arguments.requests:
            endure(bundle, Path(folder), arguments)


def measure(bundle: Path, folder: Path, arguments: argparse.Namespace) -> None:
    """Throughput and latency of photographs."""
    from skimage import data

    photos = [data.astronaut(), data.coffee(), data.rocket(), data.chelsea()]
    bodies = [_form(encode(photo, "JPEG", quality=90)) for photo in photos]
    rival = Rival(bundle, [encode(photo, "JPEG", quality=90) for photo in photos], arguments)
    print(
        f"{len(photos)} JPEGs, {rival.crops / len(photos):.1f} crops each, {bundle.name}, ", end=""
    )
    print(f"{arguments.workers} threads, ONNX Runtime {ort.__version__}")
    rows: dict[str, list[tuple[float, float, float, float]]] = {}
    with served(bundle, folder / "state", arguments.workers) as server:
        rival.run(1.0)
        load(server, bodies, 8, 2.0)
        for _ in range(arguments.rounds):
            rows.setdefault("bare ONNX loop", []).append(rival.run(arguments.seconds))
            for clients in CLIENTS:
                found = load(server, bodies, clients, arguments.seconds)
                rows.setdefault(f"{clients} clients", []).append(found)
        print(_batches(server))
    _table(rows)


class Rival:
    """The networks that judge an image, on prepared inputs; as many callers as workers."""

    def __init__(self, bundle: Path, images: list[bytes], arguments: argparse.Namespace) -> None:
        detector = load_detector(bundle, threads=1)
        pixels = [decode(image).pixels for image in images]
        self.workers = arguments.workers
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        sessions = [
            ort.InferenceSession(
                str(placed.folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
            )
            for placed in detector.spec.placed_networks(bundle)
        ]
        pairs = list(zip(sessions, detector.networks, strict=True))
        self.images = [
            [
                (session, weighted.network.preprocess.tensor(crops))
                for session, weighted in pairs
                if len(crops := weighted.crops(one)[0])
            ]
            for one in pixels
        ]
        self.crops = sum(len(tensor) for runs in self.images for _, tensor in runs)
        self.run_options = ort.RunOptions()
        self.run_options.only_execute_path_to_fetches = True

    def run(self, seconds: float) -> tuple[float, float, float, float]:
        """Images a second, p50 and p99 in ms, processor ms an image."""
        took: list[float] = []
        end, used = time.perf_counter() + seconds, time.process_time()

        def work(first: int) -> None:
            number = first
            while time.perf_counter() < end:
                started = time.perf_counter()
                for session, tensor in self.images[number % len(self.images)]:
                    session.run(["logits"], {"image": tensor}, self.run_options)
                took.append(time.perf_counter() - started)
                number += 1

        started = time.perf_counter()
        with ThreadPoolExecutor(self.workers) as pool:
            list(pool.map(work, range(self.workers)))
        return _figures(took, time.perf_counter() - started, time.process_time() - used)


class Server:
    """A server's process and port."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process, self.port = process, port
        self.watched = psutil.Process(process.pid)

    def cpu(self) -> float:
        """Processor seconds so far."""
        times = self.watched.cpu_times()
        return float(times.user + times.system)


@contextmanager
def served(bundle: Path, state: Path, workers: int, port: int = 0) -> Iterator[Server]:
    """A server of ``bundle``, ended with the block by SIGTERM."""
    free = port or _free_port()
    words = ["serve", "-q", "--port", str(free), "--state", str(state), "-w", str(workers)]
    process = subprocess.Popen([sys.executable, "-m", "authentiscan", *words, "-m", str(bundle)])
    try:
        _wait_until_ready(process, free)
        yield Server(process, free)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _wait_until_ready(process: subprocess.Popen[bytes], port: int) -> None:
    """Until the server answers; the whole benchmark ends where the server does."""
    while True:
        _check(process)
        try:
            _ask(http.client.HTTPConnection("127.0.0.1", port, timeout=30), "GET", "/readyz")
        except (OSError, http.client.HTTPException):
            time.sleep(0.1)
        else:
            return


def _check(process: subprocess.Popen[bytes]) -> None:
    """End the benchmark where the server has ended by itself."""
    if (ended := process.poll()) is not None:
        sys.exit(f"the server ended with {ended}; its reason stands above")


def load(
    server: Server, bodies: list[bytes], clients: int, seconds: float
) -> tuple[float, float, float, float]:
    """Images a second, p50 and p99 in ms, the server's processor ms an image."""
    took: list[float] = []
    end, used = time.perf_counter() + seconds, server.cpu()

    def work(first: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
        number = first
        while time.perf_counter() < end:
            started = time.perf_counter()
            status = _ask(connection, "POST", "/v1/scan", bodies[number % len(bodies)])
            assert status == 200, status
            took.append(time.perf_counter() - started)
            number += 1
        connection.close()

    started = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(work, range(clients)))
    return _figures(took, time.perf_counter() - started, server.cpu() - used)


def endure(bundle: Path, folder: Path, arguments: argparse.Namespace) -> None:
    """Many small requests with a restart in the middle: answers by status, memory on the way."""
    run, started = Endurance(arguments.requests), time.perf_counter()
    pool = ThreadPoolExecutor(8)
    try:
        with served(bundle, folder / "endure", arguments.workers, run.port) as first:
            run.server = first
            working = [pool.submit(run.work) for _ in range(8)]
            while not run.half.wait(1):
                _check(first.process)
            first.process.send_signal(signal.SIGTERM)
            print("first server ended with", first.process.wait(120))
        with served(bundle, folder / "endure", arguments.workers, run.port) as second:
            run.server = second
            while wait(working, timeout=1).not_done:
                _check(second.process)
            for one in working:
                one.result()
            run.measure()
    finally:
        run.over.set()
        run.half.set()
        pool.shutdown()
    seconds = time.perf_counter() - started
    print(f"{arguments.requests} requests in {seconds:.0f} s: {dict(run.counts)}")
    print("memory, MiB:", ", ".join(f"{value:.0f}" for value in run.memory))


class Endurance:
    """Clients that ask until ``requests`` are answered, whatever becomes of the server meanwhile.

    server: the one that runs, or ran last. half: set when half of the requests were begun. over:
    set it to end the clients. counts: answers by status, and why it was asked again. memory: MiB.
    """

    def __init__(self, requests: int) -> None:
        rng = np.random.default_rng(0)
        images = rng.integers(0, 256, (16, 64, 64, 3), dtype=np.uint8)
        self.bodies = [_form(encode(image, "JPEG")) for image in images]
        self.port, self.server = _free_port(), None  # type: int, Server | None
        self.half, self.over = threading.Event(), threading.Event()
        self.counts: Counter[str] = Counter()
        self.memory: list[float] = []
        self._requests, self._numbers = requests, iter(range(requests))
        self._lock = threading.Lock()

    def work(self) -> None:
        """One client."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        while not self.over.is_set():
            with self._lock:
                number = next(self._numbers, None)
                if number is None:
                    return
                if number % max(1, self._requests // 10) == 0:
                    self.measure()
            if number == self._requests // 2:
                self.half.set()
            self._answer(connection, self.bodies[number % len(self.bodies)])

    def measure(self) -> None:
        """Note the memory of the server, where one is there."""
        with suppress(psutil.Error):
            if self.server is not None:
                self.memory.append(self.server.watched.memory_info().rss / 2**20)

    def _answer(self, connection: http.client.HTTPConnection, body: bytes) -> None:
        """Ask, again and again where the server is away or busy, and count why."""
        while not self.over.is_set():
            try:
                told = str(_ask(connection, "POST", "/v1/scan", body))
            except ConnectionRefusedError:
                told = "no server there"
            except (OSError, http.client.HTTPException):
                told = "closed without an answer"
            with self._lock:
                self.counts[told] += 1
            if told.isdigit() and told not in ("429", "503"):
                return
            connection.close()
            time.sleep(0.2)


def _ask(
    connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None = None
) -> int:
    headers = {"Content-Type": "multipart/form-data; boundary=benchmark"} if body else {}
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    answer.read()
    return answer.status


def _form(image: bytes) -> bytes:
    head = b'--benchmark\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'
    return head + image + b"\r\n--benchmark--\r\n"


def _figures(took: list[float], seconds: float, used: float) -> tuple[float, float, float, float]:
    p50, p99 = np.percentile(took, [50, 99]) * 1e3
    return len(took) / seconds, float(p50), float(p99), used / len(took) * 1e3


def _table(rows: dict[str, list[tuple[float, float, float, float]]]) -> None:
    medians = {
        name: [statistics.median(values) for values in zip(*found, strict=True)]
        for name, found in rows.items()
    }
    bare = medians["bare ONNX loop"]
    head = ("images/s", "of bare", "p50 ms", "p99 ms", "CPU ms/image", "bare CPU of it")
    print(" " * 16 + "".join(f"{name:>15s}" for name in head))
    for name, (rate, p50, p99, cpu) in medians.items():
        values = (rate, rate / bare[0], p50, p99, cpu, bare[3] / cpu)
        print(f"{name:16s}" + "".join(f"{value:15.2f}" for value in values))


def _batches(server: Server) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()

    def mean(name: str) -> float:
        figures = {
            part: float(re.search(rf"^authentiscan_{name}_{part} (\S+)", text, re.M)[1])  # type: ignore[index]
            for part in ("sum", "count")
        }
        return figures["sum"] / figures["count"]

    return f"mean call: {mean('batch_crops'):.1f} crops of {mean('batch_images'):.1f} images"


def _free_port() -> int:
    """Below the range that clients get theirs from: there, one that asks while no server is there
    may be connected to itself, and hold the port.
    """
    import random
    import socket

    while True:
        port = random.randrange(20_000, 30_000)
        with socket.socket() as found, suppress(OSError):
            found.bind(("127.0.0.1", port))
            return port


if __name__ == "__main__":
    main()
