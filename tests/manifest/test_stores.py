"""Images by row from tables and archives, in bounded memory."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from authentiscan.core.errors import ManifestError
from authentiscan.manifest import stores
from authentiscan.manifest.stores import ParquetImages, ZipImages, image_column, open_store


def table(path: Path, rows: int = 10, size: int = 100) -> list[bytes]:
    images = [bytes([i]) * size for i in range(rows)]
    pq.write_table(pa.table({"image": images}), path, row_group_size=3)
    return images


def test_rows_are_read_in_any_order(tmp_path: Path) -> None:
    images = table(tmp_path / "t.parquet")
    store = open_store(tmp_path / "t.parquet")
    order = np.random.default_rng(0).permutation(10)
    assert [store.read(int(i)) for i in order] == [images[i] for i in order]


def test_no_more_than_the_budget_is_held(tmp_path: Path) -> None:
    images = table(tmp_path / "t.parquet", 30, 1000)
    store = ParquetImages(tmp_path / "t.parquet", cache_bytes=7_000)
    for i in (0, 29, 14, 1, 28):
        assert store.read(i) == images[i]
        assert sum(t.nbytes for t in store._cache.values()) == store._held <= 7_000
    tight = ParquetImages(tmp_path / "t.parquet", cache_bytes=1)
    assert [tight.read(i) for i in (0, 29)] == [images[0], images[29]]
    assert len(tight._cache) == 1


@pytest.mark.parametrize("row", [-1, 10])
def test_rows_that_are_not_there(tmp_path: Path, row: int) -> None:
    table(tmp_path / "t.parquet")
    with pytest.raises(ManifestError, match=f"row {row} is outside the table's 10 rows"):
        ParquetImages(tmp_path / "t.parquet").read(row)


def test_rows_without_an_image(tmp_path: Path) -> None:
    pq.write_table(pa.table({"image": pa.array([None, b"x"], pa.binary())}), tmp_path / "t.parquet")
    with pytest.raises(ManifestError, match="row 0 holds no image"):
        ParquetImages(tmp_path / "t.parquet").read(0)


def test_what_is_no_store(tmp_path: Path) -> None:
    pq.write_table(pa.table({"label": [1]}), tmp_path / "t.parquet")
    with pytest.raises(ManifestError, match="no image column"):
        open_store(tmp_path / "t.parquet")
    for name in ("x.parquet", "x.zip"):
        (tmp_path / name).write_bytes(b"nonsense")
        with pytest.raises(ManifestError, match="cannot open the"):
            open_store(tmp_path / name)


def test_a_damaged_row_group_is_told(tmp_path: Path) -> None:
    table(tmp_path / "t.parquet", 6, 4000)
    column = pq.ParquetFile(tmp_path / "t.parquet").metadata.row_group(1).column(0)
    data = bytearray((tmp_path / "t.parquet").read_bytes())
    start = column.dictionary_page_offset or column.data_page_offset
    data[start : start + 60] = b"\xff" * 60
    (tmp_path / "t.parquet").write_bytes(data)
    store = ParquetImages(tmp_path / "t.parquet")
    assert store.read(0) == bytes([0]) * 4000
    with pytest.raises(ManifestError, match="row group 1 of the table is damaged"):
        store.read(3)


def archive(path: Path) -> ZipImages:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("a.jpg", b"first")
        out.writestr("b.jpg", b"second" * 100)
    return ZipImages(path)


def test_members_by_their_place(tmp_path: Path) -> None:
    store = archive(tmp_path / "a.zip")
    assert store.read(1) == b"second" * 100
    assert store.head(1, 6) == b"second"
    with pytest.raises(ManifestError, match="row 2 is outside the archive's 2 members"):
        store.read(2)


def test_members_that_are_damaged_or_too_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = archive(tmp_path / "a.zip")
    data = bytearray((tmp_path / "a.zip").read_bytes())
    at = data.index(b"b.jpg") + 8
    data[at] ^= 0xFF
    (tmp_path / "b.zip").write_bytes(data)
    with pytest.raises(ManifestError, match=r"b\.jpg: cannot be unpacked"):
        ZipImages(tmp_path / "b.zip").read(1)
    monkeypatch.setattr(stores, "MEMBER_LIMIT", 10)
    assert store.read(0) == b"first"
    with pytest.raises(ManifestError, match="unpacks to more than 10 bytes"):
        store.read(1)


def test_parts_of_an_archive_have_to_be_joined(tmp_path: Path) -> None:
    archive(tmp_path / "a.zip")
    (tmp_path / "a.z01").write_bytes(b"x")
    with pytest.raises(ManifestError, match=r"zip -s 0 a\.zip --out whole\.zip"):
        ZipImages(tmp_path / "a.zip")


@pytest.mark.parametrize(
    ("columns", "chosen"),
    [
        ({"image": [b"x"], "mask": [b"y"]}, "image"),
        ({"jpg": [b"x"], "mask": [b"y"]}, "jpg"),
        ({"picture": [b"x"], "label": [1]}, "picture"),
        ({"one": [b"x"], "two": [b"y"]}, None),
        ({"label": [1]}, None),
        ({"shot": [{"bytes": b"x", "path": "a"}]}, "shot"),
    ],
)
def test_which_column_holds_the_images(columns: dict[str, list], chosen: str | None) -> None:
    assert image_column(pa.table(columns).schema) == chosen
