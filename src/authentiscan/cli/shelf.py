"""`authentiscan shelf`: published detectors of others, by name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from authentiscan.cli.options import AsJson, command
from authentiscan.cli.screen import bars, console, note, print_table, warn

if TYPE_CHECKING:
    from authentiscan.inference.shelf.card import Card

app = typer.Typer(help="Published detectors of others, fetched by name.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="As `authentiscan shelf list` shows it.")]


@command(app, "list")
def list_detectors(as_json: AsJson = False) -> None:
    """List published detectors, and which of them were fetched. Needs the `shelf` extra.

    A fetched one is named like any other: --model sieve, compare default sieve.

    Examples:
        authentiscan shelf list
        authentiscan shelf list --json

    """
    from authentiscan.inference.shelf.catalogue import card_names, read_card
    from authentiscan.inference.shelf.place import fetched
    from authentiscan.inference.shelf.verify import verified

    cards = [read_card(name) for name in card_names()]
    if as_json:
        import json

        records = [{**_record(card), "fetched": fetched(card.name) is not None} for card in cards]
        typer.echo(json.dumps(records, indent=2))
        return
    rows = [
        [
            card.name,
            "yes" if fetched(card.name) else "-",
            verified(card.name).partition(":")[0],
            card.licence or "none stated",
            card.title,
        ]
        for card in cards
    ]
    print_table("", ["name", "fetched", "verified", "licence", "what it is"], rows, words=range(5))
    note("authentiscan shelf show NAME says more, authentiscan shelf get NAME fetches one")


@command(app, "show")
def show(name: Name, as_json: AsJson = False) -> None:
    """Show what is known of a detector, with the sources, and what is not.

    Examples:
        authentiscan shelf show sieve
        authentiscan shelf show npr --json

    """
    from authentiscan.inference.shelf.catalogue import read_card

    card = read_card(name)
    if as_json:
        import json

        typer.echo(json.dumps(_record(card), indent=2))
        return
    _print_card(card)


@command(app, "get")
def get(
    name: Name,
    *,
    accept: Annotated[
        bool,
        typer.Option("--accept", help="I may use it under its licence, although that is not open."),
    ] = False,
    unpinned: Annotated[
        bool, typer.Option("--unpinned", help="Take files of which no checksum is known, too.")
    ] = False,
) -> None:
    """Fetch a detector into the user's cache and wrap it as a bundle. Needs the `shelf` extra.

    The licence is shown first. An interrupted transfer goes on where it stopped; a file with
    another checksum than the card's is refused. Nothing of the download is ever run as a program.

    Examples:
        authentiscan shelf get sieve
        authentiscan shelf get airealnet --unpinned
        authentiscan scan photos/ --model sieve

    """
    from authentiscan.core.errors import UsageError
    from authentiscan.inference.shelf.catalogue import read_card
    from authentiscan.inference.shelf.fetch import fetch

    card = read_card(name)
    _print_licence(card)
    if not card.open and card.kind != "none" and not accept:
        raise UsageError(f"{name} is not free for every use; say --accept where you may use it")
    with bars() as progress:
        folder = fetch(card, unpinned=unpinned, progress=progress)
    _print_wrapped(card, folder)


@command(app, "add")
def add(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="The detector's files, or the wheel they are in."),
    ],
    *,
    name: Annotated[
        str | None, typer.Option("--as", metavar="NAME", help="Which detector they are.")
    ] = None,
    card: Annotated[
        Path | None,
        typer.Option("--card", metavar="YAML", help="A card of your own for another detector."),
    ] = None,
) -> None:
    """Wrap files that were had by hand: offline, or a detector that has no card yet.

    They must have the checksums that the card states. With --card any ONNX file can be judged: see
    "Judge someone else's detector" in docs/shelf.md.

    Examples:
        authentiscan shelf add ft44s_best_fp16.onnx --as sieve
        authentiscan shelf add mine.onnx --card mine.yaml

    """
    from authentiscan.core.errors import UsageError
    from authentiscan.inference.shelf.catalogue import card_names, card_of, read_card
    from authentiscan.inference.shelf.fetch import add as wrap

    if (name is None) == (card is None):
        raise UsageError("say which detector it is: --as NAME, or --card YAML")
    chosen = read_card(name) if name is not None else card_of(card or Path())
    if card is not None and chosen.name in card_names() and not _own(chosen.name):
        raise UsageError(f"{chosen.name} has a card already; give yours another name")
    _print_licence(chosen)
    _print_wrapped(chosen, wrap(chosen, files, own_card=card))


@command(app, "verify")
def verify(
    name: Name,
    images: Annotated[
        Path | None,
        typer.Option("--images", metavar="FOLDER", help="Where the images lie, if not fetched."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare a fetched detector's scores with those that its authors publish for some images.

    Ends with 3 where a score differs by more than the card allows. Until this was done with
    success, `shelf list` says `no` under verified.

    Examples:
        authentiscan shelf verify sieve
        authentiscan shelf verify sieve --images samples/

    """
    from authentiscan.inference.shelf.catalogue import read_card
    from authentiscan.inference.shelf.verify import verify as compare

    card = read_card(name)
    with bars() as progress:
        found = compare(card, images, progress)
    assert card.references is not None
    worst = max(one.difference for one in found)
    if as_json:
        import json

        keys = ("name", "stated", "found", "difference")
        typer.echo(json.dumps([{key: getattr(one, key) for key in keys} for one in found]))
    else:
        rows = [
            [one.name, f"{one.stated:.4f}", f"{one.found:.4f}", f"{one.difference:.4f}"]
            for one in found
        ]
        print_table("", ["image", "authors", "here", "difference"], rows)
    allowed = card.references.tolerance
    if worst > allowed:
        warn(f"scores differ by up to {worst:.4f}; the card of {name} allows {allowed}")
        raise typer.Exit(3)
    note(f"the same scores: they differ by at most {worst:.4f}, {allowed} is allowed")


