"""Training the head alone on features computed once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from authentiscan.core.errors import UsageError
from authentiscan.inference import load_detector
from authentiscan.manifest.table import Manifest
from authentiscan.training.fixed import FeatureRows, collate
from authentiscan.training.loaders import Draw
from authentiscan.training.recipe import Recipe
from authentiscan.training.run import train

MakeRecipe = Callable[..., Recipe]
HEAD = (
    "model={name: cooccurrence, arguments: {cells: 2, head_widths: [16], head_dropouts: [0.2]}}",
    "preprocess={size: 64, mean: [0, 0, 0], std: [0.00392156862, 0.00392156862, 0.00392156862]}",
    "feature_draws=2",
)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def test_a_head_learns_and_the_bundle_holds_the_whole_model(
    tiny: MakeRecipe, toy: Path, tmp_path: Path
) -> None:
    result = train(tiny(toy, *HEAD, epochs=20), output=tmp_path / "run")
    assert result.spec is not None
    assert result.spec.architecture.name == "cooccurrence"
    assert result.spec.metrics.part("validation").value("roc_auc") > 0.8
    detector = load_detector(result.bundle)
    crops = np.zeros((2, 64, 64, 3), np.uint8)
    assert detector.network.logits(crops).shape == (2,)


def test_a_stopped_head_run_goes_on_to_the_same_weights(
    tiny: MakeRecipe, toy: Path, tmp_path: Path
) -> None:
    recipe = tiny(toy, *HEAD, epochs=4)
    whole = train(recipe, output=tmp_path / "whole")
    stopped = tmp_path / "stopped"
    train(recipe, output=stopped, stop=lambda progress: progress.total_epochs == 2)
    again = train(recipe, output=stopped, resume=True)
    assert whole.spec is not None
    assert again.spec is not None
    name = "weights.safetensors"
    assert whole.spec.files[name] == again.spec.files[name]


def test_a_backbone_that_learns_is_refused(tiny: MakeRecipe, toy: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing learns"):
        train(tiny(toy, "feature_draws=2"), output=tmp_path / "run")


def test_epochs_walk_through_the_draws_and_unreadable_rows_are_named(toy: Path) -> None:
    manifest = Manifest.read(toy).take([0, 1, 2])
    values = np.arange(2 * 3 * 4, dtype=np.float32).reshape(2, 3, 4)
    rows = FeatureRows(manifest, values, {2: "broken"})
    batch = collate([rows[Draw(0, 1, 0)], rows[Draw(1, 2, 1)], rows[2]])
    assert batch.images[:, :, 0, 0].tolist() == [values[1, 0].tolist(), values[0, 1].tolist()]
    assert batch.failures == ((2, "broken"),)
