"""`authentiscan sheet` from the command line."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from authentiscan.cli import app


@pytest.fixture
def here(tmp_path: Path, photos: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("chelsea", "coffee"):
        Image.fromarray(photos[name]).save(tmp_path / f"{name}.jpg")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _run(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["sheet", *map(str, arguments)])


def test_the_sheet_is_named_and_stands_here(here: Path, tiny_bundle: Path) -> None:
    result = _run("coffee.jpg", "-m", tiny_bundle)
    assert result.exit_code == 0, result.output
    assert "sheet in coffee_sheet.html" in result.output
    assert "Evidence sheet: coffee" in (here / "coffee_sheet.html").read_text()


def test_several_go_into_a_folder_and_a_broken_one_is_told(here: Path, tiny_bundle: Path) -> None:
    (here / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    result = _run("chelsea.jpg", "coffee.jpg", "broken.jpg", "-o", "out", "-m", tiny_bundle)
    assert result.exit_code == 1, result.output
    assert sorted(p.name for p in (here / "out").iterdir()) == [
        "chelsea_sheet.html",
        "coffee_sheet.html",
    ]
    assert "broken.jpg: " in result.output


def test_other_endings_are_refused_before_the_work(here: Path) -> None:
    error = _run("coffee.jpg", "-o", "sheet.docx").exception
    assert "end it in .html or .pdf" in str(error)
    assert not (here / "sheet.docx").exists()


def test_a_sheet_never_replaces_its_image(here: Path, tiny_bundle: Path) -> None:
    shutil.copy("coffee.jpg", "coffee.html")
    before = (here / "coffee.html").read_bytes()
    error = _run("coffee.html", "-o", "coffee.html", "-m", tiny_bundle).exception
    assert "is also an input" in str(error)
    assert (here / "coffee.html").read_bytes() == before


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs an installed Chromium")
def test_an_ordinary_sheet_fits_two_sides(here: Path) -> None:
    result = _run("chelsea.jpg", "-o", "case.html", "--pdf")
    assert result.exit_code == 0, result.output
    content = (here / "case.pdf").read_bytes()
    assert content.startswith(b"%PDF-")
    assert 1 <= content.count(b"/Type /Page\n") <= 2
    assert (here / "case.html").is_file()