def _record(card: Card) -> dict[str, object]:
    from authentiscan.inference.shelf.verify import verified

    return {
        **card.model_dump(mode="json", exclude_none=True),
        "verified": verified(card.name),
        "not_known": card.gaps,
    }


def _own(name: str) -> bool:
    from authentiscan.inference.shelf.catalogue import OWN_CARD
    from authentiscan.inference.shelf.place import shelf_folder

    shelf = shelf_folder()
    return shelf is not None and (shelf / name / OWN_CARD).is_file()


def _print_licence(card: Card) -> None:
    note(f"{card.name}: {card.title}, by {card.authors}")
    note(f"licence: {card.licence or 'none stated'} (see {card.home})")
    for gap in card.gaps:
        note(f"- {gap}")


def _print_wrapped(card: Card, folder: Path) -> None:
    note(f"verified: {_verified(card)}")
    typer.echo(folder)


def _verified(card: Card) -> str:
    from authentiscan.inference.shelf.verify import verified

    state = verified(card.name)
    how = f"; authentiscan shelf verify {card.name} compares its scores"
    return state + (how if state == "no" and card.references else "")


def _print_card(card: Card) -> None:
    from rich.markup import escape
    from rich.table import Table

    out = console()
    facts = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column()
    for key, value in _facts(card):
        facts.add_row(key, escape(value))
    out.print(f"[bold]{escape(card.name)}[/bold]  {escape(card.title)}")
    out.print(facts)
    for figure in card.figures:
        out.print(f"{escape(figure.what)} {escape(figure.value)}: {escape(figure.conditions)}")
        out.print(f"  [dim]{escape(figure.source)}[/dim]")


def _facts(card: Card) -> list[tuple[str, str]]:
    what = card.input
    pinned = ["pinned" if card.pinned(f) else "not pinned" for f in card.files]
    places = [card.address(f) or (f"package {f.package} {f.version}" if f.package else "by hand")
              for f in card.files]  # fmt: skip
    entries = [
        ("authors", card.authors),
        ("home", card.home),
        ("paper", card.paper or "-"),
        ("licence", card.licence or "none stated"),
        ("size", card.size or "not stated"),
        *(("file", f"{f.name}: {p}, {how}")
          for f, p, how in zip(card.files, places, pinned, strict=True)),
        ("input", "as the fetched files say" if what is None else what.model_dump_json()),
        ("output", card.output.model_dump_json(exclude_none=True)),
        ("calibration", f"slope {card.calibration.slope}, intercept {card.calibration.intercept}"),
        ("verified", _verified(card)),
        *(("limit", limit) for limit in card.limits),
        *(("not known", gap) for gap in card.gaps),
        *((f"source of {what}", where) for what, where in card.sources.items()),
    ]  # fmt: skip
    return [*entries, *([("by hand", card.by_hand)] if card.by_hand else [])]
