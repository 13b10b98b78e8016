"""The frame of every HTML page: one template, one style sheet, one footer."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from authentiscan.core.text import printable

_BREAKS = re.compile(r"(?<=[/\\_-])(?=[^\s/\\_.-])|(?<=[^\d.]\.)(?=\w)")
_PROGRAMS = {"authentiscan", "authentiscan.exe", "__main__.py"}


def render(template: str, **content: object) -> str:
    """The text of ``template`` filled with ``content``, every value of which is escaped."""
    return _environment().get_template(template).render(content)


def page(
    template: str, *, detector: str = "", limits: tuple[str, ...] = (), **content: object
) -> Iterator[str]:
    """A whole page in pieces, with its footer: who judged, what that cannot do, when and how made.

    Iterators in ``content`` are used up piece by piece: a page of any length needs little memory.
    """
    footer = {
        "detector": detector,
        "limits": limits,
        "made": f"{datetime.now(UTC):%Y-%m-%d %H:%M}",
        "version": version("authentiscan"),
        "command": command_line(),
    }
    return _environment().get_template(template).generate({**content, **footer})


def command_line() -> str:
    """What was typed to make this page; empty where Python code made it."""
    if Path(sys.argv[0]).name not in _PROGRAMS:
        return ""
    return printable(shlex.join(["authentiscan", *sys.argv[1:]]))


def breakable(text: object) -> Markup:
    """``text`` whose long names may break after ``/ _ - .``, but not within a word or a number."""
    return Markup("<wbr>").join(_BREAKS.split(printable(str(text))))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("authentiscan.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["breakable"] = breakable
    return environment
