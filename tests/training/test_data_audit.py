"""Shortcuts of the training images are told, and stand in the card."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

pytest.importorskip("torch")

from authentiscan.images.decode import encode
from authentiscan.manifest.table import Manifest
from authentiscan.training.data_audit import DataAudit, audit_data
from authentiscan.training.parts import gather


def test_a_format_that_gives_the_label_away_is_told(tiny, toy: Path, tmp_path: Path) -> None:
    recipe = tiny(toy, "augment.history=none")
    parts = gather(recipe, tmp_path)
    found = audit_data(parts, recipe)  # real ones are JPEG, enlarged ones PNG
    named = {one.name: one for one in found.giveaways}
    assert named["format"].auc > 0.99
    assert "size" not in named  # all are 96 x 96
    assert found.images == 160
    assert any("file format" in line for line in found.lines())
    assert any("format (AUC 1.00)" in line for line in found.limits())
    assert tiny(toy).augment.history == "match"  # unless it says none: then it is made alike


def test_what_the_recipe_makes_alike_is_not_told(tiny, toy: Path, tmp_path: Path) -> None:
    parts = gather(tiny(toy), tmp_path)
    found = audit_data(parts, tiny(toy))
    assert set(found.aucs) == {"size", "border"}  # the PNG files get a JPEG generation


def test_compression_that_the_recipe_leaves_is_told(tiny, photos, tmp_path: Path) -> None:
    columns = ("image", "label", "generator", "dataset", "group", "split")
    rows: dict[str, list[object]] = {name: [] for name in columns}
    photo = photos[sorted(photos)[0]]
    for index in range(120):
        tile, label = photo[index : index + 32, index : index + 32], index % 2
        rows["image"].append(encode(tile, "JPEG", quality=88 if label else 75))
        rows["label"].append(label)
        rows["generator"].append("some" if label else "camera")
        rows["dataset"].append("two")
        rows["group"].append(f"tile {index}")
        rows["split"].append("train" if index < 80 else "val")
    Manifest(pa.table(rows)).write(tmp_path / "two.parquet")
    recipe = tiny(tmp_path / "two.parquet")
    told = {one.name for one in audit_data(gather(recipe, tmp_path), recipe).giveaways}
    assert told == {"jpeg"}  # `history: match` changes no image that is compressed
    every = tiny(tmp_path / "two.parquet", "augment.history=every")
    assert audit_data(gather(every, tmp_path), every).giveaways == ()


def test_nothing_found_is_said_too() -> None:
    (line,) = DataAudit(images=2000, aucs={"size": 0.648, "jpeg": 0.5}).lines()
    assert line.startswith("no strong shortcut in 2,000 training images")
    assert line.endswith("size 0.65, JPEG setting 0.50")
    assert DataAudit(images=0, problem="too few").lines() == [
        "the training images could not be audited: too few"
    ]
    assert DataAudit(images=5).limits() == ()
