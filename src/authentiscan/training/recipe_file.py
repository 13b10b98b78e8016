"""Recipes from YAML: shipped ones by name, changes to them, mistakes with their lines."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, TypeAlias

import yaml
from pydantic import BaseModel, ValidationError

from authentiscan.core.errors import RecipeError
from authentiscan.training.recipe import Recipe

Place: TypeAlias = tuple[str | int, ...]
"""Where a value stands in a recipe: ("phases", 0, "lr")."""

_FOLDER = "authentiscan.training.recipes"


@dataclass
class _Document:
    """The plain values of a recipe file, where each stood, and mistakes found while reading."""

    name: str
    values: dict[str, Any]
    lines: dict[Place, int]
    mistakes: list[tuple[int, str]] = field(default_factory=list)


def shipped() -> dict[str, Path]:
    """Name and file of every recipe that comes with the package, in alphabetical order."""
    folder = Path(str(resources.files("authentiscan"))) / "training" / "recipes"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def recipe_path(recipe: str | Path) -> Path:
    """The file of a recipe given as a path or as the name of a shipped one. Raises RecipeError."""
    path = Path(recipe)
    if path.is_file():
        return path
    known = shipped()
    name = str(recipe).removeprefix("authentiscan/").removesuffix(".yaml")
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise RecipeError(
        f"no recipe {str(recipe)!r}: neither a file nor a shipped recipe; {hint}"
        f"shipped are {', '.join(known)}"
    )


def load_recipe(recipe: str | Path, changes: Sequence[str] = ()) -> Recipe:
    """Read a recipe by path or shipped name and apply ``changes`` such as ``optimizer.lr=1e-4``.

    Values of changes are read as YAML and go through the same validation. Raises RecipeError that
    lists every mistake, each with its line in the file or the change it came from.
    """
    path = recipe_path(recipe)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"cannot read the recipe {path}: {error}") from error
    return parse_recipe(text, path.name, changes)


def parse_recipe(text: str, name: str = "recipe", changes: Sequence[str] = ()) -> Recipe:
    """Same as `load_recipe` for YAML ``text``; ``name`` is what messages call it."""
    document = _read(text, name)
    origins: dict[Place, str] = {}
    told = [f"{name}, line {line}: {message}" for line, message in document.mistakes]
    for change in changes:
        try:
            origins[_apply(document.values, change)] = change
        except RecipeError as error:
            told.append(str(error))
    try:
        recipe = Recipe.model_validate(document.values)
    except ValidationError as error:
        told += [
            f"{_where(document, origins, e['loc'])}: {_message(e)}"
            for e in _ordered(error, document)
        ]
    if told:
        count = "1 mistake" if len(told) == 1 else f"{len(told)} mistakes"
        raise RecipeError(
            f"{count} in the recipe {name}:\n" + "\n".join(f"  {line}" for line in told)
        )
    return recipe


def dump_recipe(recipe: Recipe) -> str:
    """The whole recipe as YAML that `parse_recipe` reads back to an equal one."""
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, width=100)


def _read(text: str, name: str) -> _Document:
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error)
        raise RecipeError(f"{name}{line}: not readable as YAML: {problem}") from error
    if not isinstance(values, dict) or node is None:
        raise RecipeError(
            f"{name}: a recipe is a mapping of keys to values, got {type(values).__name__}"
        )
    document = _Document(name, values, {(): 1})
    _collect(node, (), document)
    return document


def _collect(node: yaml.Node, place: Place, document: _Document) -> None:
    """Note the line of every value, and keys that stand twice (YAML silently keeps the last)."""
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.value in seen:
                document.mistakes.append(
                    (line, f"{key.value!r} stands twice, first in line {seen[key.value]}")
                )
            seen[key.value] = line
            document.lines[(*place, key.value)] = line
            _collect(value, (*place, key.value), document)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            document.lines[(*place, index)] = value.start_mark.line + 1
            _collect(value, (*place, index), document)


def _apply(values: dict[str, Any], change: str) -> Place:
    """Put ``a.b.0.c=value`` into nested values; returns where."""
    key, equals, text = change.partition("=")
    steps = key.strip().split(".")
    if not equals or not all(steps):
        raise RecipeError(f"--set {change}: expected key=value such as optimizer.lr=1e-4")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise RecipeError(f"--set {change}: the value is not readable as YAML") from error
    at: Any = values
    place: Place = ()
    for depth, step in enumerate(steps):
        last = depth == len(steps) - 1
        at, place = _step(at, step, place, change, value if last else None, last=last)
    return place


def _step(
    at: Any, step: str, place: Place, change: str, value: Any, *, last: bool
) -> tuple[Any, Place]:
    if isinstance(at, list):
        if not step.isdigit() or int(step) >= len(at):
            raise RecipeError(
                f"--set {change}: {'.'.join(map(str, place))} is a list of {len(at)}; "
                f"say which one with a number from 0, got {step!r}"
            )
        index = int(step)
        if last:
            at[index] = value
        return at[index], (*place, index)
    if not isinstance(at, dict):
        raise RecipeError(f"--set {change}: {'.'.join(map(str, place))} holds no further keys")
    if last:
        at[step] = value
    elif not isinstance(at.get(step), dict | list):
        at[step] = {}
    return at[step], (*place, step)


def _ordered(error: ValidationError, document: _Document) -> list[Any]:
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
            return f"--set {origins[place[:length]]}"
    dotted = ".".join(str(step) for step in place) or "the recipe"
    return f"{document.name}, line {_line(document, place)}: {dotted}"


def _message(error: Mapping[str, Any]) -> str:
    place: Place = error["loc"]
    if error["type"] == "extra_forbidden":
        known = list(_fields_at(place[:-1]))
        near = difflib.get_close_matches(str(place[-1]), known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
        return f"unknown key; {hint}"
    if error["type"] == "missing":
        return "is missing"
    text = str(error["msg"]).removeprefix("Value error, ")
    text = text[0].lower() + text[1:]
    given = error.get("input")
    if error["type"] != "value_error" and not isinstance(given, dict | list | BaseModel):
        text += f", got {given!r}"
    return text


def _fields_at(place: Place) -> Iterator[str]:
    """Names of the fields of the record at ``place``."""
    record: Any = Recipe
    for step in place:
        if isinstance(step, int):
            continue
        kind = record.model_fields[step].annotation if step in record.model_fields else None
        record = next(
            (t for t in _types(kind) if isinstance(t, type) and issubclass(t, BaseModel)), None
        )
        if record is None:
            return
    yield from record.model_fields


def _types(kind: Any) -> Iterator[Any]:
    yield kind
    for part in getattr(kind, "__args__", ()):
        yield from _types(part)
