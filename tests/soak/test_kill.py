"""Real runs ended at random moments: outputs are whole, old or absent, and going on loses nothing.

Every chain of ends uses all three signals, then lets the command finish. `make soak` makes many.
"""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow.parquet as pq
import pytest
from PIL import Image

from authentiscan.manifest.table import Manifest

COMMAND = (sys.executable, "-m", "authentiscan")
ROUNDS = int(os.environ.get("AUTHENTISCAN_SOAK_ROUNDS", "20"))
KINDS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
OLD = "what authentiscan left here before"
_TIMES = ("decode_ms", "model_ms", "total_ms")
_MOST_SECONDS = 120


def tidy(code: int, kind: signal.Signals) -> bool:
    """Whether the program took the signal: it ended with a code of its own, or had ended before."""
    return kind != signal.SIGKILL and code in (0, 1, 128 + kind)


def ended(command: list[str], kind: signal.Signals, after: float) -> int:
    """Start the command, end it ``after`` seconds, wait for all of its processes; the exit code.

    Fails where it ends otherwise than well or by the signal, and shows what it said.
    """
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=said,
            # A suite in the background ignores Ctrl-C, and children inherit that.
            preexec_fn=lambda: [signal.signal(k, signal.SIG_DFL) for k in KINDS[1:]],  # noqa: PLW1509
        ) as process,
    ):
        time.sleep(after)
        try:
            below = psutil.Process(process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            below = []
        process.send_signal(kind)
        code = process.wait(_MOST_SECONDS)
        said.seek(0)
        words = said.read().decode()
        unborn = words.startswith("Fatal Python error: init")  # before a line of ours could run
        assert code in (0, 1, -kind, 128 + kind) or unborn, words
        assert "Traceback" not in words or unborn, words
    _, alive = psutil.wait_procs(below, _MOST_SECONDS)
    assert not alive, "a worker goes on without its parent"
    return -kind if unborn else code  # it could tidy up nothing, whatever code Python gave


def whole_run(command: list[str], code: int = 0) -> float:
    """Run the command to its end, where its exit code is ``code``; the seconds it took."""
    started = time.monotonic()
    result = subprocess.run(command, check=False, capture_output=True, timeout=600)
    assert result.returncode == code, result.stderr.decode()
    return time.monotonic() - started


def chain(
    command: list[str],
    seconds: float,
    look: Callable[[bool], None],
    chance: random.Random,
    code: int = 0,
) -> None:
    """End the command with each signal, going on each time, then let it finish with ``code``.

    look: checks what is there; it is told whether the program could tidy up.
    """
    kinds = list(KINDS)
    chance.shuffle(kinds)
    for kind in kinds:
        look(tidy(ended(command, kind, chance.uniform(0, 1.1 * seconds)), kind))
    whole_run(command, code)


def pictures(folder: Path, number: int, kinds: tuple[str, ...] = ("",)) -> Path:
    """So many small pictures that differ, dealt to folders ``kinds``."""
    draw = np.random.default_rng(0)
    for kind in kinds:
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for index in range(number):
        pixels = draw.integers(0, 256, (8, 8, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
        place = folder / kinds[index % len(kinds)] / f"{index:05d}.jpg"
        Image.fromarray(pixels).save(place)
    return folder


# Scans


class Scan:
    """A scan of the same pictures into all sinks, and what it must give."""

    def __init__(self, raw: Path, bundle: Path, folder: Path) -> None:
        self.folder = folder
        self.left: set[Path] = set()
        folder.mkdir()
        outputs = [w for kind in ("jsonl", "csv", "parquet", "html")
                   for w in ("-o", str(folder / f"r.{kind}"))]  # fmt: skip
        self.command = [*COMMAND, "scan", str(raw), "--model", str(bundle), *outputs, "--resume"]

    def place(self, kind: str) -> Path:
        return self.folder / f"r.{kind}"

    def journal(self) -> list[dict[str, Any]]:
        """The whole rows of the JSON lines."""
        text = self.place("jsonl").read_text() if self.place("jsonl").exists() else ""
        return [_timeless(json.loads(line)) for line in text.splitlines(keepends=True)
                if line.endswith("\n")]  # fmt: skip

    def table(self) -> list[dict[str, Any]]:
        with self.place("csv").open(newline="") as stream:
            return by_name([_timeless(row) for row in csv.DictReader(stream)])

    def parquet(self) -> list[dict[str, Any]]:
        reports = pq.read_table(self.place("parquet"))["report"].to_pylist()
        return by_name([_timeless(json.loads(report)) for report in reports])

    def look(self, done: list[dict[str, Any]], tidied: bool) -> None:
        """Outputs in the middle of it are old, or whole; the journal begins as the whole one."""
        rows = self.journal()
        assert rows == done[: len(rows)]
        if tidied and self.place("jsonl").exists():
            assert self.place("jsonl").read_text()[-1:] in ("", "\n")
        if self.place("csv").read_bytes() != OLD.encode():
            assert len(self.table()) <= len(rows)
        if self.place("parquet").read_bytes() != OLD.encode():
            found = self.parquet()
            assert found == [row for row in by_name(done) if row in found]
        page = self.place("html").read_text()
        assert page == OLD or page.rstrip().endswith("</html>")
        hidden = set(self.folder.glob(".*"))
        # What kill -9 left is cleared by a run that comes as far as to claim its outputs.
        assert not tidied or hidden <= self.left
        self.left = hidden


def by_name(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Tables written by a run that goes on have rows that were tried again behind the others."""
    return sorted(rows, key=itemgetter("path"))


def _timeless(row: dict[str, Any]) -> dict[str, Any]:
    for name in ("timings", *_TIMES):
        row.pop(name, None)
    if isinstance(row.get("provenance"), dict):
        row["provenance"].pop("milliseconds")
    return row


def scans(raw: Path, bundle: Path, folder: Path, seeds: range) -> None:
    cut = raw / "00007.jpg"  # fails, and is tried again by every run that goes on
    cut.write_bytes(cut.read_bytes()[:500])
    whole = Scan(raw, bundle, folder / "whole")
    seconds = whole_run(whole.command, code=1)
    done, page = whole.journal(), whole.place("html").read_text()
    assert len(done) == len(list(raw.glob("*.jpg")))
    for seed in seeds:
        one = Scan(raw, bundle, folder / str(seed))
        for kind in ("csv", "parquet", "html"):
            one.place(kind).write_text(OLD)
        chain(one.command, seconds, partial(one.look, done), random.Random(seed), code=1)
        assert one.journal() == done
        assert one.table() == whole.table()
        assert one.parquet() == whole.parquet()
        found = one.place("html").read_text()
        assert found.count("<article") == page.count("<article") == len(done)
        assert found.count("data:image/jpeg") == page.count("data:image/jpeg") == 2 * len(done) - 2
        assert sorted(path.name for path in one.folder.iterdir()) == [
            "r.csv", "r.html", "r.jsonl", "r.parquet",
        ]  # fmt: skip


def test_scans_ended_at_random_moments(tiny_bundle: Path, tmp_path: Path) -> None:
    scans(pictures(tmp_path / "raw", 150), tiny_bundle, tmp_path, range(1))


@pytest.mark.slow
@pytest.mark.soak
@pytest.mark.timeout(0)
def test_many_scans_ended_at_random_moments(tiny_bundle: Path, tmp_path: Path) -> None:
    scans(pictures(tmp_path / "raw", 600), tiny_bundle, tmp_path, range(1, 1 + ROUNDS))


# Organizing


def organizes(number: int, folder: Path, seeds: range) -> None:
    raw = pictures(folder / "raw", number, ("real", "fake"))
    whole = folder / "whole" / "m.parquet"
    command = [*COMMAND, "data", "organize", str(raw), "-w", "2", "-o"]
    seconds = whole_run([*command, str(whole)])
    right = Manifest.read(whole).sha256()
    for seed in seeds:
        target = folder / str(seed) / "m.parquet"
        target.parent.mkdir()
        older = seed % 2 == 0
        if older:
            target.write_text(OLD)

        def look(tidied: bool, target: Path = target, older: bool = older) -> None:
            if target.exists() and not (older and target.read_bytes() == OLD.encode()):
                assert Manifest.read(target).sha256() == right
            assert older <= target.exists()
            assert not tidied or not list(target.parent.glob(".*"))

        chain([*command, str(target)], seconds, look, random.Random(seed))
        assert Manifest.read(target).sha256() == right
        assert [path.name for path in target.parent.iterdir()] == ["m.parquet"]


def test_organizing_ended_at_random_moments(tmp_path: Path) -> None:
    organizes(400, tmp_path, range(1))


@pytest.mark.slow
@pytest.mark.soak
@pytest.mark.timeout(0)
def test_much_organizing_ended_at_random_moments(tmp_path: Path) -> None:
    organizes(9000, tmp_path, range(1, 1 + ROUNDS))
