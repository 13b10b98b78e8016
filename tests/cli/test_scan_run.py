"""Scans that end at one certain step, and those that go on from there: no row is ever lost."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

ENDING = """
import importlib, os, sys
place, number, *sys.argv[1:] = sys.argv[1:]
module, name, method = place.rsplit(".", 2)
kind = getattr(importlib.import_module(module), name)
whole, calls = getattr(kind, method), []
def ended(*given):
    calls.append(1)
    return os._exit(9) if len(calls) == int(number) else whole(*given)
setattr(kind, method, ended)
from authentiscan.cli import main
main()
"""
CLOSING_PAGE = "authentiscan.scan.batch_page.BatchPage.close"
CLOSING_JOURNAL = "authentiscan.scan.sinks.Journal.close"
WRITING_PAGE = "authentiscan.scan.batch_page.BatchPage.write"
Scan = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def scan(tiny_bundle: Path, tmp_path: Path) -> Scan:
    """Run a scan; at: where it ends as if killed, by a method's name and the number of its call."""

    def call(*arguments: str, at: tuple[str, int] | None = None) -> Any:
        start = ["-m", "authentiscan"] if at is None else ["-c", ENDING, at[0], str(at[1])]
        words = ["scan", *arguments, "--model", str(tiny_bundle)]
        result = subprocess.run(
            [sys.executable, *start, *words],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
            cwd=tmp_path,
            env={**os.environ, "NO_COLOR": "1"},
        )
        assert at is None or result.returncode == 9, result.stderr
        return result

    return call


def picture(place: Path, seed: int) -> None:
    place.parent.mkdir(exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels.repeat(8, 0).repeat(8, 1)).save(place)


def paths(place: Path) -> list[str]:
    return [json.loads(line)["path"] for line in place.read_text().splitlines()]


def test_rows_stay_while_lost_pictures_are_made_again(scan: Scan, tmp_path: Path) -> None:
    """Killed between the table and the page, and again while the page's pictures are made anew."""
    for number in range(6):
        picture(tmp_path / "in" / f"{number}.jpg", number)
    journal, table, page = (tmp_path / f"r.{kind}" for kind in ("jsonl", "csv", "html"))
    command = ["in", "-o", "r.jsonl", "-o", "r.csv", "-o", "r.html", "--resume"]
    scan(*command, at=(CLOSING_PAGE, 1))
    rows, cells = journal.read_bytes(), table.read_bytes()
    assert len(rows.splitlines()) == 6
    assert not page.exists()
    for at in ((WRITING_PAGE, 4), (CLOSING_JOURNAL, 1), (CLOSING_PAGE, 1)):
        scan(*command, at=at)
        assert journal.read_bytes() == rows
        assert table.read_bytes() == cells
        assert not page.exists()
    result = scan(*command)
    assert result.returncode == 0, result.stderr
    assert "all 6 images were done before; pictures of 6 of them made again" in result.stderr
    assert journal.read_bytes() == rows
    assert table.read_bytes() == cells
    assert page.read_text().count("<article") == 6
    assert page.read_text().count("data:image/jpeg") == 12


def test_rows_stay_whose_images_have_gone_or_changed(scan: Scan, tmp_path: Path) -> None:
    for number in range(3):
        picture(tmp_path / "in" / f"{number}.jpg", number)
    assert scan("in", "-o", "r.jsonl").returncode == 0
    rows = (tmp_path / "r.jsonl").read_bytes()
    (tmp_path / "in" / "0.jpg").unlink()
    picture(tmp_path / "in" / "1.jpg", 9)
    result = scan("in", "-o", "r.jsonl", "-o", "r.html", "-o", "r.csv", "--resume")
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "r.jsonl").read_bytes() == rows
    assert len(list(csv.DictReader((tmp_path / "r.csv").open()))) == 3
    page = (tmp_path / "r.html").read_text()
    assert page.count("<article") == 3
    assert page.count("data:image/jpeg") == 2, "no picture beside another image's verdict"


def test_failed_rows_stay_until_new_ones_are_there(scan: Scan, tmp_path: Path) -> None:
    for number in (0, 2):
        picture(tmp_path / "in" / f"{number}.jpg", number)
    (tmp_path / "list.txt").write_text("in/0.jpg\nin/1.jpg\nin/2.jpg\n")
    command = ["list.txt", "-o", "r.jsonl", "-o", "r.csv", "--resume"]
    assert scan(*command).returncode == 1
    rows = (tmp_path / "r.jsonl").read_bytes()
    picture(tmp_path / "in" / "1.jpg", 1)
    scan(*command, at=(CLOSING_JOURNAL, 1))
    assert (tmp_path / "r.jsonl").read_bytes() == rows
    result = scan(*command)
    assert result.returncode == 0, result.stderr
    assert paths(tmp_path / "r.jsonl") == ["in/0.jpg", "in/1.jpg", "in/2.jpg"]
    assert len(list(csv.DictReader((tmp_path / "r.csv").open()))) == 3


def test_a_picture_of_timelines_has_those_of_earlier_rows(scan: Scan, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    frames = [Image.new("RGB", (64, 64), (shade, 40, 40)) for shade in (0, 90, 180)]
    for name in ("a.gif", "b.gif"):
        frames[0].save(tmp_path / "in" / name, save_all=True, append_images=frames[1:])
        command = ["in", "-o", "r.jsonl", "-o", "r.png", "--frames", "3", "--resume"]
        assert scan(*command).returncode == 0
    assert paths(tmp_path / "r.jsonl") == ["in/a.gif", "in/b.gif"]
    both = Image.open(tmp_path / "r.png").height
    assert scan(*command).returncode == 0
    assert Image.open(tmp_path / "r.png").height == both
    (tmp_path / "r.png").unlink()
    assert scan("in/a.gif", "-o", "s.jsonl", "-o", "r.png", "--frames", "3").returncode == 0
    assert Image.open(tmp_path / "r.png").height < both
