"""Walking folders and zips, and telling their layouts."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from authentiscan.core.errors import DatasetError
from authentiscan.datasets.catalog import CATALOG
from authentiscan.datasets.facts import Entry, Failure
from authentiscan.datasets.folders import folder_chunks, recognize, walk
from authentiscan.images.decode import encode
from catalog_samples import sample

Photos = dict[str, np.ndarray]


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")


def test_walk_is_sorted_and_takes_images_only(tmp_path: Path) -> None:
    touch(tmp_path, "b/2.jpg", "b/1.PNG", "a.webp", "notes.txt", ".hidden/3.jpg", "b/.4.jpg")
    assert [f.parts for f in walk(tmp_path)] == [("a.webp",), ("b", "1.PNG"), ("b", "2.jpg")]


def test_walk_survives_link_loops_and_dangling_links(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.jpg")
    (tmp_path / "a" / "loop").symlink_to(tmp_path / "a")
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    found = [f.parts for f in walk(tmp_path)]
    assert ("a", "1.jpg") in found
    assert ("gone.jpg",) in found
    assert len(found) <= 3


def test_zip_is_read_without_unpacking(tmp_path: Path, photos: Photos) -> None:
    data = encode(photos["coffee"][:40, :40], "JPEG")
    archive = tmp_path / "set.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("set/real/1.jpg", data)
        out.writestr("set/readme.txt", "no image")
        out.writestr("set/fake/1.jpg", data[:300])
        out.writestr("__MACOSX/set/real/._1.jpg", b"junk")
    assert recognize(archive).name == "folders"
    (chunk,) = folder_chunks(archive, CATALOG["folders"], "set.zip", "set")
    first, second = chunk.entries()
    assert isinstance(first, Entry)
    assert isinstance(second, Entry)
    assert (first.path, first.row, first.label) == ("set.zip", 2, 1)
    assert (second.row, second.label, second.data) == (0, 0, data)


def test_unplaced_and_unnameable_files_are_reported(tmp_path: Path) -> None:
    touch(tmp_path, "real/1.jpg", "fake/1.jpg", "other/1.jpg")
    (tmp_path / "real" / os.fsdecode(b"\xff\xfe.jpg")).write_bytes(b"x")
    (chunk,) = folder_chunks(tmp_path, CATALOG["folders"], ".", "mine")
    failures = [e for e in chunk.entries() if isinstance(e, Failure)]
    assert {f.error for f in failures} == {
        "the file's name is not valid UTF-8",
        "the layout has no place for this path",
    }


def test_chunk_key_changes_with_the_files(tmp_path: Path) -> None:
    touch(tmp_path, "real/1.jpg", "fake/1.jpg")

    def key() -> str:
        (chunk,) = folder_chunks(tmp_path, CATALOG["folders"], ".", "mine")
        return chunk.key

    before = key()
    assert key() == before
    (tmp_path / "real" / "1.jpg").write_bytes(b"other")
    assert key() != before


@pytest.mark.parametrize(
    ("folders", "layout"),
    [
        (("real", "fake"), "folders"),
        (("REAL", "FAKE"), "folders"),
        (("nature", "ai"), "folders"),
        (("0_real", "1_fake"), "folders"),
        (("raw/real", "raw/fake"), "folders"),
        (("train/real", "train/fake", "test/real", "test/fake"), "folders"),
        (("real", "progan", "stylegan2"), "generators"),
        (("train/FFHQ", "train/StyleGAN"), "generators"),
    ],
)
def test_layouts_are_recognized(tmp_path: Path, folders: tuple[str, ...], layout: str) -> None:
    touch(tmp_path, *(f"{name}/IMG_1.jpg" for name in folders))
    assert recognize(tmp_path).name == layout


def test_unknown_layout_says_what_was_found(tmp_path: Path) -> None:
    touch(tmp_path, "dogs/1.jpg", "cats/1.jpg")
    with pytest.raises(DatasetError, match=r"its images lie in cats, dogs.*--as"):
        recognize(tmp_path)
    with pytest.raises(DatasetError, match="neither a folder nor a zip"):
        list(walk(tmp_path / "dogs" / "1.jpg"))


def test_folder_without_images_says_so(tmp_path: Path) -> None:
    touch(tmp_path, "a.txt")
    with pytest.raises(DatasetError, match="no image files"):
        recognize(tmp_path)


def test_one_generators_folder_can_stand_alone(tmp_path: Path, photos: Photos) -> None:
    sample("genimage", tmp_path, photos)
    root = tmp_path / "Midjourney"
    assert recognize(root).name == "genimage"
    (chunk,) = folder_chunks(root, CATALOG["genimage"], "Midjourney", "genimage")
    assert chunk.misplaced == ()
    assert {p.generator for _, p in chunk.found} == {"camera", "midjourney"}


def test_the_root_of_a_plain_layout_says_nothing(tmp_path: Path) -> None:
    touch(tmp_path / "ai", "cats/1.jpg", "dogs/1.jpg")
    with pytest.raises(DatasetError, match="cannot tell real from generated"):
        recognize(tmp_path / "ai")
