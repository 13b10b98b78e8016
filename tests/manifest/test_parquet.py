"""Manifests that hold their images themselves: they stay there, and rows point at them."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from authentiscan.core.errors import ManifestError
from authentiscan.manifest.parquet import open_parquet
from authentiscan.manifest.table import Manifest

N = 6


def table(**columns: object) -> pa.Table:
    must = {
        "label": pa.array([i % 2 for i in range(N)], pa.int8()),
        "generator": ["camera", "flux"] * (N // 2),
        "dataset": ["d"] * N,
        "group": [f"g{i}" for i in range(N)],
    }
    return pa.table({**must, **columns})


def images(*absent: int) -> pa.Array:
    return pa.array([None if i in absent else b"image %d" % i for i in range(N)], pa.binary())


def read(path: Path, written: pa.Table, **options: object) -> Manifest:
    pq.write_table(written, path, row_group_size=2, **options)
    return Manifest.read(path)


def test_images_stay_in_the_file(tmp_path: Path) -> None:
    manifest = read(tmp_path / "m.parquet", table(image=images()))
    assert "image" not in manifest.table.column_names
    assert manifest.column("path") == ["m.parquet"] * N
    assert [manifest.image_bytes(i) for i in range(N)] == images().to_pylist()


@pytest.mark.parametrize("options", [{}, {"write_statistics": False}])
def test_rows_without_an_image_keep_their_own_place(tmp_path: Path, options: dict) -> None:
    pq.write_table(pa.table({"image": [b"one", b"two"]}), tmp_path / "other.parquet")
    (tmp_path / "file.jpg").write_bytes(b"file")
    places = ["x", "other.parquet", "x", "file.jpg", "x", "x"]
    rows = pa.array([None, 1, None, None, None, None], pa.int64())
    written = table(image=images(1, 3), path=places, row=rows)
    manifest = read(tmp_path / "m.parquet", written, **options)
    found = [manifest.image_bytes(i) for i in range(N)]
    assert found == [b"image 0", b"two", b"image 2", b"file", b"image 4", b"image 5"]
    assert manifest.column("name") == places


def test_images_with_their_paths(tmp_path: Path) -> None:
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    both = pa.array([{"bytes": b"%d" % i, "path": f"{i}.jpg"} for i in range(N)], kind)
    manifest = read(tmp_path / "m.parquet", table(image=both))
    assert manifest.image_bytes(3) == b"3"


def test_an_empty_manifest(tmp_path: Path) -> None:
    manifest = read(tmp_path / "m.parquet", table(image=images()).slice(0, 0))
    assert len(manifest) == 0


def test_written_elsewhere_its_rows_still_point_there(tmp_path: Path) -> None:
    manifest = read(tmp_path / "m.parquet", table(image=images()))
    manifest.take([4, 1]).write(tmp_path / "deeper" / "part.parquet")
    part = Manifest.read(tmp_path / "deeper" / "part.parquet")
    assert part.column("path") == ["../m.parquet"] * 2
    assert [part.image_bytes(i) for i in range(2)] == [b"image 4", b"image 1"]


def test_what_is_no_manifest(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="no manifest at"):
        open_parquet(tmp_path / "absent.parquet")
    (tmp_path / "x.parquet").write_bytes(b"nonsense")
    with pytest.raises(ManifestError, match="no readable Parquet table"):
        Manifest.read(tmp_path / "x.parquet")


def test_a_damaged_column_is_told(tmp_path: Path) -> None:
    pq.write_table(table(path=["x"] * N), tmp_path / "m.parquet")
    column = pq.ParquetFile(tmp_path / "m.parquet").metadata.row_group(0).column(1)
    data = bytearray((tmp_path / "m.parquet").read_bytes())
    start = column.dictionary_page_offset or column.data_page_offset
    data[start : start + 40] = b"\xff" * 40
    (tmp_path / "m.parquet").write_bytes(data)
    with pytest.raises(ManifestError, match="no readable Parquet table"):
        Manifest.read(tmp_path / "m.parquet")
