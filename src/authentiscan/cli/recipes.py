"""`authentiscan recipes`: the training recipes that come with the package."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Annotated

import typer

from authentiscan.cli.options import command
from authentiscan.cli.screen import print_table
from authentiscan.core.errors import MissingExtraError

app = typer.Typer(help="List and show the shipped training recipes.", no_args_is_help=True)


@command(app, "list")
def list_recipes() -> None:
    """Print name, architecture, phases and summary of every shipped recipe.

    Examples:
        authentiscan recipes list
        authentiscan train quickstart --data my-images/

    """
    _need_yaml()
    from authentiscan.training.recipe_file import load_recipe, shipped

    rows = []
    for name in shipped():
        recipe = load_recipe(name)
        phases = " + ".join(f"{p.epochs} {p.trained}" for p in recipe.phases)
        data = ", ".join(source.name for source in recipe.data)
        rows.append([name, recipe.model.name, phases, data, recipe.summary])
    head = ["name", "model", "phases", "data", "what it is"]
    print_table("", head, rows, words=range(len(head)))


@command(app, "show")
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

    Examples:
        authentiscan recipes show truthpixel > mine.yaml
        authentiscan recipes show quickstart --set optimizer.lr=1e-4 --full

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
