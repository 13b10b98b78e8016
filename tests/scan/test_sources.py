"""Which images a list of paths means."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from authentiscan.core.errors import UnreadableFileError
from authentiscan.images.decode import read_source
from authentiscan.scan.sources import count, find, shown


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("b.jpg", "a.PNG", "notes.md", ".hidden.jpg", "sub/c.webp", "sub/deep/d.heic"):
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    (tmp_path / "tree" / ".git").mkdir()
    (tmp_path / "tree" / ".git" / "e.jpg").write_bytes(b"x")
    return tmp_path / "tree"


def names(paths: list[str], root: Path, **options: object) -> list[str]:
    return [os.path.relpath(item.name, root) for item in find(paths, **options)]


def test_a_folder_is_walked_in_order_without_hidden_and_other_files(tree: Path) -> None:
    expected = ["a.PNG", "b.jpg", "sub/c.webp", "sub/deep/d.heic"]
    assert names([str(tree)], tree) == expected
    assert names([str(tree)], tree, recursive=False) == expected[:2]
    assert count([str(tree)]) == 4


def test_a_named_file_is_taken_whatever_it_is_called(tree: Path) -> None:
    assert names([str(tree / "notes.md"), str(tree / ".hidden.jpg")], tree) == [
        "notes.md",
        ".hidden.jpg",
    ]


def test_globs(tree: Path) -> None:
    assert names([f"{tree}/*.jpg"], tree) == ["b.jpg"]
    assert names([f"{tree}/**/*.webp"], tree) == ["sub/c.webp"]
    assert names([f"{tree}/s*"], tree) == ["sub/c.webp", "sub/deep/d.heic"]


def test_a_file_whose_name_looks_like_a_glob(tree: Path) -> None:
    (tree / "odd[1].jpg").write_bytes(b"x")
    assert names([str(tree / "odd[1].jpg")], tree) == ["odd[1].jpg"]


def test_a_glob_without_match_is_an_item_with_an_error(tmp_path: Path) -> None:
    (item,) = find([f"{tmp_path}/*.jpg"])
    assert "no file matches" in str(item.error)


def test_a_missing_file_is_an_item_that_fails_on_reading(tmp_path: Path) -> None:
    (item,) = find([str(tmp_path / "none.jpg")])
    assert item.path is not None
    with pytest.raises(UnreadableFileError):
        read_source(item.path)


def test_standard_input_is_one_path_a_line(tree: Path) -> None:
    lines = io.StringIO(f"{tree}/b.jpg\n\n  \n{tree}/sub\r\n")
    assert names(["-"], tree, stdin=lines) == ["b.jpg", "sub/c.webp", "sub/deep/d.heic"]
    assert count(["-"]) is None


def test_a_list_is_relative_to_its_own_folder(tree: Path) -> None:
    (tree / "list.txt").write_text(f"b.jpg\nsub/c.webp\n{tree}/a.PNG\n")
    assert names([str(tree / "list.txt")], tree) == ["b.jpg", "sub/c.webp", "a.PNG"]


def test_a_list_in_a_list_is_not_followed(tree: Path) -> None:
    (tree / "list.txt").write_text("list.txt\n")
    assert names([str(tree / "list.txt")], tree) == ["list.txt"]


def test_links_to_folders_are_not_followed(tree: Path) -> None:
    (tree / "sub" / "loop").symlink_to(tree)
    assert len(names([str(tree)], tree)) == 4


def test_names_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"\xff\xfe.jpg")).write_bytes(b"x")
    (item,) = find([str(tmp_path)])
    assert item.name.endswith(r"\xff\xfe.jpg")
    assert item.path is not None
    assert item.path.read_bytes() == b"x"
    item.name.encode("utf-8")
    assert shown("plain") == "plain"


@pytest.mark.parametrize("path", ["nul\0.jpg", "nul\0*.jpg", "x" * 5000, "", "x" * 5000 + ".zip"])
def test_impossible_paths_are_items(path: str) -> None:
    (item,) = find([path])
    assert item.error is not None or item.path is not None
