"""Two processes learn what one learns with the same common batch."""

from __future__ import annotations

import json
import os
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


TORCHRUN = ["-m", "torch.distributed.run", "--nproc-per-node", "2"]


def trained(recipe: Path, output: Path, *, processes: int = 1, by_torchrun: bool = False) -> Any:
    """The last checkpoint of a run by ``processes`` that it starts itself, or by torchrun's two."""
    start = TORCHRUN if by_torchrun else []
    subprocess.run(
        [sys.executable, *start, str(PROGRAM), str(recipe), str(output), str(processes)],
        check=True,
        timeout=240,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    return load_checkpoint(output / "checkpoints" / "last.ckpt")


@pytest.mark.slow
@pytest.mark.parametrize("by_torchrun", [False, True])
def test_two_processes_equal_one(
    tiny: Callable[..., Recipe], toy: Path, tmp_path: Path, by_torchrun: bool
) -> None:
    """Without batch statistics and dropout, only rounding differs."""
    recipe = tiny(
        toy, "model={name: timm/convnext_atto, arguments: {head_widths: [8], head_dropouts: [0]}}",
        "preprocess.size=32", "optimizer.name=sgd", "gradient_clip=1.0", "accumulate=2", epochs=2,
    )  # fmt: skip
    file = tmp_path / "recipe.yaml"
    file.write_text(dump_recipe(recipe))
    one = trained(file, tmp_path / "one")
    processes = 1 if by_torchrun else 2
    two = trained(file, tmp_path / "two", processes=processes, by_torchrun=by_torchrun)
    facts = json.loads((tmp_path / "two" / "environment.json").read_text())
    assert facts["processes"] == 2
    assert one["progress"]["total_steps"] == two["progress"]["total_steps"] == 14
    for name, value in one["model"].items():
        assert torch.allclose(value, two["model"][name], atol=1e-5), name
    for a, b in zip(one["progress"]["history"], two["progress"]["history"], strict=True):
        assert a["val_loss"] == pytest.approx(b["val_loss"], abs=1e-4)
        assert a["train_loss"] == pytest.approx(b["train_loss"], abs=1e-4)
