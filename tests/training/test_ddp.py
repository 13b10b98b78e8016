"""Two processes learn what one learns with the same common batch."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from authentiscan.training.recipe import Recipe
from authentiscan.training.recipe_file import dump_recipe
from authentiscan.training.state import load_checkpoint

PROGRAM = Path(__file__).with_name("ddp_run.py")


@pytest.mark.slow
def test_two_processes_equal_one(tiny: Callable[..., Recipe], toy: Path, tmp_path: Path) -> None:
    """Without batch statistics (frozen backbone) and dropout, only rounding differs."""
    recipe = tiny(
        toy, "phases=[{epochs: 2, trained: head}]", "model.arguments.head_dropouts=[0.0]",
        "optimizer.name=sgd", "gradient_clip=1.0", "accumulate=2",
    )  # fmt: skip
    file = tmp_path / "recipe.yaml"
    file.write_text(dump_recipe(recipe))
    found = []
    for processes in (1, 2):
        output = tmp_path / f"run-{processes}"
        subprocess.run(
            [sys.executable, str(PROGRAM), str(file), str(output), str(processes)],
            check=True,
            timeout=240,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        found.append(load_checkpoint(output / "checkpoints" / "last.ckpt"))
    one, two = found
    assert one["progress"]["total_steps"] == two["progress"]["total_steps"] == 14
    for name, value in one["model"].items():
        assert torch.allclose(value, two["model"][name], atol=1e-5), name
    for a, b in zip(one["progress"]["history"], two["progress"]["history"], strict=True):
        assert a["val_loss"] == pytest.approx(b["val_loss"], abs=1e-4)
        assert a["train_loss"] == pytest.approx(b["train_loss"], abs=1e-4)
