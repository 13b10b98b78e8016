"""All four phases on folders laid out like GenImage, killed in the middle and run again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from authentiscan.inference import load_detector, read_spec
from authentiscan.pipeline.config import PipelineConfig, load_config
from authentiscan.pipeline.data import prepare
from authentiscan.pipeline.estimate import estimate
from authentiscan.pipeline.run import run, steps_of
from authentiscan.training.machine import Machine
from authentiscan.training.reporter import Quiet
from authentiscan.training.runs import find_runs

MakeConfig = Callable[..., PipelineConfig]
CHANGES = [
    "baselines.other.set={phases.0.epochs: 30, checkpoint.every_steps: 1, early_stopping: null}"
]


class Lines(Quiet):
    """A reporter that keeps what it was told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def info(self, text: str) -> None:
        self.lines.append(text)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(sys.platform == "win32", reason="kills by signal")
def test_killed_and_run_again(make_config: MakeConfig, tmp_path: Path) -> None:
    make_config()
    config = tmp_path / "config.yaml"
    command = [sys.executable, "-m", "authentiscan", "pipeline", "--config", str(config)]
    process = subprocess.Popen([*command, *(f"--set={change}" for change in CHANGES)])
    out, deadline = tmp_path / "out", time.monotonic() + 400
    while not list(out.glob("runs/other_baseline-*/history.csv")) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    states = {found.name: found.state for found in find_runs(out / "runs")}
    assert states == {"genimage_baseline": "finished", "other_baseline": "interrupted"}

    machine, lines = Machine(device="cpu"), Lines()
    settings = load_config(config, CHANGES)
    planned = estimate(steps_of(settings, prepare(settings, out / "data", lines), machine), lines)
    assert [step.state for step in planned] == ["done", "begun", "new", "waits", "waits"]
    assert planned[0].seconds == 0
    assert all(step.seconds > 0 for step in planned[1:])

    summary = run(settings, machine=machine, reporter=lines)
    text = "\n".join(lines.lines)
    assert "phase 1, genimage_baseline: skipped, same recipe and data" in text
    assert "going on after" in text
    assert not summary.unfinished
    assert {found.state for found in find_runs(out / "runs")} == {"finished"}
    for name in ("genimage_baseline", "other_baseline", "combined"):
        assert read_spec(out / "bundles" / name).name == name
        assert load_detector(out / "bundles" / name).predict(_any_image(tmp_path)).score >= 0
    used = read_spec(out / "bundles" / "combined").data
    assert [use.name for use in used] == ["genimage", "other"]
    cross = summary.crosses["raw"]
    assert [facts.images for facts in cross.data] == [use.images["test"] for use in used]
    content = json.loads((out / "summary.json").read_text())
    assert len(content["targets"]) == 7
    assert content["detectors"]["other_baseline"]["run"]["epochs"] == 30


def _any_image(root: Path) -> Path:
    return next(root.glob("other/real/*.png"))
