"""JSON of strangers, read with bounds on its size and its nesting."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import NoReturn

MOST_BYTES = 16 * 2**20
MOST_DEPTH = 64

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_NO_BRACKET = re.compile(r"[^\[\]{}]+")


def read_json(path: Path) -> object:
    """What the JSON file at ``path`` holds.

    Raises ValueError, with a reason fit for a message, where it is larger than `MOST_BYTES`, nested
    deeper than `MOST_DEPTH`, or no JSON; OSError where it cannot be read.
    """
    with path.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ValueError(f"it is larger than {MOST_BYTES >> 20} MB")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("it is no UTF-8 text") from None
    return parse_json(text)


def parse_json(text: str) -> object:
    """As `read_json`, of ``text``. NaN and Infinity are no JSON."""
    if depth(text) > MOST_DEPTH:
        raise ValueError(f"it is nested more than {MOST_DEPTH} deep")
    try:
        return json.loads(text, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        raise ValueError(f"line {error.lineno}: {error.msg.lower()}") from None


def depth(text: str) -> int:
    """How deep the brackets of JSON ``text`` are nested, those in strings left out."""
    brackets = _NO_BRACKET.sub("", _STRING.sub("", text))
    deepest = now = 0
    for bracket in brackets:
        now += 1 if bracket in "[{" else -1
        deepest = max(deepest, now)
    return deepest


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")
