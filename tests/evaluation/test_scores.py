"""Score tables: rows, bands, files."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from authentiscan.core.errors import MetricError
from authentiscan.evaluation.scores import ScoreTable, quality_band, size_band
from authentiscan.metrics.calibration import Calibration

TEXT = ("name", "generator", "dataset", "source", "group", "style", "split", "format", "sha256")


def made(count: int = 6, failed: tuple[int, ...] = (2,)) -> ScoreTable:
    scores = np.linspace(0.1, 0.9, count)
    logits = np.log(scores / (1 - scores))
    for row in failed:
        scores[row] = logits[row] = np.nan
    columns: dict[str, list] = {name: [f"{name}-{i}" for i in range(count)] for name in TEXT}
    columns["format"] = ["JPEG", "PNG"] * (count // 2)
    columns["jpeg_quality"] = [75, None] * (count // 2)
    columns["width"], columns["height"] = [640] * count, [63, 64] * (count // 2)
    return ScoreTable(
        labels=np.asarray([0, 1] * (count // 2)),
        scores=scores,
        logits=logits,
        columns=columns,
        errors=["broken" if i in failed else None for i in range(count)],
        protocol="matched",
        detector="tiny",
        manifest_sha256="abc",
        seconds=1.5,
    )


@pytest.mark.parametrize(
    ("side", "band"),
    [(1, "<64"), (63, "<64"), (64, "64-127"), (511, "256-511"), (2048, ">=2048"), (9999, ">=2048")],
)
def test_size_bands_hold_their_lower_edge(side: int, band: str) -> None:
    assert size_band(side) == band


@pytest.mark.parametrize(
    ("kind", "quality", "band"),
    [
        ("JPEG", 59, "<60"),
        ("JPEG", 60, "60-74"),
        ("MPO", 98, ">=98"),
        ("JPEG", None, "non-standard tables"),
        ("PNG", None, "not JPEG"),
        (None, 90, "not JPEG"),
    ],
)
def test_quality_bands(kind: str | None, quality: int | None, band: str) -> None:
    assert quality_band(kind, quality) == band


def test_bands_are_columns_too() -> None:
    table = made()
    assert table.column("size_band") == ["<64", "64-127"] * 3
    assert table.column("jpeg_band") == ["75-84", "not JPEG"] * 3
    assert table.column("nothing of the kind") == [None] * 6


def test_rows_are_taken_with_all_their_columns() -> None:
    table = made()
    some = table.take(table.labels == 1)
    assert len(some) == 3
    assert some.columns["name"] == ["name-1", "name-3", "name-5"]
    assert some.take([0]).columns["name"] == ["name-1"]
    assert table.failed == 1
    assert len(table.scored()) == 5
    assert table.scored().errors == [None] * 5


def test_a_table_without_a_score_says_the_first_error() -> None:
    with pytest.raises(MetricError, match="none of 2 images was scored; the first error: broken"):
        made(2, failed=(0, 1)).scored()


def test_another_calibration_keeps_logits_and_failed_rows() -> None:
    table = made()
    other = table.recalibrated(Calibration(slope=2.0, intercept=-1.0))
    expected = 1 / (1 + np.exp(-(2 * table.logits - 1)))
    assert np.allclose(other.scores, expected, equal_nan=True)
    assert np.array_equal(other.logits, table.logits, equal_nan=True)


def test_parquet_is_read_back_equal(tmp_path: Path) -> None:
    table = made()
    table.write(tmp_path / "scores.parquet")
    read = ScoreTable.read(tmp_path / "scores.parquet")
    assert np.array_equal(read.scores, table.scores, equal_nan=True)
    assert (read.columns, read.errors) == (table.columns, table.errors)
    assert (read.protocol, read.detector, read.seconds) == ("matched", "tiny", 1.5)


def test_tables_of_earlier_releases_are_read(tmp_path: Path) -> None:
    path = tmp_path / "scores.parquet"
    made().write(path)
    table = pq.read_table(path)
    (key, about), *_ = table.schema.metadata.items()
    old = table.replace_schema_metadata({key: about.replace(b'"protocol"', b'"treatment"')})
    pq.write_table(old, path)
    assert ScoreTable.read(path).protocol == "matched"


def test_other_tables_are_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"score": [0.5]}), tmp_path / "other.parquet")
    with pytest.raises(MetricError, match="no score table"):
        ScoreTable.read(tmp_path / "other.parquet")


def test_csv_cells_cannot_be_formulas(tmp_path: Path) -> None:
    table = made(2, failed=())
    table.columns["name"] = ["=HYPERLINK(1)", "plain"]
    table.write(tmp_path / "scores.csv")
    with (tmp_path / "scores.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert not rows[0]["name"].startswith("=")
    assert float(rows[1]["score"]) == table.scores[1]
