"""`authentiscan provenance`, run as users run it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin
from typer import Typer
from typer.testing import CliRunner

from authentiscan.cli.provenance import provenance

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
