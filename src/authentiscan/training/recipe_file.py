"""Recipes from YAML: shipped ones by name, changes to them, mistakes with their lines."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from contextlib import suppress
from importlib import resources
from pathlib import Path

from authentiscan.core.errors import RecipeError
from authentiscan.training.recipe import Recipe
from authentiscan.training.settings_file import Change, dump_settings, parse_settings, read_text


def shipped() -> dict[str, Path]:
    """Name and file of every recipe that comes with the package, in alphabetical order."""
    folder = Path(str(resources.files("authentiscan"))) / "training" / "recipes"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def recipe_path(recipe: str | Path) -> Path:
    """The file of a recipe given as a path or as the name of a shipped one. Raises RecipeError."""
    path = Path(recipe)
    with suppress(OSError):  # a name that no file system takes is none of a file
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


def load_recipe(recipe: str | Path, changes: Sequence[str | Change] = ()) -> Recipe:
    """Read a recipe by path or shipped name and apply ``changes`` such as ``optimizer.lr=1e-4``.

    Values of changes are read as YAML and go through the same validation. Raises RecipeError that
    lists every mistake, each with its line in the file or the change it came from.
    """
    path = recipe_path(recipe)
    return parse_recipe(read_text(path, "recipe"), path.name, changes)


def parse_recipe(text: str, name: str = "recipe", changes: Sequence[str | Change] = ()) -> Recipe:
    """Same as `load_recipe` for YAML ``text``; ``name`` is what messages call it."""
    return parse_settings(Recipe, text, what="recipe", name=name, changes=changes)


def dump_recipe(recipe: Recipe) -> str:
    """The whole recipe as YAML that `parse_recipe` reads back to an equal one."""
    return dump_settings(recipe)
