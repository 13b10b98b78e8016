"""One split for all data sets, made once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from authentiscan.core.errors import TrainingError
from authentiscan.manifest.table import Manifest
from authentiscan.pipeline.config import PipelineConfig
from authentiscan.pipeline.data import DataPart, prepare, prepared
from authentiscan.training.reporter import Quiet

MakeConfig = Callable[..., PipelineConfig]


def organized(config: PipelineConfig) -> dict[str, DataPart]:
    return prepare(config, Path(config.output) / "data", Quiet())


def test_publishers_parts_and_images_in_two_data_sets(make_config: MakeConfig) -> None:
    """GenImage's val is a test part; an image that one data set tests, no detector learns from."""
    config = make_config()
    root = Path(config.data["genimage"].path).parent
    tests = sorted((root / "GenImage" / "Midjourney" / "val" / "ai").iterdir())
    for path in tests:
        shutil.copy(path, root / "other" / "fake" / f"copy-{path.name}")
    parts = organized(config)
    genimage = Manifest.read(parts["genimage"].path)
    assert parts["genimage"].tests == 16
    assert set(genimage.column("generator")) == {"camera", "midjourney", "adm"}
    for name, row_split in zip(genimage.column("path"), genimage.column("split"), strict=True):
        assert (row_split == "test") == ("/val/" in name)
    other = Manifest.read(parts["other"].path)
    copies = [
        split
        for path, split in zip(other.column("path"), other.column("split"), strict=True)
        if "copy-" in path
    ]
    assert copies == ["test"] * len(tests)
    seen: dict[str, set[str]] = {}
    for manifest in (genimage, other):
        for sha, split in zip(manifest.column("sha256"), manifest.column("split"), strict=True):
            seen.setdefault(sha, set()).add(split)
    assert all(len(splits) == 1 for splits in seen.values())
    assert len(parts["other"].test()) == parts["other"].tests


def test_done_once_and_again_only_where_files_changed(make_config: MakeConfig) -> None:
    config = make_config()
    folder = Path(config.output) / "data"
    assert prepared(config, folder) is None
    first = organized(config)
    assert prepared(config, folder) == first
    image = next((Path(config.data["other"].path) / "fake").iterdir())
    os.utime(image, ns=(1, 1))
    assert prepared(config, folder) is None
    assert organized(config) == first, "the same content has the same hash and place"
    image.unlink()
    second = organized(config)
    assert second["genimage"] == first["genimage"]
    assert second["other"].sha256 != first["other"].sha256
    assert not list(folder.glob("work-*"))
    assert prepared(make_config("split.seed=1"), folder) is None
    (folder / "data.json").write_text("{")
    assert prepared(config, folder) is None


def test_a_part_without_a_class_is_told(make_config: MakeConfig) -> None:
    config = make_config("split.fractions=[0.8, 0.2, 0]")
    with pytest.raises(TrainingError, match=r"'other': the test part of 0 images has no real"):
        organized(config)
