"""What was typed wrong is told as every other error: one line, exit code 2."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from authentiscan.cli import app

WRONG = [
    (["scan", "x", "--workers", "0"], "--workers must be greater than or equal to 1, got '0'"),
    (["scan", "x", "-w", "257"], "--workers must be less than or equal to 256, got '257'"),
    (["scan", "x", "--frames", "few"], "--frames must be a valid integer, got 'few'"),
    (["scan", "x", "--engine", "rail"], "--engine: 'rail' is not one of 'local', 'ray'"),
    (["scan", "x", "--frames"], "option '--frames' requires an argument"),
    (["scan"], "missing argument 'PATHS'"),
    (["scan", "x", "--tidy"], "no such option: --tidy"),
    (["keys", "add", "x", "--per-minute", "0"], "--per-minute must be greater than or equal to 1"),
    (["data", "selct"], "no such command 'selct'. Did you mean 'select'?"),
    (["scan", "x", "--frames", "\x1b[2J"], r"--frames must be a valid integer, got '\x1b[2J'"),
]


@pytest.mark.parametrize(("words", "told"), WRONG, ids=[" ".join(w) for w, _ in WRONG])
def test_what_was_typed_wrong_is_one_line(words: list[str], told: str) -> None:
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {told}")
    assert result.stderr.endswith("--help\n")
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


@pytest.mark.parametrize("words", [["--help"], ["data", "--help"], ["scan", "--help"]])
def test_help_is_help(words: list[str]) -> None:
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0
    assert "Usage: " in result.stdout


@pytest.mark.parametrize("words", [[], ["data"], ["keys"]])
def test_a_group_by_itself_shows_its_help(words: list[str]) -> None:
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2
    assert "Usage: " in result.output
    assert "error" not in result.stderr


def test_the_place_of_the_help_is_the_commands_own() -> None:
    result = CliRunner().invoke(app, ["data", "organize"])
    assert result.stderr.endswith(" See authentiscan data organize --help\n")
