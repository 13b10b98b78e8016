"""Any frozen record from YAML: mistakes told together, each with its line; changes by ``--set``.

Recipes and the pipeline's configuration are read by this.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from authentiscan.core import bounded_yaml
from authentiscan.core.errors import RecipeError
from authentiscan.core.records import mistake
from authentiscan.core.types import JsonObject

Place: TypeAlias = tuple[str | int, ...]
"""Where a value stands in a file: ("phases", 0, "lr")."""

Record = TypeVar("Record", bound=BaseModel)

Check: TypeAlias = Callable[[Record], Iterable[tuple[Place, str]]]
"""Mistakes that only the whole record shows, each with the place it is told for."""


@dataclass(frozen=True)
class Change:
    """A value put in place of a file's own: ``key`` is dotted, ``origin`` what messages call it."""

    key: str
    value: object
    origin: str

    @classmethod
    def parse(cls, text: str) -> Change:
        """Read ``optimizer.lr=1e-4``, the value as YAML. Raises RecipeError."""
        key, equals, value = text.partition("=")
        origin = f"--set {text}"
        if not equals or not all(key.strip().split(".")):
            raise RecipeError(f"{origin}: expected key=value such as optimizer.lr=1e-4")
        try:
            return cls(key.strip(), bounded_yaml.parse(value)[1], origin)
        except RecipeError as error:
            raise RecipeError(f"{origin}: the value is {error}") from error


@dataclass
class _Document:
    """The plain values of a file, where each stood, and mistakes found while reading."""

    name: str
    whole: str
    values: JsonObject
    lines: dict[Place, int]
    mistakes: list[tuple[int, str]] = field(default_factory=list)


def read_text(path: Path, what: str) -> str:
    """The text of a settings file; RecipeError where it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(bounded_yaml.MOST_BYTES + 1).decode("utf-8")
    except OSError as error:
        raise RecipeError(f"cannot read the {what} {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise RecipeError(f"cannot read the {what} {path}: it is no UTF-8 text") from error


def parse_settings(
    kind: type[Record],
    text: str,
    *,
    what: str,
    name: str,
    changes: Sequence[str | Change] = (),
    check: Check[Record] | None = None,
) -> Record:
    """A ``kind`` from YAML ``text`` with ``changes`` such as ``optimizer.lr=1e-4`` applied.

    what, name: how messages call such a file, and this one. Values of changes go through the same
    validation. Raises RecipeError that lists every mistake, each with its line or the change it
    came from.
    """
    document = _read(text, what, name)
    origins: dict[Place, str] = {}
    wrong = [f"{name}, line {line}: {message}" for line, message in document.mistakes]
    for given in changes:
        try:
            change = Change.parse(given) if isinstance(given, str) else given
            origins[_apply(document.values, change)] = change.origin
        except RecipeError as error:
            wrong.append(str(error))
    record = None
    try:
        record = kind.model_validate(document.values)
    except ValidationError as error:
        wrong += [
            f"{_where(document, origins, e['loc'])}: {_message(kind, e)}"
            for e in _ordered(error, document)
        ]
    if record is not None and check is not None:
        wrong += [
            f"{_where(document, origins, place)}: {message}" for place, message in check(record)
        ]
    if wrong or record is None:
        count = "1 mistake" if len(wrong) == 1 else f"{len(wrong)} mistakes"
        raise RecipeError(
            f"{count} in the {what} {name}:\n" + "\n".join(f"  {line}" for line in wrong)
        )
    return record


def dump_settings(record: BaseModel) -> str:
    """The whole record as YAML that `parse_settings` reads back to an equal one."""
    return yaml.safe_dump(record.model_dump(mode="json"), sort_keys=False, width=100)


def _read(text: str, what: str, name: str) -> _Document:
    try:
        node, values = bounded_yaml.parse(text)
    except RecipeError as error:
        link = ", " if str(error).startswith("line ") else ": "
        raise RecipeError(f"{name}{link}{error}") from error
    if not isinstance(values, dict) or node is None:
        raise RecipeError(f"{name}: a {what} is a mapping of keys to values, got {_shown(values)}")
    document = _Document(name, f"the {what}", values, {(): 1})
    _collect(node, (), document)
    return document


def _shown(values: object) -> str:
    if values is None or isinstance(values, dict):
        return "nothing"
    return "a list" if isinstance(values, list) else f"the one value {str(values)[:50]!r}"


def _collect(node: yaml.Node, place: Place, document: _Document) -> None:
    """Note the line of every value."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                document.mistakes.append((line, "a key is a word, not a list or mapping"))
                continue
            document.lines[(*place, key.value)] = line
            _collect(value, (*place, key.value), document)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            document.lines[(*place, index)] = value.start_mark.line + 1
            _collect(value, (*place, index), document)


