"""Manifests: read, filter, hash, and find images in each of the three ways."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from authentiscan.core.errors import ManifestError
from authentiscan.images.decode import decode, encode
from authentiscan.manifest.table import Manifest

pa = pytest.importorskip("pyarrow")
import pyarrow.parquet as pq  # noqa: E402

SQUARES = [encode(np.full((8, 8, 3), 30 * n, np.uint8), "PNG") for n in range(6)]


def table(**columns: object) -> pa.Table:
    base: dict[str, object] = {
        "label": [0, 1, 0, 1, 0, 1],
        "generator": ["camera", "a", "camera", "b", "camera", "a"],
        "dataset": ["d"] * 6,
        "group": [f"g{n // 2}" for n in range(6)],
        "path": [f"{n}.png" for n in range(6)],
    }
    return pa.table({**base, **columns})


def test_rows_and_columns(tmp_path: Path) -> None:
    manifest = Manifest(table(), tmp_path)
    assert len(manifest) == len(list(manifest)) == 6
    assert manifest.labels.tolist() == [0, 1, 0, 1, 0, 1]
    row = manifest[3]
    assert (row.index, row.label, row.generator, row.group, row.name) == (3, 1, "b", "g1", "3.png")
    assert manifest.column("dataset") == ["d"] * 6
    assert manifest.column("licence") == [None] * 6


def test_written_and_read_back(tmp_path: Path) -> None:
    manifest = Manifest(table())
    path = tmp_path / "new" / "manifest.parquet"
    manifest.write(path)
    again = Manifest.read(path)
    assert again.table.to_pydict() == manifest.table.to_pydict()
    assert again.sha256() == manifest.sha256()
    assert again.root == path.parent.resolve()
    assert [entry.name for entry in path.parent.iterdir()] == ["manifest.parquet"]


def test_a_file_is_found_beside_the_manifest(tmp_path: Path) -> None:
    for number, content in enumerate(SQUARES):
        (tmp_path / f"{number}.png").write_bytes(content)
    manifest = Manifest(table(), tmp_path)
    assert decode(manifest.image_bytes(4)).pixels[0, 0, 0] == 120


def test_an_image_within_the_manifest() -> None:
    manifest = Manifest(table(image=SQUARES))
    assert manifest.image_bytes(5) == SQUARES[5]
    assert manifest.take([5, 0]).image_bytes(0) == SQUARES[5]


def test_a_row_of_another_table(tmp_path: Path) -> None:
    pq.write_table(pa.table({"image": SQUARES}), tmp_path / "images.parquet", row_group_size=2)
    manifest = Manifest(table(path=["images.parquet"] * 6, row=[5, 4, 3, 2, 1, 0]), tmp_path)
    assert [manifest.image_bytes(n) for n in range(6)] == SQUARES[::-1]
    assert manifest[1].name == "images.parquet#4"
    with pytest.raises(ManifestError, match="99"):
        Manifest(table(path=["images.parquet"] * 6, row=[99] * 6), tmp_path).image_bytes(0)


def test_a_manifest_travels_to_another_process(tmp_path: Path) -> None:
    pq.write_table(pa.table({"image": SQUARES}), tmp_path / "images.parquet")
    manifest = Manifest(table(path=["images.parquet"] * 6, row=list(range(6))), tmp_path)
    manifest.image_bytes(0)
    again = pickle.loads(pickle.dumps(manifest))
    assert again.image_bytes(3) == SQUARES[3]


def test_missing_file_is_told_with_its_row(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"row 2.*2\.png"):
        Manifest(table(), tmp_path).image_bytes(2)


def test_where_and_take() -> None:
    manifest = Manifest(table())
    assert manifest.where(label=1).column("path") == ["1.png", "3.png", "5.png"]
    assert manifest.where(generator=["a", "b"], group="g2").column("path") == ["5.png"]
    assert manifest.take(np.array([2, 0])).column("path") == ["2.png", "0.png"]
    assert len(manifest.where(generator="nobody")) == 0


def test_with_column_adds_and_replaces() -> None:
    manifest = Manifest(table())
    split = manifest.with_column("split", ["train"] * 5 + ["test"])
    assert split.where(split="test").column("path") == ["5.png"]
    assert split.with_column("split", ["val"] * 6).column("split") == ["val"] * 6
    assert "split" not in manifest.table.column_names
    assert manifest.with_column("jpeg_quality", [90] * 6).table["jpeg_quality"].type == pa.int16()


def test_hash_follows_the_content_not_the_file() -> None:
    manifest = Manifest(table())
    assert manifest.sha256() == Manifest(table()).sha256()
    assert manifest.sha256() == Manifest(table(image=SQUARES)).sha256()
    assert manifest.sha256() != manifest.take([1, 0, 2, 3, 4, 5]).sha256()
    assert manifest.sha256() != manifest.with_column("split", ["train"] * 6).sha256()


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"label": [0, 1, 2, 1, 0, 1]}, r"\[2\]"),
        ({"label": [0, 1, None, 1, 0, 1]}, "label"),
        ({"label": ["real"] * 6}, "label"),
    ],
)
def test_wrong_labels(columns: dict[str, object], told: str) -> None:
    with pytest.raises(ManifestError, match=told):
        Manifest(table(**columns))


def test_missing_columns() -> None:
    with pytest.raises(ManifestError, match="generator"):
        Manifest(table().drop_columns(["generator"]))
    with pytest.raises(ManifestError, match="image"):
        Manifest(table().drop_columns(["path"]))


def test_unreadable_manifests(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="no manifest"):
        Manifest.read(tmp_path / "none.parquet")
    (tmp_path / "text.parquet").write_text("no table")
    with pytest.raises(ManifestError, match="no readable Parquet"):
        Manifest.read(tmp_path / "text.parquet")
