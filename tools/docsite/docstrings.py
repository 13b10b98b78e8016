"""How this project's docstrings become Markdown: plain prose, a line for each argument, examples.

Griffe loads this file as an extension (mkdocs.yml) and hands every documented object to it.
"""

from __future__ import annotations

import ast
import re
from typing import Any

from griffe import Extension, Object

# `scores: (N,) float, in [0, 1]` begins a line for an argument, a field or a result.
_FIELD = re.compile(r"^([A-Za-z_]\w*(?:(?:, | and )[A-Za-z_]\w*)*): (?=\S)")
_CODE = (ast.Import, ast.ImportFrom, ast.With, ast.AsyncWith, ast.Assign, ast.For)


class Docstrings(Extension):
    """Rewrite each docstring once, when its object is read."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Called for modules, classes, functions and attributes."""
        if obj.docstring is not None:
            obj.docstring.value = markdown(obj.docstring.value)


def markdown(text: str) -> str:
    """``text`` with its lists of fields and its examples marked as such."""
    parts, code = [], list[str]()
    for paragraph in re.split(r"\n\s*\n", text):
        if _is_code("\n\n".join([*code, paragraph])):
            code.append(paragraph)
            continue
        parts += [_fence(code)] if code else []
        code = []
        parts.append(_fields(paragraph))
    return "\n\n".join([*parts, *([_fence(code)] if code else [])])


def _is_code(text: str) -> bool:
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError):
        return False
    return bool(body) and isinstance(body[0], _CODE)


def _fence(paragraphs: list[str]) -> str:
    return "\n".join(["```python", "\n\n".join(paragraphs), "```"])


def _fields(paragraph: str) -> str:
    lines = paragraph.splitlines()
    starts = [_FIELD.match(line) for line in lines]
    if not any(starts):
        return paragraph
    first = next(i for i, start in enumerate(starts) if start)
    out = [*lines[:first], *([""] if first else [])]
    for line, start in zip(lines[first:], starts[first:], strict=True):
        if start:
            names = re.sub(r"(\w+)", r"`\1`", start[1]).replace("`and`", "and")
            out.append(f"* {names}: {line[start.end() :]}")
        else:
            out.append(f"    {line.strip()}")
    return "\n".join(out)
