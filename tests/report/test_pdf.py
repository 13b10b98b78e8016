"""Printing a page by an installed browser."""

from __future__ import annotations

import stat
import time
from pathlib import Path

import pytest

from authentiscan.core.errors import OutputError, UsageError
from authentiscan.report import pdf


def _program(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program called chromium that is found first."""
    place = folder / "chromium"
    place.write_text("#!/bin/sh\n" + text)
    place.chmod(place.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def _runs(process: int) -> bool:
    try:
        return " Z " not in Path(f"/proc/{process}/stat").read_text()
    except FileNotFoundError:
        return False


def test_without_a_browser_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match=r"write a page \(\.html\) and print it"):
        pdf.write_pdf("<p>", tmp_path / "a.pdf")


def test_a_browser_that_hangs_is_ended_with_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _program(tmp_path, "sleep 600 & echo $! > $(dirname $0)/child; wait\n", monkeypatch)
    with pytest.raises(OutputError, match="did not print within 1 s"):
        pdf.write_pdf("<p>", tmp_path / "a.pdf", seconds=1)
    child = int((tmp_path / "child").read_text())
    deadline = time.monotonic() + 60  # it is killed at once, but goes when the machine lets it
    while _runs(child):
        assert time.monotonic() < deadline, "the browser's child lives on"
        time.sleep(0.05)
    assert not (tmp_path / "a.pdf").exists()


def test_a_browser_that_prints_nothing_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _program(tmp_path, "exit 0\n", monkeypatch)
    (tmp_path / "a.pdf").write_text("OLD")
    with pytest.raises(OutputError, match="printed no PDF"):
        pdf.write_pdf("<p>", tmp_path / "a.pdf")
    assert (tmp_path / "a.pdf").read_text() == "OLD"


def test_what_the_browser_prints_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = 'for a; do case $a in --print-to-pdf=*) printf %%PDF-1 > "${a#*=}";; esac; done\n'
    _program(tmp_path, script, monkeypatch)
    pdf.write_pdf("<p>", tmp_path / "a.pdf")
    assert (tmp_path / "a.pdf").read_bytes() == b"%PDF-1\n%authentiscan\n"
