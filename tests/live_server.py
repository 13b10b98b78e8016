"""A real `authentiscan serve` in a process of its own, for tests."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from authentiscan.images.decode import encode

TINY = Path(__file__).parent / "fixtures" / "tiny-bundle"
START_SECONDS = 120


class Server:
    """The running process, its address, its log, and a client for it."""

    def __init__(self, process: subprocess.Popen[bytes], address: str, state: Path) -> None:
        self.process, self.address, self.state = process, address, state
        self.http = httpx.Client(base_url=address, timeout=120)

    def post(self, path: str, *contents: bytes, **options: Any) -> httpx.Response:
        """Post images called 0.png, 1.png …"""
        files = [("file", (f"{i}.png", content)) for i, content in enumerate(contents)]
        return self.http.post(path, files=files, **options)

    def finished(self, job: str, **options: Any) -> dict[str, Any]:
        """Wait for the end of a job."""
        limit = time.monotonic() + 240
        while time.monotonic() < limit:
            found: dict[str, Any] = self.http.get(f"/v1/jobs/{job}", **options).json()
            if found["status"] == "finished":
                return found
            time.sleep(0.05)
        raise AssertionError(f"not finished: {found}")

    def log(self) -> list[dict[str, Any]]:
        """The log's lines so far that are JSON."""
        return [json.loads(line) for line in self.log_text().splitlines() if line.startswith("{")]

    def log_text(self) -> str:
        """All that the server has said."""
        return _log(self.state).read_text(encoding="utf-8")

    def kill(self) -> None:
        """kill -9."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(60)

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(120)


@contextmanager
def serving(state: Path, *options: str, model: Path = TINY) -> Iterator[Server]:
    """A server on a free port, with its state in ``state``; ended with the block."""
    words = ["serve", "--port", "0", "--state", str(state), "-m", str(model), *options]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with _log(state).open("ab") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "authentiscan", *words],
            stderr=subprocess.PIPE,
            env=environment,
        )
        try:
            address = _address(process)
            pump = subprocess.Popen(["cat"], stdin=process.stderr, stdout=stream)
            server = Server(process, address, state)
            yield server
            server.http.close()
        finally:
            if process.poll() is None:
                process.kill()
            process.wait(60)
            pump.wait(60)


def _log(state: Path) -> Path:
    return state.parent / f"{state.name}.log"


def _address(process: subprocess.Popen[bytes]) -> str:
    assert process.stderr is not None
    told, limit = b"", time.monotonic() + START_SECONDS
    while time.monotonic() < limit and process.poll() is None:
        if select.select([process.stderr], [], [], 1)[0]:
            told += os.read(process.stderr.fileno(), 4096)
        found = re.search(rb"answers at (http://\S+);", told)
        if found:
            return found[1].decode()
    raise AssertionError(f"no server: {told.decode()}")


def png(seed: int, side: int = 72) -> bytes:
    """A small image of noise."""
    rng = np.random.default_rng(seed)
    return encode(rng.integers(0, 256, (side, side, 3), dtype=np.uint8), "PNG")
