"""What was typed wrong on the command line, in one line that looks as every other error does."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from authentiscan.core.records import mistake
from authentiscan.core.text import printable


def told(error: Any) -> str:
    """The line for an error of typer's: which option, what it takes, what came, where help is."""
    command = error.ctx.command_path if getattr(error, "ctx", None) else "authentiscan"
    what = _what(error).rstrip(".")
    return printable(f"{what}{'' if what.endswith('?') else '.'} See {command} --help")


def _what(error: Any) -> str:
    cause = error.__cause__
    if isinstance(cause, ValidationError):
        detail = cause.errors(include_url=False)[0]
        expected, wish, limit = mistake(detail).partition("input should be ")
        if wish:
            return f"{_name(error.param)} must be {limit.split(',')[0]}, got {detail['input']!r}"
        return f"{_name(error.param)}: {expected}"
    plain = str(error.format_message())
    return plain[:1].lower() + plain[1:]


def _name(parameter: Any) -> str:
    """An option's longest spelling, or an argument's name in help."""
    spellings = [word for word in parameter.opts if word.startswith("-")]
    return max(spellings, key=len, default=str(parameter.metavar or parameter.name.upper()))
