"""One name for one thing in every command: help, outputs, workers, loudness, old spellings."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from authentiscan.cli import app
from authentiscan.cli.options import OLD_SPELLINGS


def _commands(command: Any = None, name: str = "") -> Iterator[tuple[str, Any]]:
    command = command or typer.main.get_command(app)
    for key, inner in getattr(command, "commands", {}).items():
        yield from _commands(inner, f"{name} {key}".strip())
    if not hasattr(command, "commands"):
        yield name, command


COMMANDS = dict(_commands())
NAMES = sorted(COMMANDS)


def _options(name: str) -> dict[str, Any]:
    return {
        option: parameter
        for parameter in COMMANDS[name].params
        for option in (*parameter.opts, *parameter.secondary_opts)
        if option.startswith("-")
    }


def test_there_are_commands() -> None:
    assert {"scan", "explain", "evaluate", "data organize", "runs compare", "doctor"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_help_ends_with_examples_that_can_be_typed(name: str) -> None:
    told = COMMANDS[name].epilog
    assert told is not None, "no examples"
    assert told.startswith("Examples:")
    lines = [line.removeprefix("$ ").replace("\\[", "[") for line in told.splitlines()[1:]]
    assert any(line.startswith(f"authentiscan {name}") or f"| authentiscan {name}" in line
               for line in lines), lines  # fmt: skip
    for line in lines:
        words = shlex.split(line[line.index("authentiscan") :])[1:]
        there = name if words[: len(name.split())] == name.split() else _command_of(words)
        used = {w.partition("=")[0] for w in words if re.match(r"--?[a-z]", w)}
        assert used <= set(_options(there)), line


def _command_of(words: list[str]) -> str:
    return next(n for n in (" ".join(words[:2]), words[0]) if n in COMMANDS)


@pytest.mark.parametrize("name", NAMES)
def test_help_is_shown_whole_and_without_old_spellings(name: str) -> None:
    shown = CliRunner().invoke(app, [*name.split(), "--help"], env={"COLUMNS": "120"})
    assert shown.exit_code == 0
    assert "Examples:" in shown.stdout
    assert "$ authentiscan" in shown.stdout
    for old in OLD_SPELLINGS:
        assert not re.search(rf"{old}\b", shown.stdout), old


@pytest.mark.parametrize("name", NAMES)
def test_every_command_can_be_quiet_or_say_more(name: str) -> None:
    options = _options(name)
    assert options["-q"] is options["--quiet"]
    assert options["-v"] is options["--verbose"]


@pytest.mark.parametrize("name", NAMES)
def test_an_output_is_output_or_o(name: str) -> None:
    options = _options(name)
    assert ("--output" in options) == ("-o" in options)
    if "-o" in options:
        assert options["-o"] is options["--output"]
    for option, parameter in options.items():
        told = (parameter.help or "").lower()
        if option not in ("--output", "-o", "--fix", "--matched", "--record"):
            assert not told.startswith(("write ", "folder for", "file to write")), option


@pytest.mark.parametrize("name", NAMES)
def test_parallel_work_is_workers_or_w(name: str) -> None:
    options = _options(name)
    assert not {"--processes", "--threads", "--jobs", "-j"} & set(options)
    assert ("--workers" in options) == ("-w" in options)
    if "-w" in options:
        assert options["-w"] is options["--workers"]
        assert "--threads" in COMMANDS[name].old


@pytest.mark.parametrize("name", NAMES)
def test_json_means_json_on_standard_output(name: str) -> None:
    parameter = _options(name).get("--json")
    assert parameter is None or "JSON" in parameter.help


@pytest.mark.parametrize("name", NAMES)
def test_a_detector_is_called_detector(name: str) -> None:
    parameter = _options(name).get("--model")
    assert parameter is None or parameter.metavar == "DETECTOR"
    for parameter in COMMANDS[name].params:
        assert parameter.name not in ("bundle", "bundles"), "the argument is DETECTOR"


@pytest.mark.parametrize(
    ("line", "old", "new"),
    [
        ("explain", "--save", "--output"),
        ("explain", "--threads", "--workers"),
        ("scan", "--html", "--output"),
        ("scan", "--parquet", "--output"),
        ("ensemble", "--out", "--output"),
        ("data organize", "--out", "--output"),
        ("data organize", "--processes", "--workers"),
        ("data select", "--out", "--output"),
        ("data verify", "--html", "--output"),
        ("data audit", "--html", "--output"),
        ("data audit", "--plot", "--output"),
        ("explain-compare", "--threads", "--workers"),
    ],
)
def test_released_spellings_are_read_as_todays(line: str, old: str, new: str) -> None:
    assert COMMANDS[line].old[old] == new


def test_an_old_spelling_does_the_same(tmp_path: Path, photos: Any, tiny_bundle: Path) -> None:
    from PIL import Image

    Image.fromarray(photos["chelsea"]).save(tmp_path / "a.png")
    base = ["explain", str(tmp_path / "a.png"), "-m", str(tiny_bundle)]
    written = []
    for name, way in enumerate((["-o"], ["--save"], ["--output"])):
        place = tmp_path / f"{name}.png"
        result = CliRunner().invoke(app, [*base, *way, str(place)])
        assert result.exit_code == 0, result.output
        written.append(place.read_bytes())
    place = tmp_path / "with-equals.png"
    assert CliRunner().invoke(app, [*base, f"--save={place}"]).exit_code == 0
    assert {*written, place.read_bytes()} == {written[0]}


def test_an_old_spelling_after_two_dashes_is_a_name(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["scan", "--json", "--", "--html"])
    assert "--html" in str(result.exception) + result.output


def test_quiet_and_verbose_exclude_each_other() -> None:
    result = CliRunner().invoke(app, ["doctor", "-q", "-v"])
    assert "exclude each other" in str(result.exception)


def test_every_command_finds_a_run_by_name(
    tmp_path: Path, tiny_bundle: Path, photos: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import Image

    shutil.copytree(tiny_bundle, tmp_path / "runs" / "mine" / "bundle")
    Image.fromarray(photos["chelsea"][:100, :100]).save(tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)
    for line in (
        "scan a.png --json -m mine", "explain a.png -m runs/mine", "doctor -m mine",
        "models info mine", "models info runs/mine/bundle",
    ):  # fmt: skip
        result = CliRunner().invoke(app, shlex.split(line))
        assert result.exit_code == 0, (line, result.output, result.exception)


@pytest.mark.parametrize(
    "line",
    [
        "scan a.png -m none", "explain a.png -m none", "models info none", "export none",
        "evaluate none --data x.parquet", "calibrate none --data x.parquet",
        "robustness none --data x.parquet", "ensemble none none -o out --data x.parquet",
        "explain-compare -m none -d x.parquet -o out",
    ],
)  # fmt: skip
def test_a_missing_detector_is_named_and_ends_with_2(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    error = CliRunner().invoke(app, shlex.split(line)).exception
    assert getattr(error, "exit_code", None) == 2, error
