"""Two small data sets, one of them laid out like GenImage, and a configuration for them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from authentiscan.pipeline.config import PipelineConfig, load_config
from catalog_samples import lay_out

MakeConfig = Callable[..., PipelineConfig]

CONFIG = """\
output: {root}/out
data:
  genimage: {root}/GenImage
  other: {root}/other
baselines:
  other: {{recipe: quickstart}}
  genimage: {{recipe: quickstart, set: {{preprocess.max_crops: 2}}}}
combined:
  recipe: quickstart
  shares: {{genimage: 44, other: 18}}
set:
  workers: 0
  batch_size: 16
  phases.0.epochs: 1
  preprocess.size: 32
  model.arguments: {{widths: [8], depths: [1], head_widths: [], head_dropouts: []}}
cross: {{protocols: [raw], bootstrap: 20}}
gradcam: {{samples: 2}}
"""


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory, photos: dict[str, np.ndarray]) -> Path:
    """``GenImage/`` as its authors lay it out, and ``other/`` with real/ and fake/."""
    root = tmp_path_factory.mktemp("data")
    genimage = [
        (f"{folder}/{split}/{kind}/{name}", kind == "ai")
        for folder, mark in (("Midjourney", "mj"), ("ADM/imagenet_ai_0508_adm", "adm"))
        for split, count in (("train", 16), ("val", 4))
        for kind in ("ai", "nature")
        for name in (
            f"{i:03d}_{mark}_{split}.png" if kind == "ai" else f"n01440764_{mark}{split}{i}.JPEG"
            for i in range(count)
        )
    ]
    lay_out(root / "GenImage", photos, genimage)
    other = [(f"{kind}/{i}.png", kind == "fake") for i in range(20) for kind in ("real", "fake")]
    lay_out(root / "other", photos, other, size=64)
    return root


@pytest.fixture
def make_config(images: Path, tmp_path: Path) -> MakeConfig:
    """Makes a configuration on copies of the images: ``make_config(*changes)``."""
    if not (tmp_path / "GenImage").is_dir():
        shutil.copytree(images, tmp_path, dirs_exist_ok=True)
    (tmp_path / "config.yaml").write_text(CONFIG.format(root=tmp_path))

    def make(*changes: str) -> PipelineConfig:
        return load_config(tmp_path / "config.yaml", changes)

    return make
