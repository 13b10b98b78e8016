"""One way to open data: every kind, the same rows, nothing read before it is needed."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from authentiscan.core.errors import DatasetError, ManifestError, UsageError
from authentiscan.datasets.open import (
    data_name,
    is_manifest,
    open_data,
    open_generators,
    open_named,
)
from authentiscan.datasets.organize import organize
from authentiscan.images.decode import decode, encode
from authentiscan.manifest.table import Manifest
from catalog_samples import sample

Photos = dict[str, np.ndarray]


@pytest.fixture
def folder(tmp_path: Path, photos: Photos) -> Path:
    return sample("cifake", tmp_path / "set", photos)


def told(manifest: Manifest) -> list[tuple[object, ...]]:
    columns = [manifest.column(n) for n in ("label", "generator", "split")]
    images = [manifest.image_bytes(i) for i in range(len(manifest))]
    return sorted(zip(images, *columns, strict=True), key=str)


def test_folder_zip_table_list_and_manifest_give_the_same_rows(
    folder: Path, tmp_path: Path
) -> None:
    shutil.make_archive(str(tmp_path / "packed"), "zip", folder)
    made = organize([folder], tmp_path / "m.parquet", own_split=True, fractions=(1, 0, 0))
    rows = made.manifest()
    columns = {n: rows.column(n) for n in ("label", "generator", "split")}
    images = [rows.image_bytes(i) for i in range(len(rows))]
    pq.write_table(pa.table({"image": images, **columns}), tmp_path / "t.parquet")
    listed = ["path,label,generator,split"]
    listed += [
        f"set/{n},{y},{g},{s}"
        for n, y, g, s in zip(rows.column("name"), *columns.values(), strict=True)
    ]
    (tmp_path / "list.csv").write_text("\n".join(listed).replace(",0,", ",real,"))
    expected = told(rows)
    for name in ("set", "packed.zip", "t.parquet", "list.csv", "m.parquet"):
        assert told(open_data(tmp_path / name)) == expected, name
        assert told(open_data(f"mine={tmp_path / name}")) == expected, name


def test_nothing_is_read_or_written(folder: Path, tmp_path: Path) -> None:
    broken = folder / "train" / "FAKE" / "0009.jpg"
    broken.write_bytes(b"no image")
    before = sorted(p for p in tmp_path.rglob("*"))
    opened = open_data(folder)
    assert len(opened) == 13  # the broken one has its row, and will say so when it is read
    assert sorted(p for p in tmp_path.rglob("*")) == before
    assert "train/FAKE/0009.jpg" in opened.column("name")
    assert len(set(opened.column("group"))) == 13


def test_splits_are_the_publishers_or_none(folder: Path, tmp_path: Path, photos: Photos) -> None:
    assert len(open_data(folder, split="test")) == 4
    assert len(open_data(folder, split="all")) == 12
    plain = sample("folders", tmp_path / "plain", photos)
    assert set(open_data(plain).column("split")) == {None}
    with pytest.raises(ManifestError, match=r"no rows of split 'test'.*data organize.*--split all"):
        open_data(plain, split="test")
    with pytest.raises(ManifestError, match="no split 'tset'"):
        open_data(plain, split="tset")


def test_names(folder: Path, tmp_path: Path) -> None:
    assert open_named(folder).name == "set"
    assert open_named(f"mine={folder}").name == "mine"
    assert data_name(tmp_path / "x.parquet", "test") == "x/test"
    assert data_name("a=b/x.parquet") == "a"
    odd = folder.rename(tmp_path / "a=b")
    assert open_named(odd).name == "a=b"
    assert len(open_data(odd)) == 12


def test_a_name_that_is_a_layout_says_the_layout(tmp_path: Path, photos: Photos) -> None:
    hub = sample("huggingface", tmp_path / "hub", photos)
    for kind in ("real", "fake"):
        (hub / kind).mkdir()
        (hub / kind / "x.jpg").write_bytes(encode(photos["coffee"][:40, :40], "JPEG"))
    assert len(open_data(f"huggingface={hub}")) == 8
    assert len(open_data(hub)) == 2


def test_class_names_of_a_table_are_believed(tmp_path: Path, photos: Photos) -> None:
    data = encode(photos["coffee"][:40, :40], "JPEG")
    names = {"label": {"names": ["fake", "real"], "_type": "ClassLabel"}}
    table = pa.table({"image": [data] * 2, "label": [0, 1], "width": [7, 8]})
    info = {"huggingface": json.dumps({"info": {"features": names}})}
    pq.write_table(table.replace_schema_metadata(info), tmp_path / "t.parquet")
    opened = open_data(tmp_path / "t.parquet")
    assert opened.labels.tolist() == [1, 0]
    assert opened.column("width") == [7, 8]  # as the table claims: verify holds it against the file
    assert decode(opened.image_bytes(1)).facts.width == 40


def test_names_of_images_inside_a_table_are_kept(tmp_path: Path, photos: Photos) -> None:
    hub = sample("huggingface", tmp_path / "hub", photos)
    assert open_data(hub).column("name")[0].endswith("0.jpg")


def test_what_has_no_row_is_told(
    tmp_path: Path, photos: Photos, caplog: pytest.LogCaptureFixture
) -> None:
    raw = sample("folders", tmp_path / "set", photos) / "raw"
    (raw / "other").mkdir()
    shutil.copy(raw / "real" / "000.jpg", raw / "other" / "x.jpg")
    shutil.make_archive(str(raw / "more"), "zip", raw / "real")
    with caplog.at_level(logging.WARNING, logger="authentiscan"):
        assert len(open_data(raw)) == 12
    assert "1 left out, the first: " in caplog.text
    assert "the layout has no place for this path" in caplog.text
    assert "1 archive beside the images (more.zip" in caplog.text


def test_contradictions_stop_here_too(tmp_path: Path, photos: Photos) -> None:
    raw = sample("folders", tmp_path / "set", photos) / "raw"
    (raw / "fake" / "real").mkdir()
    shutil.copy(raw / "real" / "000.jpg", raw / "fake" / "real" / "x.jpg")
    with pytest.raises(UsageError, match='"fake" says generated and "real" in it real'):
        open_data(raw)


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="there is no "):
        open_data(tmp_path / "nowhere")
    (tmp_path / "broken.parquet").write_bytes(b"nonsense")
    with pytest.raises(ManifestError, match="no readable Parquet"):
        open_data(tmp_path / "broken.parquet")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="holds no image files"):
        open_data(tmp_path / "empty")
    (tmp_path / "l.csv").write_text("path,label\n,real\n")
    with pytest.raises(DatasetError, match="no image with a label; the first reason: the row"):
        open_data(tmp_path / "l.csv")


def test_is_manifest(folder: Path, tmp_path: Path) -> None:
    organize([folder], tmp_path / "m.parquet", processes=1)
    assert is_manifest(tmp_path / "m.parquet")
    pq.write_table(pa.table({"label": [1]}), tmp_path / "t.parquet")
    assert not is_manifest(tmp_path / "t.parquet")
    assert not is_manifest(folder)


def test_a_folder_a_generator_needs_no_photographs(tmp_path: Path) -> None:
    for name in ("one", "two", "three"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (20, 20)).save(tmp_path / name / "a.png")
    with pytest.raises(DatasetError, match="cannot tell real from generated"):
        open_data(tmp_path)
    found = open_generators(tmp_path)
    assert found.manifest.labels.tolist() == [1, 1, 1]
    assert found.manifest.column("generator") == ["one", "three", "two"]
    (tmp_path / "real").mkdir()
    Image.new("RGB", (20, 20)).save(tmp_path / "real" / "a.png")
    assert sorted(open_generators(tmp_path).manifest.labels.tolist()) == [0, 1, 1, 1]
