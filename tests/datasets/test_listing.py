"""Which files are images, and what is counted beside them."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from authentiscan.core.errors import DatasetError
from authentiscan.datasets.listing import Beside, walk
from authentiscan.images.decode import encode

Photos = dict[str, np.ndarray]


@pytest.fixture
def jpeg(photos: Photos) -> bytes:
    return encode(photos["coffee"][:40, :40], "JPEG")


def touch(root: Path, *names: str, content: bytes = b"x") -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)


def paths(root: Path, beside: Beside | None = None) -> list[str]:
    return ["/".join(found.parts) for found in walk(root, beside)]


def test_walk_is_sorted_and_takes_images_only(tmp_path: Path) -> None:
    touch(tmp_path, "b/2.jpg", "b/1.PNG", "a.webp", "notes.txt", ".hidden/3.jpg", "b/.4.jpg")
    beside = Beside()
    assert paths(tmp_path, beside) == ["a.webp", "b/1.PNG", "b/2.jpg"]
    assert dict(beside.left_out) == {".txt file": 1, "hidden": 2}


def test_walk_survives_link_loops_and_dangling_links(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.jpg")
    (tmp_path / "a" / "loop").symlink_to(tmp_path / "a")
    (tmp_path / "b").symlink_to(tmp_path)
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    assert paths(tmp_path) == ["gone.jpg", "a/1.jpg"]


@pytest.mark.parametrize(
    "name", ["photo.jpg_large", "photo.jpg?w=1200", "photo", "IMG_1.jpg-original", "x.dat", "1.2"]
)
def test_names_that_tell_nothing_are_decided_by_the_first_bytes(
    tmp_path: Path, jpeg: bytes, name: str
) -> None:
    touch(tmp_path, f"real/{name}", content=jpeg)
    touch(tmp_path, f"fake/{name}", content=b"no image")
    touch(tmp_path, "real/empty", content=b"")
    beside = Beside()
    assert paths(tmp_path, beside) == [f"real/{name}"]
    assert beside.left_out.total() == 2


@pytest.mark.parametrize("name", ["photo.jpg_large", "photo"])
def test_in_a_zip_too(tmp_path: Path, jpeg: bytes, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(f"real/{name}", jpeg)
        archive.writestr("real/readme", "text")
        archive.writestr("real/list.csv", "a,b")
        archive.writestr("__MACOSX/real/._x.jpg", "x")
    beside = Beside()
    assert paths(tmp_path / "a.zip", beside) == [f"real/{name}"]
    assert dict(beside.left_out) == {
        "file without an ending in a zip": 1,
        ".csv file in a zip": 1,
        "hidden": 1,
    }


def test_tables_and_archives_are_named(tmp_path: Path) -> None:
    touch(tmp_path, "real/1.jpg", "more.zip", "data/t.parquet", "x.csv", "y.tar.gz", "z.7z")
    beside = Beside()
    assert paths(tmp_path, beside) == ["real/1.jpg"]
    assert sorted(p.name for p in beside.tables) == ["t.parquet", "x.csv"]
    assert sorted(p.name for p in beside.archives) == ["more.zip", "y.tar.gz", "z.7z"]


def test_the_commands_own_parts_are_no_data(tmp_path: Path) -> None:
    touch(tmp_path, "real/1.jpg", "m.parquet.parts/part-000000.parquet")
    beside = Beside()
    assert paths(tmp_path, beside) == ["real/1.jpg"]
    assert not beside.tables


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_folders_that_may_not_be_read_are_failures(tmp_path: Path) -> None:
    touch(tmp_path, "real/1.jpg", "locked/2.jpg")
    (tmp_path / "locked").chmod(0)
    try:
        beside = Beside()
        assert paths(tmp_path, beside) == ["real/1.jpg"]
        assert [f.path for f in beside.unreadable] == [str(tmp_path / "locked")]
    finally:
        (tmp_path / "locked").chmod(0o755)


def test_a_folder_that_cannot_be_listed_does_not_end_the_walk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "locked/2.jpg", "real/1.jpg")
    scan = os.scandir

    def refuse(path: object) -> object:
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    beside = Beside()
    assert paths(tmp_path, beside) == ["real/1.jpg"]
    assert [(Path(f.path).name, f.error) for f in beside.unreadable] == [
        ("locked", "cannot be listed: Permission denied")
    ]


def test_what_is_neither_folder_nor_zip(tmp_path: Path) -> None:
    touch(tmp_path, "a.tar")
    with pytest.raises(DatasetError, match="neither a folder nor a zip"):
        list(walk(tmp_path / "a.tar"))
