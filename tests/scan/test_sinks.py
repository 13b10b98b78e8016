"""Outputs: JSON lines, CSV, Parquet, HTML; and going on with an interrupted one."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from authentiscan.analysis import Report
from authentiscan.core.errors import UsageError
from authentiscan.core.types import Verdict
from authentiscan.images.decode import encode
from authentiscan.scan import Item, Scanned, Sinks, open_sink
from authentiscan.scan.resume import done, repair, without
from authentiscan.scan.sinks import CSV_COLUMNS, Csv

EVIL = '<script>alert(1)</script>"&\n=cmd.jpg'
THUMBNAIL = encode(np.full((8, 8, 3), 50, np.uint8), "JPEG")


def results() -> list[Scanned]:
    low = Report(path="a,b.jpg", verdict=Verdict.REAL, score=0.1, reason='said "no"', spread=0.2)
    high = Report(
        path=EVIL,
        verdict=Verdict.GENERATED,
        score=0.9,
        warnings=({"code": "small", "message": "<b>small</b>"},),  # type: ignore[arg-type]
        timings={"total_ms": 12.5},
    )
    return [
        Scanned(low, THUMBNAIL),
        Scanned(high, THUMBNAIL),
        Scanned(Report.failed("c.png", ValueError("broken <i>"))),
    ]


def written(path: Path) -> Path:
    with Sinks([open_sink(path)]) as sinks:
        for result in results():
            sinks.write(result)
    return path


def test_json_lines(tmp_path: Path) -> None:
    lines = written(tmp_path / "new" / "r.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["path"] for row in rows] == ["a,b.jpg", EVIL, "c.png"]
    assert [row["verdict"] for row in rows] == ["real", "generated", None]
    assert [row["error"] for row in rows] == [None, None, "broken <i>"]
    assert rows[1]["score"] == 0.9


def test_json_lines_are_there_at_once(tmp_path: Path) -> None:
    sink = open_sink(tmp_path / "r.jsonl")
    sink.write(results()[0])
    assert (tmp_path / "r.jsonl").read_text().endswith("}\n")
    sink.close()


def test_csv(tmp_path: Path) -> None:
    with written(tmp_path / "r.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == CSV_COLUMNS
    assert [row["path"] for row in rows] == ["a,b.jpg", EVIL, "c.png"]
    assert rows[1]["warnings"] == "small"
    assert (rows[2]["score"], rows[2]["spread"], rows[2]["error"]) == ("", "", "broken <i>")


def test_csv_runs_no_formula_of_a_file_name(tmp_path: Path) -> None:
    report = Report(path="=cmd|' /C calc'!A0.png", verdict=Verdict.REAL, score=0.25, spread=0.0)
    with Sinks([open_sink(tmp_path / "r.csv")]) as sinks:
        sinks.write(Scanned(report))
    with (tmp_path / "r.csv").open(newline="") as file:
        row = next(csv.DictReader(file))
    assert row["path"] == "'" + report.path
    assert row["score"] == "0.25"


def test_csv_to_a_stream_leaves_it_open() -> None:
    stream = io.StringIO()
    sink = Csv(stream, close=False)
    sink.close()
    assert stream.getvalue().strip() == ",".join(CSV_COLUMNS)


def test_parquet(tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    table = pq.read_table(written(tmp_path / "r.parquet"))
    assert table["path"].to_pylist() == ["a,b.jpg", EVIL, "c.png"]
    assert table["score"].to_pylist() == [0.1, 0.9, None]
    assert table["warnings"].to_pylist()[1] == ["small"]
    assert json.loads(table["report"][0].as_py())["reason"] == 'said "no"'
    assert [path.name for path in tmp_path.iterdir()] == ["r.parquet"]


def test_an_empty_parquet_has_its_columns(tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    with Sinks([open_sink(tmp_path / "r.parquet")]):
        pass
    assert pq.read_table(tmp_path / "r.parquet").column_names == [*CSV_COLUMNS, "report"]


def test_page_is_sorted_escaped_and_self_contained(
    tmp_path: Path, read_page: Callable[[str], Any]
) -> None:
    page = read_page(written(tmp_path / "r.html").read_text("utf-8"))
    cards = [attributes["class"] for attributes in page.all("article")]
    assert cards == ["card generated", "card real", "card failed"]
    assert " ".join(EVIL.split()) in page.text
    assert [path.name for path in tmp_path.iterdir()] == ["r.html"]


@pytest.mark.parametrize("name", ["r", "r.xlsx", "r.jsonl.gz"])
def test_unknown_extensions(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"\.jsonl, \.csv, \.html or \.parquet"):
        open_sink(tmp_path / name)


@pytest.mark.parametrize("name", ["r.jsonl", "r.csv", "r.html"])
def test_places_that_cannot_be_written(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(UsageError, match="cannot write"):
        open_sink(tmp_path / name)


def test_all_sinks_are_closed_even_if_one_fails(tmp_path: Path) -> None:
    class Failing:
        def write(self, result: Scanned) -> None: ...

        def close(self) -> None:
            raise OSError("disk full")

    good = open_sink(tmp_path / "r.html")
    with pytest.raises(OSError, match="disk full"), Sinks([Failing(), good]):
        pass
    assert "</html>" in (tmp_path / "r.html").read_text()


def test_resume_reads_what_is_there(tmp_path: Path) -> None:
    path = written(tmp_path / "r.jsonl")
    assert [report.path for report in done(path)] == ["a,b.jpg", EVIL, "c.png"]
    left = without([Item("c.png"), Item("d.png")], {"c.png"})
    assert [item.name for item in left] == ["d.png"]
    assert list(done(tmp_path / "none.jsonl")) == []


def test_a_half_line_is_cut_off(tmp_path: Path) -> None:
    path = written(tmp_path / "r.jsonl")
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:200_000][: len(whole) // 2].split(b"\n")[0][:-5])
    repair(path)
    assert path.read_bytes() == whole
    path.write_bytes(b'{"half')
    repair(path)
    assert path.read_bytes() == b""
    repair(tmp_path / "none.jsonl")


def test_appending_goes_on(tmp_path: Path) -> None:
    path = written(tmp_path / "r.jsonl")
    with Sinks([open_sink(path, append=True)]) as sinks:
        sinks.write(results()[0])
    assert len(path.read_text().splitlines()) == 4


@pytest.mark.parametrize("line", ["not json", '{"path": 3}', "[]"])
def test_a_file_that_is_no_scan_is_refused(tmp_path: Path, line: str) -> None:
    (tmp_path / "r.jsonl").write_text(line + "\n")
    with pytest.raises(UsageError, match="line 1"):
        list(done(tmp_path / "r.jsonl"))


def test_page_shows_heatmap_stability_and_what_the_file_says(
    tmp_path: Path, tiny_bundle: Path, photos: dict[str, np.ndarray]
) -> None:
    from io import BytesIO

    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    from authentiscan.inference import load_detector
    from authentiscan.scan import Options, find, scan

    told = PngInfo()
    parameters = "a cat\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 8x8"
    told.add_text("parameters", parameters)
    buffer = BytesIO()
    Image.fromarray(photos["chelsea"]).save(buffer, "PNG", pnginfo=told)
    (tmp_path / "cat.png").write_bytes(buffer.getvalue())
    options = Options(stability=True, thumbnails=True)
    (result,) = scan(find([str(tmp_path)]), load_detector(tiny_bundle), options=options)
    assert result.heatmap is not None
    assert Image.open(BytesIO(result.heatmap)).size == Image.open(BytesIO(result.thumbnail)).size
    assert result.report.heatmap is None
    sink = open_sink(tmp_path / "page.html")
    sink.write(result)
    sink.close()
    page = (tmp_path / "page.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 2
    assert "Stability: " in page
    assert "PNG text" in page
