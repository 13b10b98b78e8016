"""The way from a file to a verdict needs the base install only."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

from authentiscan.images.decode import encode

HEAVY = ("torch", "torchvision", "timm", "lightning", "pyarrow", "matplotlib", "pandas", "sklearn")

PROGRAM = """
import sys
from pathlib import Path

import authentiscan
from authentiscan.analysis import analyze
from authentiscan.cli import app
from authentiscan.inference import load_detector
from authentiscan.scan import Options, Sinks, find, open_sink, scan

folder, bundle = Path(sys.argv[1]), sys.argv[2]
detector = load_detector(bundle, threads=1)
assert analyze(folder / "a.png", detector).error is None
names = ["r.jsonl", "r.csv", "r.html"]
with Sinks([open_sink(folder / name) for name in names]) as sinks:
    for result in scan(find([str(folder)]), detector, options=Options(thumbnails=True)):
        assert result.report.error is None, result.report.error
        sinks.write(result)
print(" ".join(name for name in sys.argv[3:] if name in sys.modules))
"""


def test_scanning_imports_nothing_heavy(tiny_bundle: Path, tmp_path: Path) -> None:
    pixels = np.arange(90 * 90 * 3, dtype=np.uint32).reshape(90, 90, 3) % 251
    for name, format in (("a.png", "PNG"), ("b.jpg", "JPEG")):
        (tmp_path / name).write_bytes(encode(pixels.astype(np.uint8), format))
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path), str(tiny_bundle), *HEAVY],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == []


def test_help_imports_no_room(tmp_path: Path) -> None:
    program = (
        "import sys, authentiscan.cli; "
        "print([n for n in ('numpy', 'PIL', 'onnxruntime', 'torch') if n in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert result.stdout.strip() == "[]", result.stderr
