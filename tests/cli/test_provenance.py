"""`authentiscan provenance`, run as users run it."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, PngImagePlugin
from typer import Typer
from typer.testing import CliRunner

from authentiscan.cli.provenance import provenance
from authentiscan.core.errors import UsageError
from authentiscan.provenance import Provenance, TrustList, inspect
from authentiscan.scan.claims import COLUMNS

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


def test_rows_go_into_files_of_every_form(
    picture: Path, tmp_path: Path, read_page: Callable[[str], Any]
) -> None:
    Image.new("RGB", (16, 16)).save(tmp_path / "=cmd.jpg")
    (tmp_path / "empty.png").touch()
    names = [str(tmp_path / f"out.{ending}") for ending in ("jsonl", "csv", "html")]
    outputs = [word for name in names for word in ("-o", name)]
    result = runner.invoke(
        app, [str(picture), str(tmp_path / "=cmd.jpg"), str(tmp_path / "empty.png"), *outputs]
    )
    assert result.exit_code == 1, "one could not be read"
    lines = Path(names[0]).read_text().splitlines()
    assert [json.loads(line)["error"] is None for line in lines] == [True, True, False]
    rows = list(csv.DictReader(Path(names[1]).read_text().splitlines()))
    assert [row["claim"] for row in rows] == ["ai_generated", "none", ""]
    assert "NovelAI" in rows[0]["findings"]
    assert "empty" in rows[2]["error"]
    page = read_page(Path(names[2]).read_text())
    assert "What 3 files say of their origin" in page.text
    assert page.text.index("a.png") < page.text.index("empty.png") < page.text.index("=cmd.jpg")
    assert runner.invoke(app, [str(picture), *outputs]).exit_code == 0, "ours are replaced"
    Path(names[1]).write_text("somebody else's")
    again = runner.invoke(app, [str(picture), "-o", names[1]])
    assert "add --force to replace it" in str(again.exception)


def test_csv_on_standard_output_and_nothing_else(picture: Path) -> None:
    result = runner.invoke(app, [str(picture), "--csv"])
    head, row = csv.reader(result.stdout.splitlines())
    assert head == list(COLUMNS)
    assert row[:4] == [str(picture), "PNG", "absent", "ai_generated"]


@pytest.mark.parametrize(
    ("options", "words"),
    [(["--csv", "--json"], "use -o FILE"), (["-o", "x.pdf"], "end it in .jsonl, .csv, .html")],
)
def test_what_cannot_work_is_told(picture: Path, options: list[str], words: str) -> None:
    assert words in str(runner.invoke(app, [str(picture), *options]).exception)


def test_an_interrupted_run_leaves_what_it_has_read(
    picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = [picture, tmp_path / "b.png", tmp_path / "c.png"]
    for path in given[1:]:
        path.write_bytes(picture.read_bytes())
    asked: list[bytes] = []

    def interrupted(data: bytes, trust: TrustList) -> Provenance:
        asked.append(data)
        if len(asked) % 3 == 0:
            raise KeyboardInterrupt
        return inspect(data, trust)

    monkeypatch.setattr("authentiscan.provenance.inspect", interrupted)
    for name in ("r.jsonl", "r.csv"):
        result = runner.invoke(app, [*map(str, given), "-o", str(tmp_path / name)])
        assert result.exit_code != 0
        text = (tmp_path / name).read_text(encoding="utf-8")
        assert "b.png" in text
        assert "c.png" not in text


@pytest.mark.parametrize(
    "command", [["provenance", "--csv"], ["provenance"], ["explain", "--json", "-m"],
                ["explain", "--csv", "-m"]],
)  # fmt: skip
def test_rows_do_not_wait_for_the_next_path(
    command: list[str], picture: Path, tiny_bundle: Path
) -> None:
    words = [*command, str(tiny_bundle)] if command[-1] == "-m" else command
    program = [sys.executable, "-m", "authentiscan", words[0], "-", *words[1:]]
    with subprocess.Popen(
        program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{picture}\n".encode())
        told = b""
        while b"a.png" not in told:  # pytest's own limit of time ends it where nothing comes
            told += process.stdout.read(1)
        process.stdin.close()
        assert process.wait(120) == 0
