"""The reference of the command line, from the commands themselves: help, options, examples."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import typer

# At the end of a help text: what typer adds behind two spaces, and defaults told in words.
_FACTS = re.compile(r"(?:  |\s*\\?(?=\[default: ))\[([^\[\]]*)\]\s*$")
_SPECIAL = re.compile(r"([\\*_<>\[\]#|~])")


def pages() -> dict[str, str]:
    """Markdown of each page by its place on the site: an index, and one for every command."""
    from authentiscan.cli import app

    root = typer.main.get_command(app)
    context = typer.Context(root, info_name="authentiscan")
    commands = dict(_below(root))
    known = {f"authentiscan {' '.join(path)}" for path, _, _ in _leaves(root, context)}
    made = {"commands/index.md": _index(root, commands)}
    for name, command in commands.items():
        text = "\n".join(_page(command, typer.Context(command, context, name), 1))
        made[f"commands/{name}.md"] = _linked(text, known)
    return made


def _below(command: Any) -> Iterator[tuple[str, Any]]:
    for name, child in getattr(command, "commands", {}).items():
        if not child.hidden:
            yield name, child


def _leaves(command: Any, context: typer.Context) -> Iterator[tuple[list[str], Any, typer.Context]]:
    for name, child in _below(command):
        below = typer.Context(child, context, name)
        yield below.command_path.split()[1:], child, below
        yield from _leaves(child, below)


def _index(root: Any, commands: dict[str, Any]) -> str:
    panels: dict[str, list[str]] = {}
    for name, command in commands.items():
        row = f"| [`{name}`]({name}.md) | {prose(_summary(command))} |"
        panels.setdefault(command.rich_help_panel or "Other", []).append(row)
    lines = ["# Commands", "", prose(_plain(root.help)), ""]
    lines += ["`authentiscan COMMAND --help` prints the same in the terminal.", ""]
    for panel, rows in panels.items():
        lines += [f"## {panel}", "", "| command | what it does |", "| --- | --- |", *rows, ""]
    return "\n".join(lines)


def _page(command: Any, context: typer.Context, level: int) -> Iterator[str]:
    path = context.command_path
    yield f"{'#' * level} {path} {{ #{path.removeprefix('authentiscan ').replace(' ', '-')} }}\n"
    yield prose(_plain(command.help)) + "\n"
    children = list(_below(command))
    if children:
        for name, child in children:
            yield from _page(child, typer.Context(child, context, name), level + 1)
        return
    yield f"```text\n{' '.join([path, *command.collect_usage_pieces(context)])}\n```\n"
    examples = _plain(command.epilog or "").removeprefix("Examples:").strip()
    if examples:
        yield f"```bash\n{re.sub(r'^[$] ', '', examples, flags=re.M)}\n```\n"
    yield from _table("argument", [p for p in command.params if _is_argument(p)], context)
    yield from _table("option", [p for p in command.params if not _is_argument(p)], context)


def _table(kind: str, parameters: list[Any], context: typer.Context) -> Iterator[str]:
    rows = [_row(p, context) for p in parameters if not p.hidden]
    if rows:
        yield f"| {kind} | what it does | default |\n| --- | --- | --- |\n" + "\n".join(rows) + "\n"


def _row(parameter: Any, context: typer.Context) -> str:
    _, text = parameter.get_help_record(context)
    facts: dict[str, str] = {}
    while match := _FACTS.search(text):
        facts |= dict(fact.partition(": ")[::2] for fact in match[1].split("; "))
        text = text[: match.start()]
    text = prose(_plain(text))
    if variable := facts.pop("env var", None):
        text = f"{text} Or set {_code(variable)}."
    default = prose(_plain(facts.pop("default", "")))
    if facts.pop("required", None) is not None:
        default = "**required**"
    if facts:  # the range of a number
        text = f"{text} {_code('; '.join(facts))}"
    return f"| {_code(_spellings(parameter, context))} | {text} | {default} |"


def _spellings(parameter: Any, context: typer.Context) -> str:
    if _is_argument(parameter):
        return str(parameter.display_name_raw) + ("..." if parameter.nargs != 1 else "")
    spelled = ", ".join([*parameter.opts, *parameter.secondary_opts])
    flag = parameter.is_flag or parameter.count
    value = "" if flag else str(parameter.metavar or parameter.display_type(context) or "")
    return f"{spelled} {value}".strip()


def _is_argument(parameter: Any) -> bool:
    return bool(parameter.param_type_name == "argument")


def _summary(command: Any) -> str:
    return _plain(command.short_help or command.help).split("\n\n")[0]


def _plain(text: str) -> str:
    """Help without the escapes that rich needs."""
    return text.replace("\\[", "[").strip()


def _code(text: str) -> str:
    return "`" + text.replace("|", "\\|") + "`"


def prose(text: str) -> str:
    """Help text as Markdown: what stands in backticks stays code, nothing else is markup."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return _SPECIAL.sub(r"\\\1", text.replace("`", "'"))
    return "".join(
        _code(part) if inside else _SPECIAL.sub(r"\\\1", part)
        for part, inside in zip(parts, [False, True] * len(parts), strict=False)
    )


def _linked(text: str, known: set[str]) -> str:
    """Commands that are named in backticks lead to their own place."""

    def one(match: re.Match[str]) -> str:
        command = match[1]
        if command not in known:
            return match[0]
        words = command.removeprefix("authentiscan ").split(" ")
        return f"[`{command}`]({words[0]}.md#{'-'.join(words)})"

    return re.sub(r"`(authentiscan [a-z -]+)`", one, text)
