"""`authentiscan provenance`, run as users run it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin
from typer import Typer
from typer.testing import CliRunner

from authentiscan.cli.provenance import provenance
from authentiscan.core.errors import UsageError

app = Typer()
app.command()(provenance)
runner = CliRunner()


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    info = PngImagePlugin.PngInfo()
    info.add_text("Software", "NovelAI")
    path = tmp_path / "a.png"
    Image.new("RGB", (32, 32), "red").save(path, pnginfo=info)
    return path


def test_text_names_claim_and_weight(picture: Path) -> None:
    result = runner.invoke(app, [str(picture)])
    assert result.exit_code == 0
    assert "PNG; C2PA absent" in result.stdout
    assert "claims: ai generated; unsigned, certain" in result.stdout


def test_json_is_one_object_a_line_and_errors_go_on(picture: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty.png"
    empty.touch()
    result = runner.invoke(app, ["--json", str(picture), str(empty), str(tmp_path / "no.png")])
    first, second, third = (json.loads(line) for line in result.stdout.splitlines())
    assert result.exit_code == 1
    assert (first["claim"], first["error"]) == ("ai_generated", None)
    assert "empty" in second["error"]
    assert "does not exist" in third["error"]


def test_a_bare_file_is_said_to_tell_nothing(tmp_path: Path) -> None:
    path = tmp_path / "b.jpg"
    Image.new("RGB", (16, 16)).save(path)
    assert "no evidence" in runner.invoke(app, [str(path)]).stdout


def test_help_teaches(picture: Path) -> None:
    shown = runner.invoke(app, ["--help"]).stdout
    assert "untrusted" in shown
    assert "Example" in shown


def test_wrong_trust_list_is_one_line_on_stderr(picture: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "x.pem"
    wrong.write_text("nothing")
    code = (
        "import sys, typer; from authentiscan.core.errors import UsageError\n"
        "from authentiscan.cli.provenance import provenance\n"
        "from pathlib import Path\n"
        f"try: provenance([Path({str(picture)!r})], trust_list=Path({str(wrong)!r}))\n"
        "except UsageError as error: print(error); sys.exit(error.exit_code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "holds no certificate" in done.stdout


def test_folders_archives_lists_and_globs_are_read_as_scan_reads_them(
    picture: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    picture.rename(folder / "a.png_large")
    (folder / "notes.md").write_text("words")
    (folder / os.fsdecode(b"caf\xe9.png")).symlink_to("/nowhere")
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.write(folder / "a.png_large", "deep/b.png")
    (tmp_path / "list.txt").write_text("in\nx.zip\n")
    named = [str(tmp_path / "list.txt")]
    for paths in (named, [str(folder), str(tmp_path / "x.zip")]):
        result = runner.invoke(app, ["--json", *paths])
        assert result.exit_code == 1
        rows = [json.loads(line) for line in result.stdout.splitlines()]
        assert [Path(row["path"]).name for row in rows] == ["a.png_large", r"caf\xe9.png", "b.png"]
        assert [row.get("claim") for row in rows] == ["ai_generated", None, "ai_generated"]
        assert "left out 1: a text file 1" in result.stderr


def test_nothing_to_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("words")
    result = runner.invoke(app, [str(tmp_path)])
    assert isinstance(result.exception, UsageError)
    assert "left out 1: a text file 1" in str(result.exception)
