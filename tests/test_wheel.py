"""The wheel as people install it: by pipx, into an environment of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def run(*command: str | Path, **environment: str) -> str:
    """Standard output of a command that must succeed."""
    done = subprocess.run(
        list(map(str, command)),
        check=False, capture_output=True, text=True, cwd="/", env=os.environ | environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_pipx_installs_the_wheel_and_the_command_works(tmp_path: Path) -> None:
    """Base install alone: no checkout, no environment of ours, no torch."""
    source = tmp_path / "checkout"
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", "build")
    shutil.copytree(ROOT / "src", source / "src", ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE", "constraints.txt"):
        shutil.copy(ROOT / name, source / name)
    venv.create(tmp_path / "tools", with_pip=True)
    python = tmp_path / "tools" / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "pipx")
    run(python, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", tmp_path / "dist", source)
    (wheel,) = (tmp_path / "dist").glob("authentiscan-*.whl")
    own = {
        "PIPX_HOME": str(tmp_path / "pipx"),
        "PIPX_BIN_DIR": str(tmp_path / "bin"),
        "PYTHONPATH": "",
        "PIP_CONSTRAINT": str(source / "constraints.txt"),
    }
    run(python, "-m", "pipx", "install", "--python", sys.executable, wheel, **own)
    program = tmp_path / "bin" / "authentiscan"
    assert run(program, "--version", PYTHONPATH="").startswith("authentiscan ")
    image = next((ROOT / "examples").rglob("*.jpg"))
    assert '"verdict":' in run(program, "scan", image, "--json", PYTHONPATH="")
    there = list((tmp_path / "pipx").rglob("site-packages/*"))
    assert "torch" not in {p.name for p in there}
    assert "authentiscan" in {p.name for p in there}
