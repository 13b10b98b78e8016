"""What is said, how loud, and what strangers' text may do to a terminal."""

from __future__ import annotations

import pytest

from authentiscan.cli import screen
from authentiscan.core.errors import UsageError
from authentiscan.report.tables import Table


def _said(capsys: pytest.CaptureFixture[str]) -> str:
    screen.note("noted")
    screen.detail("in detail")
    screen.warn("careful")
    screen.fail("it broke")
    out, err = capsys.readouterr()
    assert out == "", "standard output is for results"
    return err


def test_by_default_notes_warnings_and_errors_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    said = _said(capsys)
    assert all(words in said for words in ("noted", "warning: careful", "error: it broke"))
    assert "in detail" not in said


def test_quiet_leaves_warnings_and_errors(capsys: pytest.CaptureFixture[str]) -> None:
    with screen.loudness(quiet=True, verbose=False):
        said = _said(capsys)
        assert screen.is_quiet()
    assert "noted" not in said
    assert "warning: careful" in said
    assert "error: it broke" in said
    assert not screen.is_quiet(), "only inside the block"


def test_verbose_adds_details(capsys: pytest.CaptureFixture[str]) -> None:
    with screen.loudness(quiet=False, verbose=True):
        assert "in detail" in _said(capsys)
        assert screen.is_verbose()


def test_both_at_once_cannot_be_meant() -> None:
    with pytest.raises(UsageError, match="exclude"), screen.loudness(quiet=True, verbose=True):
        pass


def test_names_do_not_drive_the_terminal_nor_the_markup(
    capsys: pytest.CaptureFixture[str],
) -> None:
    screen.print_table("", ["file", "score"], [["\x1b[31mred[bold].png", "0.5"]])
    screen.warn("\x1b]0;title\x07")
    out, err = capsys.readouterr()
    assert "\x1b" not in out + err
    assert "[bold].png" in out


def test_long_names_are_folded_not_cut(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "a" * 300
    screen.show(Table(["file", "score"], [[name, "0.5"]], note="a note"), "title")
    out = capsys.readouterr().out
    assert out.count("a") - "title a note score".count("a") >= 300
    assert "0.5" in out
    assert "a note" in out


# Progress


def _work(capsys: pytest.CaptureFixture[str]) -> str:
    with screen.bars("scoring ") as start:
        one, two = start("a"), start("b")
        one(1, 4)
        one(2, 4)
        two(5, None)
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err


def test_lines_where_there_is_no_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(screen, "LINE_SECONDS", 0.0)
    assert _work(capsys) == "scoring a: 1 of 4\nscoring a: 2 of 4\nscoring b: 5\n"


def test_no_line_before_its_time(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(screen, "LINE_SECONDS", 1000.0)
    assert _work(capsys) == ""


def test_nothing_where_quiet_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(screen, "LINE_SECONDS", 0.0)
    with screen.loudness(quiet=True, verbose=False):
        assert _work(capsys) == ""


def test_the_first_step_of_long_work_is_no_measure_of_the_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(screen, "LINE_SECONDS", 0.0)
    clock = iter([0.0, 500.0, 502.0, 504.0, 600.0, 601.0])
    monkeypatch.setattr(screen.time, "monotonic", lambda: next(clock))
    work = screen.Screen()
    work.start("scoring", 4)
    for _ in range(3):
        work.step()
    work.start("testing", 9)
    work.step("loss 0.1")
    work.step()
    assert capsys.readouterr().err.splitlines() == [
        "scoring: step 1 of 4",
        "scoring: step 2 of 4, about 4 s left",
        "scoring: step 3 of 4, about 2 s left",
        "testing: step 1 of 9; loss 0.1",
        "testing: step 2 of 9, about 7 s left",
    ]


def test_a_bar_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    shown = _work(capsys)
    assert "scoring a" in shown
    assert "\x1b[" in shown
