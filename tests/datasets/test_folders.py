"""Walking folders and zips, and telling their layouts."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from authentiscan.core.errors import DatasetError
from authentiscan.datasets.catalog import CATALOG
from authentiscan.datasets.facts import Entry, Failure
from authentiscan.datasets.folders import FilesChunk, FolderSet, folder_chunks, recognize
from authentiscan.datasets.listing import walk
from authentiscan.images.decode import encode
from catalog_samples import sample

Photos = dict[str, np.ndarray]


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")


def chunks_in(root: Path, layout: str, prefix: str, dataset: str) -> Iterator[FilesChunk]:
    found = FolderSet.look(root)
    return folder_chunks(found, CATALOG[layout], found.names(), prefix, dataset)


def test_zip_is_read_without_unpacking(tmp_path: Path, photos: Photos) -> None:
    data = encode(photos["coffee"][:40, :40], "JPEG")
    archive = tmp_path / "set.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("set/real/1.jpg", data)
        out.writestr("set/readme.txt", "no image")
        out.writestr("set/fake/1.jpg", data[:300])
        out.writestr("__MACOSX/set/real/._1.jpg", b"junk")
    assert recognize(FolderSet.look(archive)).name == "folders"
    (chunk,) = chunks_in(archive, "folders", "set.zip", "set")
    first, second = chunk.entries()
    assert isinstance(first, Entry)
    assert isinstance(second, Entry)
    assert (first.path, first.row, first.label) == ("set.zip", 2, 1)
    assert (second.row, second.label, second.data) == (0, 0, data)


def test_unplaced_files_are_reported(tmp_path: Path) -> None:
    touch(tmp_path, "real/1.jpg", "fake/1.jpg", "other/1.jpg")
    (tmp_path / "other" / os.fsdecode(b"\xff.jpg")).write_bytes(b"x")
    (chunk,) = chunks_in(tmp_path, "folders", ".", "mine")
    failures = [e for e in chunk.entries() if isinstance(e, Failure)]
    assert [f.path for f in failures] == ["./other/1.jpg", r"./other/\xff.jpg"]
    assert {f.error for f in failures} == {"the layout has no place for this path"}


def test_chunk_key_changes_with_the_files(tmp_path: Path) -> None:
    touch(tmp_path, "real/1.jpg", "fake/1.jpg")

    def key() -> str:
        (chunk,) = chunks_in(tmp_path, "folders", ".", "mine")
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
    assert recognize(FolderSet.look(tmp_path)).name == layout


def test_unknown_layout_says_what_was_found(tmp_path: Path) -> None:
    touch(tmp_path, "dogs/1.jpg", "cats/1.jpg")
    with pytest.raises(DatasetError, match=r"its images lie in cats, dogs\. .*--as"):
        recognize(FolderSet.look(tmp_path))
    with pytest.raises(DatasetError, match=r"lie in no folders of their own\. Call the folders"):
        recognize(FolderSet.look(tmp_path / "dogs"))
    with pytest.raises(DatasetError, match="neither a folder nor a zip"):
        list(walk(tmp_path / "dogs" / "1.jpg"))


def test_folder_without_images_says_so(tmp_path: Path) -> None:
    touch(tmp_path, "a.txt")
    with pytest.raises(DatasetError, match="no image files"):
        recognize(FolderSet.look(tmp_path))


def test_one_generators_folder_can_stand_alone(tmp_path: Path, photos: Photos) -> None:
    sample("genimage", tmp_path, photos)
    root = tmp_path / "Midjourney"
    assert recognize(FolderSet.look(root)).name == "genimage"
    (chunk,) = chunks_in(root, "genimage", "Midjourney", "genimage")
    assert chunk.misplaced == ()
    assert {p.generator for _, p in chunk.found} == {"camera", "midjourney"}


def test_the_root_of_a_plain_layout_says_nothing(tmp_path: Path) -> None:
    touch(tmp_path / "ai", "cats/1.jpg", "dogs/1.jpg")
    with pytest.raises(DatasetError, match="cannot tell real from generated"):
        recognize(FolderSet.look(tmp_path / "ai"))
