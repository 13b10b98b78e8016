"""The command reference holds every command, its options, defaults and examples."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from docsite import commands

from authentiscan.cli import app

PAGES = commands.pages()


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    children = getattr(command, "commands", {})
    if not children:
        yield path, command
    for name, child in children.items():
        yield from leaves(child, (*path, name))


LEAVES = dict(leaves(typer.main.get_command(app)))


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_command_is_told_whole(path: tuple[str, ...]) -> None:
    command, page = LEAVES[path], PAGES[f"commands/{path[0]}.md"]
    anchor = f"{{ #{'-'.join(path)} }}"
    assert page.count(anchor) == 1
    section = re.split(r"^#+ ", page[page.index(anchor) :], flags=re.M)[0]
    for parameter in command.params:
        for option in parameter.opts if parameter.param_type_name == "option" else ():
            if not parameter.hidden:
                assert re.search(rf"`[^`]*{re.escape(option)}\b", section), option
    examples = [line[2:] for line in (command.epilog or "").splitlines() if line.startswith("$ ")]
    assert examples
    for example in examples:
        assert example.replace("\\[", "[") in section


def test_defaults_stand_in_their_own_column() -> None:
    rows = {
        row.split("`")[1].split(",")[0].split(" ")[0]: row.split(" | ")[-1].strip(" |")
        for row in PAGES["commands/scan.md"].splitlines()
        if row.startswith("| `")
    }
    assert rows["PATHS..."] == "**required**"
    assert rows["--engine"] == "local"
    assert rows["--frames"].startswith("16 of a video")
    assert rows["--json"] == ""
    assert "`1<=x<=1000` | 16 of a video" in PAGES["commands/scan.md"]
    assert "Or set `AUTHENTISCAN_DATA`. | data |" in PAGES["commands/data.md"]


def test_the_index_has_each_command_under_its_panel() -> None:
    index = PAGES["commands/index.md"]
    assert index.index("## Judge images") < index.index("[`scan`](scan.md)")
    assert {path[0] for path in LEAVES} == set(re.findall(r"\[`([a-z-]+)`\]\(\1\.md\)", index))


def test_named_commands_are_links() -> None:
    assert "[`authentiscan runs list`](runs.md#runs-list)" in PAGES["commands/scan.md"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("NAME=PATH or <x>_y [z]", r"NAME=PATH or \<x\>\_y \[z\]"),
        ("see `a_b|c`", r"see `a_b\|c`"),
        ("one ` alone", "one ' alone"),
    ],
)
def test_help_is_prose_not_markup(text: str, expected: str) -> None:
    assert commands.prose(text) == expected
