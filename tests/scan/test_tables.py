"""Parquet tables and manifests as inputs of a scan."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from authentiscan.images.decode import encode
from authentiscan.scan import find

PICTURES = [encode(np.full((9, 9 + i, 3), 40 * i, np.uint8), "PNG") for i in range(5)]


@pytest.mark.parametrize("nested", [False, True])
def test_rows_of_a_table_that_holds_images(tmp_path: Path, nested: bool) -> None:
    table = tmp_path / "t.parquet"
    images = [{"bytes": one, "path": "x.png"} for one in PICTURES] if nested else PICTURES
    pq.write_table(pa.table({"image": images, "label": [0] * 5}), table, row_group_size=2)
    found = list(find([str(table)]))
    assert [item.name for item in found] == [f"{table}::{row}" for row in range(5)]
    assert [item.source for item in found] == PICTURES


def test_rows_of_a_manifest_that_points_at_files_and_rows(tmp_path: Path) -> None:
    inner, manifest = tmp_path / "inner.parquet", tmp_path / "m.parquet"
    pq.write_table(pa.table({"image": PICTURES}), inner)
    (tmp_path / "photo.png").write_bytes(PICTURES[0])
    rows = {"path": ["photo.png", "inner.parquet", None, "gone.png"], "row": [None, 3, None, None]}
    pq.write_table(pa.table(rows), manifest)
    photo, row, nothing, gone = find([str(manifest)])
    assert (photo.name, photo.path) == (str(tmp_path / "photo.png"), tmp_path / "photo.png")
    assert (row.name, row.source) == (f"{inner}::3", PICTURES[3])
    assert "without a path" in str(nothing.error)
    assert gone.path == tmp_path / "gone.png"


@pytest.mark.parametrize("damaged", [False, True])
def test_a_table_without_images_is_one_row_with_an_error(tmp_path: Path, damaged: bool) -> None:
    table = tmp_path / "t.parquet"
    pq.write_table(pa.table({"x": [1, 2]}), table)
    if damaged:
        table.write_bytes(table.read_bytes()[:-6])
    (item,) = find([str(table)])
    words = "no readable Parquet table" if damaged else "without images: it has the columns ['x']"
    assert words in str(item.error)


def test_rows_are_read_from_many_threads(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    table = tmp_path / "t.parquet"
    pq.write_table(pa.table({"image": PICTURES * 8}), table, row_group_size=3)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda item: item.source, find([str(table)]))) == PICTURES * 8
