"""Which images a list of paths means."""

from __future__ import annotations

import io
import os
import socket
from pathlib import Path

import numpy as np
import pytest

from authentiscan.core.errors import UnreadableFileError
from authentiscan.images.decode import encode, read_source
from authentiscan.scan.items import ARCHIVE, TABLE, LeftOut, not_read, shown, summary
from authentiscan.scan.sources import count, find

PICTURE = encode(np.full((8, 8, 3), 99, np.uint8), "PNG")


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
    lines = io.BytesIO(f"{tree}/b.jpg\n\n  \n{tree}/sub\r\n".encode())
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


def open_door(folder: Path) -> bool:
    """Whether permissions do not bind here, as for root."""
    try:
        list(folder.iterdir())
    except PermissionError:
        return False
    return True


def test_a_folder_that_may_not_be_read_is_a_row(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = tree / "sub" / "deep"
    locked.chmod(0)
    if open_door(locked):  # the kernel lets root in: let the listing itself refuse
        listing = os.scandir

        def refusing(path: Path) -> object:
            if Path(path) == locked:
                raise PermissionError(13, "Permission denied")
            return listing(path)

        monkeypatch.setattr(os, "scandir", refusing)
    found = {os.path.relpath(item.name, tree): item for item in find([str(tree)])}
    locked.chmod(0o700)
    assert list(found) == ["a.PNG", "b.jpg", "sub/c.webp", "sub/deep"]
    assert str(found["sub/deep"].error) == "the folder cannot be read: Permission denied"


@pytest.mark.parametrize(
    "name", ["photo.jpg_large", "photo.jpg?w=1200", "photo", "photo.dat", "photo.zip"]
)
def test_images_of_any_name_are_found_by_their_first_bytes(tree: Path, name: str) -> None:
    (tree / name).write_bytes(PICTURE)
    assert name in names([str(tree)], tree)
    assert names([str(tree / name)], tree) == [name]


def test_what_is_left_out_is_counted_by_reason(tree: Path) -> None:
    import zipfile

    (tree / "notes.md").write_text("words")
    (tree / "rows.parquet").write_bytes(b"PAR1....PAR1")
    (tree / "empty").write_bytes(b"")
    (tree / "raw.NEF").write_bytes(b"II*\0" + bytes(60))
    with zipfile.ZipFile(tree / "more.zip", "w") as archive:
        archive.writestr("a.png", PICTURE)
    (tree / "loop").symlink_to(tree)
    left: LeftOut = LeftOut()
    assert len(names([str(tree)], tree, left_out=left)) == 4
    assert left == {
        "hidden": 2,
        "a text file": 1,
        TABLE: 1,
        "an empty file": 1,
        "a camera raw file": 1,
        ARCHIVE: 1,
        "a link to a folder": 1,
    }
    assert summary(left).startswith("left out 8: hidden 2, a Parquet table (")
    assert not_read(left).startswith("not read, though images may be in there: a Parquet table (")
    assert "an archive (name it to scan what it holds) 1" in not_read(left)
    assert not_read({"hidden": 2}) == ""
    flat: LeftOut = LeftOut()
    names([str(tree)], tree, recursive=False, left_out=flat)
    assert flat["a folder below (--no-recursive)"] == 1
    assert summary({}) == ""


def test_links_pipes_and_devices_are_rows_and_never_waited_for(tmp_path: Path) -> None:
    (tmp_path / "gone").symlink_to(tmp_path / "nothing")
    (tmp_path / "circle.jpg").symlink_to(tmp_path / "circle.jpg")
    os.mkfifo(tmp_path / "pipe")
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "zero").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        for paths in ([str(tmp_path)], [str(path) for path in sorted(tmp_path.iterdir())]):
            found = {Path(item.name).name: item for item in find(paths)}
            assert set(found) == {"gone", "circle.jpg", "pipe", "pipe.jpg", "zero", "s"}
            for item in found.values():
                with pytest.raises(UnreadableFileError):
                    read_source(item.path or b"") if item.error is None else reraise(item.error)
    assert str(found["gone"].error) == "a link to a file that does not exist"


def reraise(error: Exception) -> None:
    raise error


def test_a_link_keeps_the_name_that_the_user_sees(tmp_path: Path) -> None:
    """As the hub's cache does: names are links to files that are called by their checksum."""
    import zipfile

    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshot"
    blobs.mkdir()
    snapshot.mkdir()
    (blobs / "0f1e").write_bytes(PICTURE)
    with zipfile.ZipFile(blobs / "2d3c", "w") as archive:
        archive.writestr("in.png", PICTURE)
    (blobs / "4b5a").write_text("photo.png\n")
    for name, blob in (("photo.png", "0f1e"), ("more.zip", "2d3c"), ("list.txt", "4b5a")):
        (snapshot / name).symlink_to(blobs / blob)
    assert names([str(snapshot)], snapshot) == ["photo.png"]
    assert names([str(snapshot / "more.zip")], snapshot) == ["more.zip::in.png"]
    assert names([str(snapshot / "list.txt")], snapshot) == ["photo.png"]
    assert names([str(blobs / "2d3c")], blobs) == ["2d3c::in.png"]


def test_a_glob_opens_archives_and_lists_as_the_shell_would(tree: Path) -> None:
    import zipfile

    with zipfile.ZipFile(tree / "x.zip", "w") as archive:
        archive.writestr("a.png", PICTURE)
    (tree / "list.txt").write_text("b.jpg\n")
    assert names([f"{tree}/[xl]*"], tree) == ["b.jpg", "x.zip::a.png"]


def test_deep_folders(tmp_path: Path) -> None:
    here = tmp_path.joinpath(*["d"] * 1200)  # deeper than Python may call
    for folder in (*reversed(here.parents), here):
        folder.mkdir(exist_ok=True)
    (here / "a.jpg").write_bytes(b"x")
    assert len(list(find([str(tmp_path)]))) == 1
    (here / "a.jpg").unlink()
    while here != tmp_path:  # too deep for those who clean up
        here.rmdir()
        here = here.parent
