"""Going on with an interrupted scan: nothing lost, nothing twice, nothing of others touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from authentiscan.analysis import Report
from authentiscan.analysis.report import ClipFrame, ClipInfo, ImageInfo, ModelInfo, Stability
from authentiscan.attribution.result import Attribution, AttributorInfo
from authentiscan.core.errors import UsageError
from authentiscan.core.types import Verdict
from authentiscan.provenance import Provenance
from authentiscan.scan import Item
from authentiscan.scan.resume import Earlier, Way

MODEL = ModelInfo(name="m", version="1", architecture="a", sha256="ab" * 32)


def good(path: str) -> Report:
    provenance = Provenance(trust_list="ab" * 32)
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
    assert earlier.again == {"a": 2, "c": 1}
    before = path.read_text()
    earlier.keep()
    assert path.read_text() == before, "nothing goes before something else is there"
    assert [report.path for report in earlier.reports()] == ["b"]
    assert sorted(report.path for report in earlier.unmet()) == ["a", "a", "c"]
    assert earlier.meet("a") is None
    assert sorted(report.path for report in earlier.unmet()) == ["a", "c"]
    assert next(earlier.unmet()).error is not None, "of equal names the first are met first"


def test_rows_stay_where_only_their_picture_is_lost(tmp_path: Path) -> None:
    twice = [good("x.zip::a").model_copy(update={"score": score}) for score in (0.2, 0.3)]
    earlier = Earlier(journal(tmp_path, good("a"), *twice, bad("b"), good("c")))
    earlier.picture_without(lambda report: report.path == "c")
    earlier.picture_without(lambda report: report.path != "a")
    assert earlier.number == 4
    assert earlier.unpictured == 3
    assert left(earlier, "a", "x.zip::a", "x.zip::a", "b", "c", "x.zip::a") == [
        "a", "x.zip::a", "x.zip::a", "b", "x.zip::a",
    ]  # fmt: skip
    assert [earlier.has_picture(report) for report in earlier.reports()] == [False] * 3 + [True]
    assert earlier.meet("b") is None
    met = [earlier.meet("x.zip::a") for _ in range(3)]
    assert [row and row.score for row in met] == [0.2, 0.3, None]
    assert [report.path for report in earlier.unmet_pictures()] == ["a"]


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


WAY = Way.of(good("a"), MODEL)


def test_other_ways_than_the_first_are_refused(tmp_path: Path) -> None:
    earlier = Earlier(journal(tmp_path, good("a"), bad("b")))
    earlier.refuse_other(WAY)
    for other, told in (
        ({"model": "0" * 64}, "another detector"),
        ({"decision": (0.5, 0.2)}, "thresholds were changed"),
        ({"stability": True}, "without --stability: do the same"),
        ({"provenance": False}, "with --provenance: do the same"),
        ({"trust": "cd" * 32}, "another trust list"),
    ):
        with pytest.raises(UsageError, match=told):
            earlier.refuse_other(WAY._replace(**other))
    steady = Stability(trials=(), flips=(), largest_shift=0, complete=True, milliseconds=1)
    shaken = good("a").model_copy(update={"stability": steady, "provenance": None})
    with pytest.raises(UsageError, match="with --stability"):
        Earlier(journal(tmp_path, shaken)).refuse_other(WAY._replace(provenance=False))


def test_rows_that_name_a_generator_want_the_same_attributor(tmp_path: Path) -> None:
    namer = AttributorInfo(name="n", version="1", sha256="ef" * 32)
    said = Attribution(generator="x", candidates=(), fit=1.0, least_fit=0.05, crops=1, model=namer)
    made = good("a").model_copy(update={"verdict": Verdict.GENERATED, "attribution": said})
    unnamed = made.model_copy(update={"attribution": None})
    for report, own, other, told in (
        (made, "ef" * 32, "", "by another attributor: name that one"),
        (unnamed, "", "ef" * 32, "without an attributor: give --attributor none"),
    ):
        earlier = Earlier(journal(tmp_path, report, good("b")))
        earlier.refuse_other(WAY._replace(attributor=own))
        with pytest.raises(UsageError, match=told):
            earlier.refuse_other(WAY._replace(attributor=other))
    Earlier(journal(tmp_path, good("b"))).refuse_other(WAY._replace(attributor="0" * 64))


def test_no_trust_list_binds_where_none_was_asked_for_or_named(tmp_path: Path) -> None:
    unsaid = good("a").model_copy(update={"provenance": Provenance()})
    Earlier(journal(tmp_path, unsaid)).refuse_other(WAY)
    none = good("a").model_copy(update={"provenance": None})
    Earlier(journal(tmp_path, none)).refuse_other(WAY._replace(provenance=False))


@pytest.mark.parametrize(("by_frames", "told"), [(True, "with --frames"), (False, "without --fr")])
def test_animations_are_judged_as_they_were_before(
    tmp_path: Path, by_frames: bool, told: str
) -> None:
    image = ImageInfo(format="GIF", width=9, height=9, bytes=9, sha256="", frames=2)
    frame = ClipFrame(seconds=0, score=0.1, verdict=Verdict.REAL)
    clip = ClipInfo(codec="gif", asked=16, frames=(frame,)) if by_frames else None
    row = good("a").model_copy(update={"image": image, "clip": clip})
    earlier = Earlier(journal(tmp_path, row))
    way = WAY._replace(frames=16)
    earlier.refuse_other(way._replace(animated=by_frames))
    with pytest.raises(UsageError, match=told):
        earlier.refuse_other(way._replace(animated=not by_frames))
    still = image.model_copy(update={"frames": 1})
    one = Earlier(journal(tmp_path, good("a").model_copy(update={"image": still})))
    one.refuse_other(way._replace(animated=True))


def test_failures_alone_bind_to_nothing(tmp_path: Path) -> None:
    Earlier(journal(tmp_path, bad("a"))).refuse_other(WAY._replace(stability=True))
