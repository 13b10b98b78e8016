"""Small data for training tests: photographs, and the same after nearest-neighbour enlargement."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from authentiscan.images.decode import encode
from authentiscan.manifest.table import Manifest
from authentiscan.training.recipe import Recipe
from authentiscan.training.recipe_file import parse_recipe

TINY = """\
name: tiny
summary: A test.
model:
  name: residual
  arguments:
    {{stem_stride: 1, widths: [16, 16], depths: [1, 1], head_widths: [16], head_dropouts: [0.2]}}
preprocess: {{size: 48, max_crops: 2}}
data:
  - {{name: toy, path: '{path}'}}
phases:
  - {{epochs: {epochs}}}
optimizer: {{name: adamw, lr: 0.01, weight_decay: 0.01}}
scheduler: {{name: cosine, warmup: 0.1}}
batch_size: 16
workers: 0
monitor: val_roc_auc
"""


MakeRecipe = Callable[..., Recipe]


@pytest.fixture(scope="session")
def tiny() -> MakeRecipe:
    """Makes a recipe of a very small model: ``tiny(path of a manifest, *changes, epochs=3)``."""

    def make(path: Path, *changes: str, epochs: int = 3) -> Recipe:
        return parse_recipe(TINY.format(path=path, epochs=epochs), changes=changes)

    return make


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory, photos: dict[str, np.ndarray]) -> Path:
    """A manifest: real crops as JPEG, enlarged ones as PNG; one photograph a group, 60/20/20."""
    folder = tmp_path_factory.mktemp("toy")
    rng = np.random.default_rng(0)
    rows: dict[str, list[object]] = {
        k: [] for k in ("image", "path", "label", "generator", "dataset", "group", "split")
    }
    names = sorted(photos)
    for index in range(200):
        photo = photos[names[index % len(names)]]
        top, left = (int(rng.integers(s - 96)) for s in photo.shape[:2])
        tile, label = photo[top : top + 96, left : left + 96], index % 4 > 1
        if label:
            half = Image.fromarray(tile).resize((48, 48), Image.Resampling.BOX)
            tile = np.asarray(half.resize((96, 96), Image.Resampling.NEAREST))
        rows["image"].append(encode(tile, "PNG") if label else encode(tile, "JPEG", quality=90))
        rows["path"].append(None)
        rows["label"].append(int(label))
        rows["generator"].append("nearest" if label else "camera")
        rows["dataset"].append("toy")
        rows["group"].append(f"tile {index}")
        rows["split"].append("train" if index < 120 else "val" if index < 160 else "test")
    table = pa.table({**rows, "path": pa.array(rows["path"], pa.string())})
    Manifest(table).write(folder / "toy.parquet")
    return folder / "toy.parquet"
