"""`authentiscan scan` into parts, and to and from object stores."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from authentiscan.cli import app
from authentiscan.core import buckets
from authentiscan.core.errors import UsageError
from authentiscan.images.decode import encode


@pytest.fixture
def folder(tmp_path: Path, photos: dict[str, np.ndarray]) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for name in ("coffee", "china", "rocket"):
        (folder / f"{name}.jpg").write_bytes(encode(photos[name][:80, :90], "JPEG"))
    return folder


def scan(tiny_bundle: Path, *arguments: object) -> Result:
    words = ["scan", "--model", str(tiny_bundle), *map(str, arguments)]
    return CliRunner().invoke(app, words)


def test_a_folder_of_parts_is_one_table_and_is_gone_on_with(
    folder: Path, tmp_path: Path, tiny_bundle: Path
) -> None:
    out = tmp_path / "out"
    first = scan(tiny_bundle, folder, "-o", f"{out}/")
    assert first.exit_code == 0, first.output
    assert "3 images in 1 part:" in first.output
    assert pq.read_table(out).num_rows == 3
    assert json.loads((out / "_scan.json").read_text())["images"] == 3
    again = scan(tiny_bundle, folder, "-o", f"{out}/", "-w", 1)
    assert "3 were there before" in again.output
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    third = scan(tiny_bundle, folder, "-o", f"{out}/")
    assert third.exit_code == 1
    assert "1 failed" in third.output


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-o", "a/", "-o", "b.jsonl"], "the only output"),
        (["-o", "a/", "--json"], "the only output"),
        (["--engine", "ray"], "the only output"),
        (["--ray-address", "auto"], "needs --engine ray"),
        (["-o", "s3://bucket/a.jsonl", "--resume"], "on this machine"),
    ],
)
def test_what_does_not_go_together_is_told(
    folder: Path,
    tmp_path: Path,
    tiny_bundle: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    result = scan(tiny_bundle, folder, *options)
    assert isinstance(result.exception, UsageError)
    assert words in str(result.exception)
    assert [path.name for path in tmp_path.iterdir()] == ["images"]


def test_nothing_found_leaves_nothing(tmp_path: Path, tiny_bundle: Path) -> None:
    (tmp_path / "images").mkdir()
    result = scan(tiny_bundle, tmp_path / "images", "-o", f"{tmp_path}/out/")
    assert isinstance(result.exception, UsageError)
    assert not (tmp_path / "out").exists()


@pytest.mark.xdist_group("s3")
def test_single_files_and_parts_in_a_bucket(s3: str, folder: Path, tiny_bundle: Path) -> None:
    root = f"{s3}/cli"
    done = scan(tiny_bundle, folder, "-o", f"{root}/r.jsonl", "-o", f"{root}/r.csv", "-q")
    assert done.exit_code == 0, done.output
    lines = buckets.read(f"{root}/r.jsonl", 10**6).splitlines()
    assert sorted(json.loads(line)["path"] for line in lines) == sorted(map(str, folder.iterdir()))
    assert buckets.read(f"{root}/r.csv", 10**6).startswith(b"path,verdict")
    buckets.write(f"{root}/in/a.jpg", (folder / "coffee.jpg").read_bytes())
    done = scan(tiny_bundle, f"{root}/in", "-o", f"{root}/out")
    assert done.exit_code == 0, done.output
    table = pq.read_table(buckets.opened(f"{root}/out/part-000000.parquet"))
    assert table["path"].to_pylist() == [f"{root}/in/a.jpg"]