def _apply(values: JsonObject, change: Change) -> Place:
    """Put a change into nested values; returns where."""
    steps = change.key.split(".")
    at: object = values
    place: Place = ()
    for depth, step in enumerate(steps):
        at, place = _step(at, step, place, change, last=depth == len(steps) - 1)
    return place


def _step(
    at: object, step: str, place: Place, change: Change, *, last: bool
) -> tuple[object, Place]:
    if isinstance(at, list):
        if not step.isdigit() or int(step) >= len(at):
            raise RecipeError(
                f"{change.origin}: {'.'.join(map(str, place))} is a list of {len(at)}; "
                f"say which one with a number from 0, got {step!r}"
            )
        index = int(step)
        if last:
            at[index] = change.value
        return at[index], (*place, index)
    if not isinstance(at, dict):
        raise RecipeError(f"{change.origin}: {'.'.join(map(str, place))} holds no further keys")
    if last:
        at[step] = change.value
    elif not isinstance(at.get(step), dict | list):
        at[step] = {}
    return at[step], (*place, step)


def _ordered(error: ValidationError, document: _Document) -> list[ErrorDetails]:
    """The mistakes by line; without "too short" for lists whose every item was refused already."""
    found = error.errors()
    inner = {e["loc"][:depth] for e in found for depth in range(len(e["loc"]))}
    kept = [e for e in found if not (e["type"] == "too_short" and e["loc"] in inner)]
    return sorted(kept, key=lambda e: _line(document, e["loc"]))


def _line(document: _Document, place: Place) -> int:
    """The line of the value, or of the nearest enclosing one that the file has."""
    while place not in document.lines:
        place = place[:-1]
    return document.lines[place]


def _where(document: _Document, origins: Mapping[Place, str], place: Place) -> str:
    for length in range(len(place), 0, -1):
        if place[:length] in origins:
            return origins[place[:length]]
    dotted = ".".join(str(step) for step in place) or document.whole
    return f"{document.name}, line {_line(document, place)}: {dotted}"


def _message(kind: type[BaseModel], error: ErrorDetails) -> str:
    place: Place = error["loc"]
    if error["type"] == "extra_forbidden":
        known = list(_fields_at(kind, place[:-1]))
        near = difflib.get_close_matches(str(place[-1]), known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
        return f"unknown key; {hint}"
    if error["type"] == "missing":
        return "is missing"
    text = mistake(error)
    given = error.get("input")
    if error["type"] != "value_error" and not isinstance(given, dict | list | BaseModel):
        text += f", got {given!r}"
    return text


def _fields_at(kind: type[BaseModel], place: Place) -> Iterator[str]:
    """Names of the fields of the record at ``place`` below a ``kind``.

    Steps that are no field are places in a list or names in a mapping: what they lead to has the
    type that was found before.
    """
    record = kind
    for step in place:
        if step not in record.model_fields:
            continue
        inner = _types(record.model_fields[str(step)].annotation)
        found = next((t for t in inner if isinstance(t, type) and issubclass(t, BaseModel)), None)
        if found is None:
            return
        record = found
    yield from record.model_fields


def _types(kind: object) -> Iterator[object]:
    yield kind
    for part in getattr(kind, "__args__", ()):
        yield from _types(part)
