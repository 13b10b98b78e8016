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


WRONG = (
    ("a value contains itself", "train bomb.yaml"),
    ("leave out --data", "train quickstart --data . --resume"),
    ("no such folder or run", "train --resume nowhere"),
    ("no run with a checkpoint", "train --resume"),
    ("no detector 'nowhere'", "train --from nowhere --add more"),
    ("a value contains itself", "pipeline --config bomb.yaml"),
    ("a value contains itself", "recipes show bomb.yaml"),
    ("a value contains itself", "attribution train bomb.yaml --data ."),
    ("no recipe 'nowhere'", "attribution train nowhere --data ."),
)  # fmt: skip


def test_what_is_wrong_with_the_words_is_told_before_torch_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "bomb.yaml").write_text("a: &a [*a]\n")
    program = (
        "import sys; from authentiscan.cli import main\n"
        "for line in sys.stdin:\n"
        "    sys.argv = ['authentiscan', *line.split()]\n"
        "    try: main()\n"
        "    except SystemExit as end: print(bool(end.code), 'torch' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        input="\n".join(command for _, command in WRONG),
        capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.stdout.splitlines() == ["True False"] * len(WRONG)
    told = done.stderr.splitlines()
    for (why, command), line in zip(WRONG, told, strict=True):
        assert why in line, command
