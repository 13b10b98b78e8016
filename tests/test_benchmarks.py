"""The benchmarks of scanning run with the packaged detector, whatever it is made of."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "shown"),
    [
        ("scan_throughput.py --count 2 --rounds 1 --workers 1", "scan --no-provenance"),
        ("scan_rivals.py --count 2 --rounds 1 --workers 1", "transformers, batches of 8"),
        ("backends.py --rounds 1 --crops 4 --threads 1", "Detector / bare"),
    ],
)
def test_a_benchmark_prints_its_table(program: str, shown: str) -> None:
    name, *options = program.split()
    done = subprocess.run(
        [sys.executable, str(FOLDER / name), *options], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert shown in done.stdout
