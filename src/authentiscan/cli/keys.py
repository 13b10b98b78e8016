"""`authentiscan keys`: who may use the API."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from authentiscan.cli.options import AsJson, command
from authentiscan.cli.screen import note, print_table
from authentiscan.cli.serve import State

if TYPE_CHECKING:
    from datetime import datetime

    from authentiscan.serving.api.database import Database

app = typer.Typer(no_args_is_help=True, help="API keys: who may use `authentiscan serve`.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="Whose key it is, such as a program's.")]


@command(app)
def add(
    name: Name,
    state: State = None,
    per_minute: Annotated[
        int, typer.Option(min=1, max=1_000_000, help="Images that it may send in a minute.")
    ] = 600,
) -> None:
    """Make a key and print it. It is shown this once: only its SHA-256 is kept.

    A server that runs takes it at once.

    Examples:
        authentiscan keys add newsroom
        authentiscan keys add archive --per-minute 6000 --state /var/lib/authentiscan

    """
    from authentiscan.serving.api.keys import Keys

    with _database(state) as database:
        key = Keys(database).add(name, per_minute)
    note(f"the key of {name}, up to {per_minute} images a minute; it cannot be shown again:")
    typer.echo(key)


@command(app, "list")
def show(state: State = None, as_json: AsJson = False) -> None:
    """List the keys: names, limits, when each was last used; never the keys themselves.

    Examples:
        authentiscan keys list

    """
    from authentiscan.serving.api.keys import Keys

    with _database(state) as database:
        found = Keys(database).all()
    if as_json:
        from json import dumps

        typer.echo(dumps([key.model_dump(mode="json") for key in found], indent=2))
        return
    rows = [
        [
            key.name,
            f"{key.start}…",
            str(key.per_minute),
            _day(key.created),
            _day(key.used) or "never",
            _day(key.revoked),
        ]
        for key in found
    ]
    head = ["name", "key", "images a minute", "made", "last used", "revoked"]
    print_table("", head, rows, words=(0, 1, 3, 4, 5))
    if not rows:
        note("no keys yet: authentiscan keys add NAME")


@command(app)
def revoke(name: Name, state: State = None) -> None:
    """Refuse a key from now on, also by a server that runs. Its name stays taken.

    Examples:
        authentiscan keys revoke newsroom

    """
    from authentiscan.serving.api.keys import Keys

    with _database(state) as database:
        Keys(database).revoke(name)
    note(f"the key of {name} is revoked")


def _database(state: Path | None) -> Database:
    from authentiscan.serving.api.database import Database
    from authentiscan.serving.api.settings import default_state

    return Database(state or default_state())


def _day(time: datetime | None) -> str:
    return "" if time is None else f"{time:%Y-%m-%d %H:%M}"
