"""YAML of strangers, read with bounds on its size, its nesting and its aliases.

A few lines can stand for billions of values ("alias bomb"), or for themselves. Both are counted on
the document's nodes, before any value is made.
"""

from __future__ import annotations

import yaml

from authentiscan.core.errors import RecipeError

MOST_BYTES = 2**20
MOST_DEPTH = 32
MOST_VALUES = 20_000
MOST_DIGITS = 1000
_INTEGER = "tag:yaml.org,2002:int"


def parse(text: str) -> tuple[yaml.Node | None, object]:
    """The node tree of the only document in ``text``, and its plain values.

    Raises RecipeError where it is no YAML, or too large, too deep, or repeats itself without end;
    its message begins with the line where that is known.
    """
    if len(text.encode("utf-8", "surrogatepass")) > MOST_BYTES:
        raise RecipeError(f"it is larger than {MOST_BYTES >> 20} MB")
    try:
        _check_depth(text)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is not None:
            _count(node, (), {})
        return node, yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise RecipeError(f"{line}not readable as YAML: {problem}") from error
    except ValueError as error:  # such as dates that cannot be
        what = str(error).partition(";")[0].partition(":")[0]
        raise RecipeError(f"not readable as YAML: {what}") from error
    except OverflowError as error:
        raise RecipeError("not readable as YAML: an escape of no character") from error
    except (AttributeError, TypeError, KeyError) as error:  # a tag that does not fit its value
        raise RecipeError("not readable as YAML: a value is not of the kind it says") from error


def _check_depth(text: str) -> None:
    """By the parser's events, which need no recursion."""
    now = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            now += 1
            if now > MOST_DEPTH:
                raise RecipeError(f"{_line(event)}nested more than {MOST_DEPTH} deep")
        elif isinstance(event, yaml.CollectionEndEvent):
            now -= 1


def _count(node: yaml.Node, above: tuple[int, ...], known: dict[int, int]) -> int:
    """How many values ``node`` stands for, every alias counted as what it repeats."""
    if id(node) in above:
        raise RecipeError(f"{_line(node)}a value contains itself")
    if len(above) > MOST_DEPTH:
        raise RecipeError(f"{_line(node)}nested more than {MOST_DEPTH} deep")
    if id(node) not in known:
        inside = (*above, id(node))
        children: list[yaml.Node] = []
        if isinstance(node, yaml.MappingNode):
            _refuse_twice(node)
            children = [part for pair in node.value for part in pair]
        elif isinstance(node, yaml.SequenceNode):
            children = node.value
        elif len(node.value) > MOST_DIGITS and node.tag == _INTEGER:
            raise RecipeError(f"{_line(node)}a number of more than {MOST_DIGITS:,} digits")
        total = 1
        for child in children:
            total += _count(child, inside, known)
            if total > MOST_VALUES:
                raise RecipeError(f"{_line(node)}stands for more than {MOST_VALUES:,} values")
        known[id(node)] = total
    return known[id(node)]


def _refuse_twice(mapping: yaml.MappingNode) -> None:
    """Of two equal keys the first would be lost without a word."""
    seen: dict[tuple[str, str], int] = {}
    for key, _ in mapping.value:
        same = (key.tag, str(key.value)[:1000])
        if isinstance(key, yaml.ScalarNode) and same in seen:
            raise RecipeError(
                f"{_line(key)}the key {key.value[:100]!r} stands twice, first in line {seen[same]}"
            )
        seen[same] = key.start_mark.line + 1


def _line(part: yaml.Node | yaml.Event) -> str:
    return f"line {part.start_mark.line + 1}: " if part.start_mark else ""
