"""Two processes learn what one learns with the same common batch."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from authentiscan.training.recipe import Recipe
from authentiscan.training.recipe_file import dump_recipe
from authentiscan.training.state import load_checkpoint

PROGRAM = Path(__file__).with_name("ddp_run.py")


def commands(start: str) -> list[list[str]]:
    """What begins the commands of a run: by the program itself, by torchrun on one machine, or by
    torchrun on each of two, as docs/training.md says.
    """
    if start == "itself":
        return [[sys.executable]]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node"]
    if start == "torchrun":
        return [[*torchrun, "2"]]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    meeting = ["--nnodes", "2", "--master-addr", "127.0.0.1", "--master-port", str(port)]
    return [[*torchrun, "1", *meeting, "--node-rank", rank] for rank in ("0", "1")]


def trained(recipe: Path, output: Path, *, processes: int = 1, start: str = "itself") -> Any:
    """The last checkpoint of a run by ``processes``, or by the two that torchrun starts."""
    running = [
        subprocess.Popen(
            [*command, str(PROGRAM), str(recipe), str(output), str(processes)],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        for command in commands(start)
    ]
    try:
        assert [process.wait(timeout=600) for process in running] == [0] * len(running)
    finally:
        for process in running:
            process.kill()
    return load_checkpoint(output / "checkpoints" / "last.ckpt")


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("start", ["itself", "torchrun", "two machines"])
def test_two_processes_equal_one(
    tiny: Callable[..., Recipe], toy: Path, tmp_path: Path, start: str
) -> None:
    """Without batch statistics and dropout, only rounding differs."""
    recipe = tiny(
        toy, "model={name: timm/convnext_atto, arguments: {head_widths: [8], head_dropouts: [0]}}",
        "preprocess.size=32", "optimizer.name=sgd", "gradient_clip=1.0", "accumulate=2", epochs=2,
    )  # fmt: skip
    file = tmp_path / "recipe.yaml"
    file.write_text(dump_recipe(recipe))
    one = trained(file, tmp_path / "one")
    processes = 2 if start == "itself" else 1
    two = trained(file, tmp_path / "two", processes=processes, start=start)
    facts = json.loads((tmp_path / "two" / "environment.json").read_text())
    assert facts["processes"] == 2
    assert one["progress"]["total_steps"] == two["progress"]["total_steps"] == 14
    for name, value in one["model"].items():
        assert torch.allclose(value, two["model"][name], atol=1e-5), name
    for a, b in zip(one["progress"]["history"], two["progress"]["history"], strict=True):
        assert a["val_loss"] == pytest.approx(b["val_loss"], abs=1e-4)
        assert a["train_loss"] == pytest.approx(b["train_loss"], abs=1e-4)
