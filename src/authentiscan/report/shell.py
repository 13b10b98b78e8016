"""The frame of every HTML page: one template, one style sheet, one footer."""

from __future__ import annotations

import base64
import hashlib
import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from authentiscan.core.text import one_line, printable
from authentiscan.report.glossary import GLOSSARY
from authentiscan.report.judges import Judge

VERSION = version("authentiscan")
_BREAKS = re.compile(r"(?<=[/\\_-])(?=[^\s/\\_.-])|(?<=[^\d.]\.)(?=\w)")
_CODE = re.compile(r"`([^`]+)`")
_FIGURES = re.compile(r"(?<=,) | (?=[%±])|(?<=±) ")
_PACKAGE = "authentiscan.report"
_PROGRAMS = {"authentiscan", "authentiscan.exe", "__main__.py"}


def render(template: str, **content: object) -> str:
    """The text of ``template`` filled with ``content``, every value of which is escaped."""
    return templates(_PACKAGE).get_template(template).render(content)


def page(
    template: str, *, judges: Sequence[Judge] = (), script: str = "", **content: object
) -> Iterator[str]:
    """A whole page in pieces, with its footer: who judged, what that cannot do, when and how made.

    Iterators in ``content`` are used up piece by piece: a page of any length needs little memory.
    script: the template that holds the page's one script. The page's policy names its checksum, so
    that no other script runs, whatever file names and metadata say.
    """
    code = render(script) if script else ""
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode("ascii")
    footer = {
        "judges": judges,
        "glossary": GLOSSARY,
        "made": f"{datetime.now(UTC):%Y-%m-%d %H:%M}",
        "version": VERSION,
        "command": command_line(),
        "script": code,
        "script_policy": f"; script-src 'sha256-{digest}'" if script else "",
    }
    return templates(_PACKAGE).get_template(template).generate({**content, **footer})


def command_line() -> str:
    """What was typed to make this page; empty where Python code made it."""
    if Path(sys.argv[0]).name not in _PROGRAMS:
        return ""
    return printable(shlex.join(["authentiscan", *sys.argv[1:]]))


def breakable(text: object) -> Markup:
    """``text`` whose long names may break after ``/ _ - .``, but not within a word or a number."""
    return Markup("<wbr>").join(_BREAKS.split(printable(str(text))))


def together(text: object) -> str:
    """``text`` in which an interval, a deviation or a per cent sign stays beside its figure."""
    return _FIGURES.sub("\u00a0", str(text))


def coded(text: object) -> Markup:
    """``text``, escaped, in which words between back quotes are set as code."""
    code, parts = Markup("<code>{}</code>"), _CODE.split(str(text))
    return Markup("").join(code.format(part) if i % 2 else part for i, part in enumerate(parts))


@cache
def templates(package: str) -> Environment:
    """The templates of ``package``: every value is escaped, a missing one is an error."""
    environment = Environment(
        loader=PackageLoader(package, "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "breakable": breakable,
        "coded": coded,
        "together": together,
        "one_line": one_line,
    }
    return environment
