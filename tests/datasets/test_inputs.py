"""Which of the things in a folder are read, and which are named as left out."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from authentiscan.core.errors import DatasetError, UsageError
from authentiscan.datasets.facts import Failure
from authentiscan.datasets.inputs import Input, chunks_of
from authentiscan.datasets.listing import Beside
from authentiscan.datasets.organize import organize
from authentiscan.manifest.table import Manifest
from catalog_samples import lay_out, sample

Photos = dict[str, np.ndarray]


def labels(source: Input | Path, beside: Beside | None = None) -> list[int]:
    given = source if isinstance(source, Input) else Input(source)
    entries = [e for c in chunks_of(given, given.path.parent, beside) for e in c.entries()]
    return [e.label for e in entries if not isinstance(e, Failure)]


@pytest.fixture
def mixed(tmp_path: Path, photos: Photos) -> Path:
    """Images in real/ and fake/, and beside them a zip and a table."""
    root = sample("folders", tmp_path / "set", photos) / "raw"
    shutil.make_archive(str(tmp_path / "more"), "zip", root)
    shutil.move(tmp_path / "more.zip", root / "more.zip")
    shutil.move(sample("parquet", tmp_path / "p", photos), root / "table.parquet")
    return root


def test_tables_and_archives_beside_images_are_named(mixed: Path) -> None:
    beside = Beside()
    assert len(labels(mixed, beside)) == 12
    reasons = " ".join(beside.left_out)
    assert "archive beside the images (more.zip; give it as an input of its own)" in reasons
    assert "table beside the images (table.parquet; give it as an input of its own)" in reasons


def test_they_are_read_where_they_are_asked_for(mixed: Path) -> None:
    beside = Beside()
    assert len(labels(Input(mixed, "parquet"), beside)) == 10
    assert beside.left_out["folder of images beside the tables or archives"] == 2
    with pytest.raises(DatasetError, match="holds no csv tables"):
        labels(Input(mixed, "csv"))


@pytest.mark.parametrize("layout", [None, "huggingface"])
def test_a_clone_of_the_hub_with_a_picture_in_its_card(
    tmp_path: Path, photos: Photos, layout: str | None
) -> None:
    hub = sample("huggingface", tmp_path / "hub", photos)
    lay_out(hub, photos, [("assets/banner.jpg", False)])
    (hub / "README.md").write_text("card")
    beside = Beside()
    assert labels(Input(hub, layout), beside).count(1) == 4
    assert beside.left_out == {
        "folder of images beside the tables or archives": 1,
        ".md file": 1,
    }


def test_a_list_beside_images_that_no_folder_labels(tmp_path: Path, photos: Photos) -> None:
    listing = sample("csv", tmp_path / "set", photos)
    (listing.parent / "notes.csv").write_text("a,b\n1,2\n")
    beside = Beside()
    assert labels(listing.parent, beside).count(1) == 4
    assert any("notes.csv" in reason for reason in beside.left_out)


def test_zips_beside_images_that_tell_nothing(tmp_path: Path, photos: Photos) -> None:
    source = sample("folders", tmp_path / "set", photos)
    (tmp_path / "zips").mkdir()
    shutil.make_archive(str(tmp_path / "zips" / "set"), "zip", source)
    lay_out(tmp_path / "zips", photos, [("preview/1.jpg", False)])
    assert len(labels(tmp_path / "zips")) == 12


def test_nothing_tells_and_nothing_else_is_there(tmp_path: Path, photos: Photos) -> None:
    lay_out(tmp_path / "set", photos, [("cats/1.jpg", False), ("dogs/1.jpg", False)])
    with pytest.raises(DatasetError, match=r"cannot tell real from generated.*--label FOLDER=real"):
        labels(tmp_path / "set")
    told = Input(tmp_path / "set", labels={"cats": 0, "dogs": 1})
    assert labels(told) == [0, 1]


@pytest.mark.parametrize("layout", [None, "folders"])
def test_folders_that_contradict_each_other_stop(
    tmp_path: Path, photos: Photos, layout: str | None
) -> None:
    root = tmp_path / "set"
    lay_out(root, photos, [("fake/real/1.jpg", True), ("real/2.jpg", False), ("fake/3.jpg", True)])
    with pytest.raises(UsageError, match=r"fake=generated or --label real=real"):
        labels(Input(root, layout))
    assert labels(Input(root, layout, labels={"fake": 1})) == [1, 1, 0]


def test_a_published_layout_that_is_named_is_not_questioned(tmp_path: Path, photos: Photos) -> None:
    root = tmp_path / "Midjourney"
    lay_out(root, photos, [("fake/train/nature/a.jpg", False), ("fake/train/ai/b.jpg", True)])
    assert sorted(labels(Input(root, "genimage"))) == [0, 1]


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_names_that_are_no_text_are_escaped(tmp_path: Path, photos: Photos) -> None:
    root = tmp_path / os.fsdecode(b"d\xe9pot")
    latin = os.fsdecode(b"caf\xe9.jpg")
    lay_out(root, photos, [(f"real/{latin}", False), (f"fake/g\udcffan/{latin}", True)])
    lay_out(root, photos, [(r"real/caf\xe8.jpg", False)])  # this backslash stands in the name
    made = organize([root], tmp_path / "m.parquet", processes=1).manifest()
    assert sorted(made.column("path")) == [
        r"d\xe9pot/fake/g\xffan/caf\xe9.jpg", r"d\xe9pot/real/caf\x5cxe8.jpg",
        r"d\xe9pot/real/caf\xe9.jpg"
    ]  # fmt: skip
    assert set(made.column("dataset")) == {r"d\xe9pot"}
    assert all(isinstance(data, bytes) for _, data in made.images())
    (tmp_path / "deep").mkdir()
    made.write(tmp_path / "deep" / "moved.parquet")
    moved = Manifest.read(tmp_path / "deep" / "moved.parquet")
    assert all(path.startswith(r"../d\xe9pot/") for path in moved.column("path"))
    assert all(isinstance(data, bytes) for _, data in moved.images())
    assert all(place.is_file() for place in moved.files())


def test_parsing() -> None:
    assert Input.parse("genimage=/data/G") == Input(Path("/data/G"), "genimage")
    assert Input.parse("/data/a=b").path == Path("/data/a=b")
    assert Input.parse("x", layout="csv", dataset="d") == Input(Path("x"), "csv", "d")


def test_damaged_tables_are_told(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_bytes(b"PAR1")
    with pytest.raises(DatasetError, match="no readable Parquet"):
        labels(tmp_path / "t.parquet")
