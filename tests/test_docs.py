"""The documents are true and readable: commands, Python, links, short sentences."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
import typer

from authentiscan.cli import app

ROOT = Path(__file__).resolve().parent.parent
GUIDES = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "recipes/*.md", "examples/*.md", "src/**/README.md")
    for path in ROOT.glob(pattern)
    if "detectors" not in path.parts  # the model card is written by the program
)
NAMES = [str(path.relative_to(ROOT)) for path in GUIDES]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def _text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def _commands(text: str) -> list[str]:
    fences = re.findall(r"^```(\w*)\n(.*?)^```", text, flags=re.S | re.M)
    blocks = [block for language, block in fences if language in ("", "bash", "sh")]
    lines = [re.sub(r"\\\n\s*", " ", block).splitlines() for block in blocks]
    plain = [line.split(" #")[0].strip() for block in lines for line in block]
    return [
        line[line.index("authentiscan ") :]
        for line in plain
        if re.search(r"(?:^|[|] |do |&& )authentiscan ", line)
        and "…" not in line
        and "..." not in line
    ]


COMMANDS = sorted({(name, line) for name in NAMES for line in _commands(_text(name))})


def test_the_documents_name_commands() -> None:
    assert len([line for name, line in COMMANDS if name == "README.md"]) > 10
    assert len(COMMANDS) > 40


@pytest.mark.parametrize(("name", "line"), COMMANDS)
def test_commands_and_options_exist(name: str, line: str) -> None:
    words = shlex.split(re.split(r"[|>;&]", line)[0])[1:]
    command: click.Command = typer.main.get_command(app)
    while (isinstance(command, click.Group) or hasattr(command, "commands")) and words:
        if words[0].startswith("-"):
            break
        word = words.pop(0)
        assert word in command.commands, f"{name}: no command {word!r}"
        command = command.commands[word]
    known = {option for parameter in command.params for option in parameter.opts}
    hidden = {
        option
        for parameter in command.params
        if getattr(parameter, "hidden", False)
        for option in parameter.opts
    }
    used = {word.split("=")[0] for word in words if re.match(r"--?[a-z]", word)}
    assert used <= known | {"--help", "--version"}, f"unknown options {used - known}"
    assert not used & hidden, f"old spellings {used & hidden}"


def test_python_of_the_readme_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    (code,) = re.findall(r"```python\n(.*?)```", README, flags=re.S)
    exec(compile(code, "README.md", "exec"), {})
    verdict, score = capsys.readouterr().out.splitlines()
    assert verdict.split()[0] in ("real", "generated", "inconclusive")
    assert 0 <= float(score) <= 1


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name: str) -> None:
    links = {link for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", _text(name)) if link}
    missing = [link for link in sorted(links) if not ((ROOT / name).parent / link).exists()]
    assert missing == []


def _sentences(text: str) -> list[str]:
    text = re.sub(r"```.*?```", "", text, flags=re.S)
    paragraphs = [p for p in re.split(r"\n\s*\n", text) if not p.lstrip().startswith("|")]
    items = [i for p in paragraphs for i in re.split(r"\n(?=\s*(?:[-*]|\d+\.) )", p)]
    return [s for i in items for s in re.split(r"(?<=[.!?:;])\s+", re.sub(r"\s+", " ", i))]


@pytest.mark.parametrize("name", NAMES)
def test_sentences_are_short_and_lines_fit(name: str) -> None:
    long = [s for s in _sentences(_text(name)) if len(s.split()) > 30]
    assert long == []
    wide = [
        line
        for line in re.sub(r"```.*?```", "", _text(name), flags=re.S).splitlines()
        if len(line) > 120 and "|" not in line and "](" not in line
    ]
    assert wide == []
