"""`authentiscan recipes`: the training recipes that come with the package."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Annotated

import typer

from authentiscan.core.errors import MissingExtraError

app = typer.Typer(help="List and show the shipped training recipes.", no_args_is_help=True)


@app.command("list")
def list_recipes() -> None:
    """Print name, architecture, phases and summary of every shipped recipe.

    Train with one: authentiscan train NAME --data PATH
    """
    _need_yaml()
    from rich.console import Console
    from rich.table import Table

    from authentiscan.training.recipe_file import load_recipe, shipped

    table = Table("name", "model", "phases", "data", "what it is", box=None, pad_edge=False)
    for name in shipped():
        recipe = load_recipe(name)
        phases = " + ".join(f"{p.epochs} {p.trained}" for p in recipe.phases)
        data = ", ".join(source.name for source in recipe.data)
        table.add_row(name, recipe.model.name, phases, data, recipe.summary)
    Console(highlight=False).print(table)


@app.command("show")
def show_recipe(
    name: Annotated[str, typer.Argument(help="A shipped recipe's name, or a recipe file.")],
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", "-s", metavar="KEY=VALUE", help="Show it with this change."),
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="With every default written out, as a run records it.")
    ] = False,
) -> None:
    """Print a recipe as YAML, to read it or to start one of your own.

    Example: authentiscan recipes show truthpixel > mine.yaml
    """
    _need_yaml()
    from authentiscan.training.recipe_file import dump_recipe, load_recipe, recipe_path

    recipe = load_recipe(name, changes or ())
    if full or changes:
        typer.echo(dump_recipe(recipe), nl=False)
    else:
        typer.echo(recipe_path(name).read_text(encoding="utf-8"), nl=False)


def _need_yaml() -> None:
    if find_spec("yaml") is None:
        raise MissingExtraError("reading recipes", "train")
