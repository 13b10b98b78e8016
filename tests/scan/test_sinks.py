"""Outputs: JSON lines, CSV, Parquet, HTML; and going on with an interrupted one."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from authentiscan.analysis import Report
from authentiscan.core.errors import OutputError, UsageError
from authentiscan.core.types import Verdict
from authentiscan.images.decode import encode
from authentiscan.scan import Scanned, Sinks, open_sink
from authentiscan.scan.batch_page import Pictures
from authentiscan.scan.rows import CSV_COLUMNS
from authentiscan.scan.sinks import Csv

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
    sink = Csv(stream)
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
    assert cards == ["card generated", "card failed", "card real"]
    assert " ".join(EVIL.split()) in page.text
    assert [path.name for path in tmp_path.iterdir()] == ["r.html"]


@pytest.mark.parametrize("name", ["r", "r.xlsx", "r.jsonl.gz"])
def test_unknown_extensions(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"\.jsonl, \.csv, \.html or \.parquet"):
        open_sink(tmp_path / name)


@pytest.mark.parametrize("name", ["r.jsonl", "r.csv", "r.html"])
def test_places_that_cannot_be_written(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(OutputError, match="cannot write"):
        open_sink(tmp_path / name)


def test_all_sinks_are_closed_even_if_one_fails(tmp_path: Path) -> None:
    class Failing:
        def write(self, result: Scanned) -> None: ...

        def close(self) -> None:
            raise OSError("disk full")

        def discard(self) -> None: ...

    good = open_sink(tmp_path / "r.html")
    with pytest.raises(OSError, match="disk full"), Sinks([Failing(), good]):
        pass
    assert "</html>" in (tmp_path / "r.html").read_text()


def interrupted(sinks: Sinks) -> None:
    sinks.write(results()[0])
    raise KeyboardInterrupt


def rows_of(path: Path) -> list[str]:
    return [json.loads(line)["path"] for line in path.read_text("utf-8").splitlines()]


def test_appending_goes_on(tmp_path: Path) -> None:
    path = written(tmp_path / "r.jsonl")
    with Sinks([open_sink(path, append=True)]) as sinks:
        sinks.write(results()[0])
    assert len(path.read_text().splitlines()) == 4


@pytest.mark.parametrize("name", ["r.jsonl", "r.csv", "r.html", "r.parquet"])
def test_an_older_file_stays_where_a_scan_ends_before_its_first_result(
    tmp_path: Path, name: str
) -> None:
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    (tmp_path / name).write_text("OLD")
    with pytest.raises(KeyboardInterrupt), Sinks([open_sink(tmp_path / name)]):
        raise KeyboardInterrupt
    assert (tmp_path / name).read_text() == "OLD"
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["r.jsonl", "r.csv", "r.html", "r.parquet"])
def test_an_interrupted_scan_leaves_whole_files_of_what_it_has(tmp_path: Path, name: str) -> None:
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    with pytest.raises(KeyboardInterrupt), Sinks([open_sink(tmp_path / name)]) as sinks:
        interrupted(sinks)
    assert b"jpg" in (tmp_path / name).read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["r.csv", "r.html", "r.parquet"])
def test_a_killed_scan_leaves_the_older_file(tmp_path: Path, name: str) -> None:
    """Nothing is closed: what is in its place then is what a kill at that moment leaves."""
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    (tmp_path / name).write_text("OLD")
    sink = open_sink(tmp_path / name)
    sink.write(results()[0])
    assert (tmp_path / name).read_text() == "OLD"
    sink.discard()
    assert (tmp_path / name).read_text() == "OLD"


def test_a_sink_that_fails_is_discarded_and_the_others_are_kept(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("OLD")
    bad, good = open_sink(tmp_path / "r.csv"), open_sink(tmp_path / "r.jsonl")
    full = OSError(28, "No space left on device")
    bad.write = lambda result: (_ for _ in ()).throw(full)  # type: ignore[method-assign]
    with pytest.raises(OSError, match="No space"), Sinks([good, bad]) as sinks:
        sinks.write(results()[0])
    assert (tmp_path / "r.csv").read_text() == "OLD"
    assert rows_of(tmp_path / "r.jsonl") == ["a,b.jpg"]


def filled(path: Path) -> None:
    row = results()[0]
    with Sinks([open_sink(path)]) as sinks:
        for _ in range(9000):
            sinks.write(row)


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit there")
@pytest.mark.parametrize("name", ["r.jsonl", "r.csv"])
def test_a_place_that_takes_no_more_is_named(tmp_path: Path, name: str) -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, before[1]))
    try:
        with pytest.raises(OutputError, match=f"cannot write .*{name}: File too large"):
            filled(tmp_path / name)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(tmp_path.glob(".*"))


def test_what_was_left_out_is_told_by_page_and_parquet(tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    left: dict[str, int] = {}
    names = ("r.html", "r.parquet")
    with Sinks([open_sink(tmp_path / name, left_out=left) for name in names]) as sinks:
        sinks.write(results()[0])
        left["a text file"] = 3
    assert "left out 3: a text file 3" in (tmp_path / "r.html").read_text()
    told = pq.read_metadata(tmp_path / "r.parquet").metadata[b"authentiscan.left_out"]
    assert json.loads(told) == left


def test_pictures_of_an_older_page_are_found_by_image_and_detector(tmp_path: Path) -> None:
    image = {"format": "PNG", "width": 8, "height": 8, "bytes": 9, "sha256": "ab" * 32}
    model = {"name": "m", "version": "1", "architecture": "a", "sha256": "cd" * 32}
    report = Report.model_validate(
        {**results()[0].report.model_dump(), "image": image} | {"model": model}
    )
    other = report.model_copy(
        update={"model": report.model.model_copy(update={"sha256": "0" * 64})}
    )
    with Sinks([open_sink(tmp_path / "r.html")]) as sinks:
        sinks.write(Scanned(report, THUMBNAIL, THUMBNAIL[::-1]))
        sinks.write(Scanned(results()[1].report, THUMBNAIL))
    kept = Pictures(tmp_path / "r.html")
    assert kept.of(report) == Scanned(report, THUMBNAIL, THUMBNAIL[::-1])
    assert kept.of(other).thumbnail is None
    assert kept.of(results()[1].report).thumbnail is None
    assert Pictures(tmp_path / "none.html").of(report) == Scanned(report)


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
