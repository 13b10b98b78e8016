"""Going on with an interrupted scan: nothing lost, nothing twice, nothing of others touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from authentiscan.analysis import Report
from authentiscan.analysis.report import ModelInfo, Stability
from authentiscan.core.errors import UsageError
from authentiscan.core.types import Verdict
from authentiscan.provenance import Provenance
from authentiscan.scan import Item
from authentiscan.scan.resume import Earlier

MODEL = ModelInfo(name="m", version="1", architecture="a", sha256="ab" * 32)


def good(path: str) -> Report:
    provenance = Provenance()
    return Report(path=path, verdict=Verdict.REAL, score=0.1, model=MODEL, provenance=provenance)


def bad(path: str) -> Report:
    return Report.failed(path, ValueError("broken"))


def journal(folder: Path, *reports: Report, tail: str = "") -> Path:
    path = folder / "r.jsonl"
    path.write_text("".join(report.json_line() + "\n" for report in reports) + tail)
    return path


def left(earlier: Earlier, *names: str) -> list[str]:
    return [item.name for item in earlier.without(Item(name) for name in names)]


def test_what_is_done_is_not_done_again(tmp_path: Path) -> None:
    earlier = Earlier(journal(tmp_path, good("a"), good("b")))
    assert left(earlier, "a", "b", "c") == ["c"]
    assert earlier.number == 2
    assert [report.path for report in earlier.reports()] == ["a", "b"]
    nothing = Earlier(tmp_path / "none.jsonl")
    assert left(nothing, "a") == ["a"]
    nothing.keep()
    assert not (tmp_path / "none.jsonl").exists()


def test_of_equal_names_every_one_is_kept(tmp_path: Path) -> None:
    earlier = Earlier(journal(tmp_path, good("x.zip::a"), good("x.zip::a"), good("b")))
    assert left(earlier, "x.zip::a", "x.zip::a", "b", "x.zip::a") == ["x.zip::a"]


def test_failed_rows_are_made_again_and_with_them_all_of_their_name(tmp_path: Path) -> None:
    path = journal(tmp_path, good("a"), good("b"), bad("a"), bad("c"))
    earlier = Earlier(path)
    assert left(earlier, "a", "a", "b", "c", "a") == ["a", "a", "c", "a"]
    assert {name: len(rows) for name, rows in earlier.again.items()} == {"a": 2, "c": 1}
    earlier.keep()
    assert path.read_text() == good("b").json_line() + "\n"
    assert [report.path for report in earlier.reports()] == ["b"]


@pytest.mark.parametrize("share", [1, 10, 20, 100, 300])
def test_a_half_line_is_cut_off(tmp_path: Path, share: int) -> None:
    path = journal(tmp_path, good("a"), tail=good("b").json_line()[:share])
    earlier = Earlier(path)
    earlier.keep()
    assert path.read_text() == good("a").json_line() + "\n"
    assert left(earlier, "a", "b") == ["b"]
    path.write_text(good("b").json_line()[:share])
    Earlier(path).keep()
    assert path.read_text() == ""


FOREIGN = [
    b"not json\n",
    b"[]\n",
    b'{"path": 3}\n',
    b'{"path": "a", "error": null}\n',
    b'{"schema_version": 99, "path": "a"}\n',
    b"one line of another program, without an end",
    b'{"notes": [1, 2, 3]}',
    b"\xff\xd8\xff\xe0 a photograph",
    b"\xff\xfe\n",
    b"[" * 100_000 + b"\n",
]


@pytest.mark.parametrize("content", FOREIGN, ids=range(len(FOREIGN)))
def test_a_file_of_another_program_is_refused_and_not_touched(
    tmp_path: Path, content: bytes
) -> None:
    path = journal(tmp_path, good("a"))
    for start in (b"", path.read_bytes()):
        path.write_bytes(start + content)
        with pytest.raises(UsageError, match="is no report of a scan"):
            Earlier(path)
        assert path.read_bytes() == start + content


def test_other_ways_than_the_first_are_refused(tmp_path: Path) -> None:
    earlier = Earlier(journal(tmp_path, good("a"), bad("b")))
    sha = MODEL.sha256
    earlier.refuse_other(sha, stability=False, provenance=True)
    with pytest.raises(UsageError, match="another detector"):
        earlier.refuse_other("0" * 64, stability=False, provenance=True)
    with pytest.raises(UsageError, match="without --stability: do the same"):
        earlier.refuse_other(sha, stability=True, provenance=True)
    with pytest.raises(UsageError, match="with --provenance: do the same"):
        earlier.refuse_other(sha, stability=False, provenance=False)
    steady = Stability(trials=(), flips=(), largest_shift=0, complete=True, milliseconds=1)
    shaken = good("a").model_copy(update={"stability": steady, "provenance": None})
    with pytest.raises(UsageError, match="with --stability"):
        Earlier(journal(tmp_path, shaken)).refuse_other(sha, stability=False, provenance=False)


def test_failures_alone_bind_to_nothing(tmp_path: Path) -> None:
    Earlier(journal(tmp_path, bad("a"))).refuse_other("0" * 64, stability=True, provenance=False)
