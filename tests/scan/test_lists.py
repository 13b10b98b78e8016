"""Lists of paths in the ways that Windows, find and people write them."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest

from authentiscan.core.errors import UnreadableFileError
from authentiscan.images.decode import encode
from authentiscan.scan.lists import MAX_ENTRY, entries, is_address, like_path, place_of
from authentiscan.scan.sources import find

NAMES = ["a.jpg", "sub/b b.png", "日本.webp"]


class Dribble:
    """A pipe that hands out one byte at a time."""

    def __init__(self, content: bytes) -> None:
        self._content = io.BytesIO(content)

    def read(self, size: int) -> bytes:
        return self._content.read(min(size, 1))


@pytest.mark.parametrize("separator", ["\n", "\r\n", "\0"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be-sig", "utf-32"])
@pytest.mark.parametrize("ended", [True, False])
def test_encodings_and_separators(separator: str, encoding: str, *, ended: bool) -> None:
    text = separator.join(NAMES) + separator * ended
    big = encoding == "utf-16-be-sig"
    content = b"\xfe\xff" + text.encode("utf-16-be") if big else text.encode(encoding)
    assert list(entries(io.BytesIO(content))) == NAMES
    assert list(entries(Dribble(content))) == NAMES


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark(encoding: str) -> None:
    content = "one.jpg\r\ntwo.jpg\r\n".encode(encoding)
    assert list(entries(io.BytesIO(content))) == ["one.jpg", "two.jpg"]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-8"])
@pytest.mark.parametrize(
    "text", ["a.png\n写真.png\n", "一二三/写真.png\r\n二.jpg\r\n", "фото.jpg\n"]
)
def test_utf_16_of_other_scripts_without_a_mark(text: str, encoding: str) -> None:
    """Else its NULs would be separators, and a lone full stop the working folder."""
    assert list(entries(io.BytesIO(text.encode(encoding)))) == text.split()


@pytest.mark.parametrize("content", [b"a.jp\0b.jp\0", "a.png\0b\n.png\0写真.png\0".encode()])
def test_short_names_between_nul_are_no_utf_16(content: bytes) -> None:
    assert list(entries(io.BytesIO(content))) == content.decode().split("\0")[:-1]


def _list(folder: Path, content: bytes | str) -> Path:
    path = folder / "list.txt"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_bytes_that_are_no_utf_8_name_the_same_file(tmp_path: Path) -> None:
    name = b"caf\xe9.jpg"
    (tmp_path / os.fsdecode(name)).write_bytes(b"x")
    (entry,) = entries(io.BytesIO(name + b"\n"))
    assert os.fsencode(entry) == name
    (item,) = find([str(_list(tmp_path, name + b"\n"))])
    assert item.path is not None
    assert item.path.read_bytes() == b"x"
    assert item.name.endswith(r"caf\xe9.jpg")


def test_a_line_break_is_part_of_a_name_between_nuls() -> None:
    assert list(entries(io.BytesIO(b"a\nb.jpg\0c.jpg\0"))) == ["a\nb.jpg", "c.jpg"]


def test_an_entry_is_there_before_the_next_is_written() -> None:
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb", 0) as stream, os.fdopen(writer, "wb", 0) as pipe:
        found = entries(stream)
        for number in range(3):
            pipe.write(f"{number}.jpg\n".encode())
            assert next(found) == f"{number}.jpg"
        pipe.close()
        assert list(found) == []


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (encode(np.zeros((8, 8, 3), np.uint8), "PNG"), "a PNG image"),
        (b"PK\x03\x04" + bytes(60), "a ZIP archive"),
        (b"x" * (MAX_ENTRY + 1), "no list of paths"),
    ],
)
def test_what_is_no_list_is_one_clear_row(content: bytes, told: str) -> None:
    with pytest.raises(UnreadableFileError, match=told):
        list(entries(io.BytesIO(content)))
    (item,) = find(["-"], stdin=io.BytesIO(content))
    assert told in str(item.error)


def test_prose_is_one_row_however_long(tmp_path: Path) -> None:
    text = "Photos of 3 May.\nAll rights reserved, and/or licensed.\n" * 2500
    for paths, stream in (([str(_list(tmp_path, text))], None), (["-"], io.BytesIO(text.encode()))):
        (item,) = find(paths, stdin=stream)
        assert "a text, not a list of paths" in str(item.error)
        assert "Photos of 3 May." in str(item.error)


def test_comments_are_skipped_and_prose_among_paths_is_one_row(tmp_path: Path) -> None:
    for name in ("a.jpg", "#b.jpg"):
        (tmp_path / name).write_bytes(b"x")
    listed = _list(tmp_path, "# the good ones\n\na.jpg\n#b.jpg\nsee below\nand here\ngone.jpg\n")
    *found, prose = find([str(listed)])
    assert [Path(item.name).name for item in found] == ["a.jpg", "#b.jpg", "gone.jpg"]
    assert str(prose.error) == "2 lines are no paths ('see below'); put # before a comment"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\0"])
def test_lines_end_as_any_system_ends_them(tmp_path: Path, end: str) -> None:
    listed = _list(tmp_path, end.join(["a.jpg", "b.jpg", ""]))
    assert [Path(item.name).name for item in find([str(listed)])] == ["a.jpg", "b.jpg"]


def test_the_address_of_a_local_file_is_told_what_to_do(tmp_path: Path) -> None:
    (item,) = find([f"file://{tmp_path}/a.jpg"])
    assert "name a file of this machine by its path, without file://" in str(item.error)


def test_missing_paths_of_a_list_are_rows_of_their_own(tmp_path: Path) -> None:
    lines = ["./IMG_0001", "C:\\photos\\a.jpg", "/nowhere/b", "c.JPG", "d.tar.gz", "sub/e"]
    found = list(find([str(_list(tmp_path, "\n".join(lines)))]))
    assert len(found) == len(lines)


@pytest.mark.parametrize("line", ["  a.jpg  ", '"a.jpg"', "'a.jpg'", ".\\a.jpg", "\ufeffa.jpg"])
def test_paths_as_people_and_windows_write_them(tmp_path: Path, line: str) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    (item,) = find([str(_list(tmp_path, line))])
    assert item.path is not None
    assert item.path.read_bytes() == b"x"


def test_a_name_with_spaces_around_it_comes_first(tmp_path: Path) -> None:
    for name in (" a.jpg", "a.jpg"):
        (tmp_path / name).write_bytes(b"x")
    assert place_of(" a.jpg", tmp_path) == str(tmp_path / " a.jpg")


@pytest.mark.parametrize(
    "address",
    [
        "https://example.org/photo.jpg?w=1200",
        "HTTP://example.org/",
        "file:///home/a.jpg",
        "data:image/png;base64,iVBORw0KGgo=",
        "data:image/png;base64," + "A" * 100_000,
    ],
)
def test_an_address_is_one_row_that_says_nothing_is_fetched(address: str) -> None:
    assert is_address(address)
    for item in (*find([address]), *find(["-"], stdin=io.BytesIO(address.encode()[:9000]))):
        assert "an address, not a file: nothing is fetched" in str(item.error)
        assert len(item.name) < 5000


def test_a_file_called_like_an_address_is_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "https:" / "example.org").mkdir(parents=True)
    (tmp_path / "https:" / "example.org" / "a.jpg").write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    (item,) = find(["https://example.org/a.jpg"])
    assert item.error is None


@pytest.mark.parametrize("text", ["Photos of 3 May.", "and/or, as you like", "readme", "a.b.c d"])
def test_prose_is_not_like_a_path(text: str) -> None:
    assert not like_path(text)
