"""`authentiscan data`: list, download, organize, show, select, and the checks of `data_checks`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from authentiscan.cli.data_checks import audit, verify

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

app = typer.Typer(
    name="data",
    help="Get data sets, turn them into manifests, and check what came out.",
    no_args_is_help=True,
)

DATA_FOLDER = Path("data")
ROOT_OPTION = typer.Option(
    "--root",
    envvar="AUTHENTISCAN_DATA",
    help="Folder that holds one folder a data set.",
    show_default=True,
)


@app.command("list")
def list_data_sets(
    root: Annotated[Path, ROOT_OPTION] = DATA_FOLDER,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """List the data sets and layouts known by name, and whether they are present.

    A data set is present where ROOT/NAME holds its images, tables or archives. Layouts have no
    images of their own: any data can have them.

    Example: authentiscan data list --root /data
    """
    import json

    from rich.table import Table

    from authentiscan.datasets.catalog import CATALOG
    from authentiscan.datasets.download import presence

    present = {n: "" if e.layout else presence(e, root / n) for n, e in CATALOG.items()}
    if as_json:
        facts = ("name", "title", "layout", "images", "generators", "gigabytes", "licence", "home")
        rows = [
            {**{f: getattr(entry, f) for f in facts}, "present": present[name] or None}
            for name, entry in CATALOG.items()
        ]
        typer.echo(json.dumps(rows, indent=1))
        return
    table = Table(title="Data sets and layouts")
    for column in ("name", "images", "generators", "size", "licence", "home page", "present"):
        right = column in ("images", "size")
        table.add_column(
            column,
            overflow="fold",
            justify="right" if right else "left",
            no_wrap=column in ("name", "images", "size"),
        )
    for name, entry in CATALOG.items():
        table.add_row(
            name,
            "layout" if entry.layout else f"{entry.images:,}" if entry.images else "",
            ", ".join(entry.generators),
            f"{entry.gigabytes:g} GB" if entry.gigabytes else "",
            entry.title if entry.layout else entry.licence,
            entry.home,
            present[name],
        )
    _console().print(table)


@app.command()
def download(
    name: Annotated[str, typer.Argument(help="A data set of `authentiscan data list`.")],
    root: Annotated[Path, ROOT_OPTION] = DATA_FOLDER,
    source: Annotated[
        str,
        typer.Option("--from", help="kaggle or hub (Hugging Face). Default: kaggle, else hub."),
    ] = "",
) -> None:
    """Fetch a data set into ROOT/NAME, with your own credentials; run again to resume.

    Kaggle takes KAGGLE_API_TOKEN, or KAGGLE_USERNAME and KAGGLE_KEY, or ~/.kaggle/kaggle.json. Data
    sets that no client can fetch (GenImage) print what to do by hand.

    Example: authentiscan data download cifake --from hub
    """
    from authentiscan.datasets import catalog
    from authentiscan.datasets.download import fetch, manual_steps

    entry = catalog.find(name)
    if entry.kaggle is None and entry.hub is None:
        typer.echo(manual_steps(entry, root / name))
        return
    target = fetch(entry, root / name, source or None)
    typer.echo(f"{name} is in {target}")
    typer.echo(f"next: authentiscan data organize {name}={target} --out {name}.parquet")


@app.command()
def organize(  # noqa: PLR0917  (options of a command)
    inputs: Annotated[
        list[str],
        typer.Argument(
            help="Folders, zips, Parquet tables, CSV lists or manifests; NAME=PATH says the layout."
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="The manifest to write, a .parquet file.")
    ],
    layout: Annotated[
        str | None,
        typer.Option(
            "--as", help="Layout of all inputs, a name of `data list`. Default: found out."
        ),
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="Data set's name in the manifest. Default: the input's own.")
    ] = None,
    generator: Annotated[
        str | None, typer.Option(help="Generator of generated images where nothing tells it.")
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(help="What a table's label means: VALUE=real or VALUE=generated. Repeatable."),
    ] = None,
    fractions: Annotated[
        str, typer.Option(help="Shares of train, val and test; three numbers that sum to 1.")
    ] = "0.7,0.15,0.15",
    own_split: Annotated[
        bool,
        typer.Option(
            "--own-split", help="Keep the publisher's split; a missing val comes from train."
        ),
    ] = False,
    hold_out: Annotated[
        list[str] | None,
        typer.Option(
            help="COLUMN=VALUE goes whole to test (generator=flux), val:COLUMN=VALUE to val; "
            "@FILE: one a line. Repeatable."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Another seed gives another split.")] = 0,
    processes: Annotated[int, typer.Option(min=1, max=64, help="Processes that read images.")] = 2,
) -> None:
    """Read any mix of data into one manifest with facts and leak-free splits.

    Nothing is copied. Splits are stratified by data set and generator; groups and equal images stay
    together; the order of files does not matter. Images that cannot be read are listed beside the
    manifest and left out (exit code 1). Interrupted, run the same command again to go on.

    Example: authentiscan data organize raw/ web.parquet --out all.parquet --hold-out generator=flux
    """
    from authentiscan.datasets.organize import Input
    from authentiscan.datasets.organize import organize as make
    from authentiscan.manifest.split import parse_hold_outs

    options = {"dataset": dataset, "generator": generator, "labels": _labels(label or [])}
    sources = [Input.parse(text, layout=layout, **options) for text in inputs]
    with _progress("images") as bar:
        task = bar.add_task("reading", total=None)
        made = make(
            sources,
            out,
            fractions=_numbers(fractions),
            seed=seed,
            hold_out=parse_hold_outs(hold_out or []),
            own_split=own_split,
            processes=processes,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    typer.echo(f"{out}: {made.rows:,} images")
    if made.joined:
        typer.echo(
            f"{made.joined} images joined another group: their bytes equal one of its images"
        )
    _print_counts(out)
    if made.failed:
        typer.secho(
            f"{made.failed:,} left out, with the reasons in {made.failures}", err=True, fg="yellow"
        )
        raise typer.Exit(1)


@app.command()
def select(
    manifest: Annotated[Path, typer.Argument(help="A manifest made by `data organize`.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The manifest to write, a .parquet.")],
    where: Annotated[
        list[str] | None,
        typer.Option(
            help="COLUMN=VALUE that rows must have, or COLUMN!=VALUE that they must not. "
            "Repeatable: values of one column are alternatives, different columns must all fit."
        ),
    ] = None,
    sample: Annotated[
        int | None,
        typer.Option(
            min=1, help="That many of them, every split, data set and generator in proportion."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Another seed gives another sample.")] = 0,
) -> None:
    """Write a manifest of some of the rows: a data set, a generator, a split, a format, a sample.

    Splits and groups stay as they are, so parts of one manifest can be trained and tested on apart.

    Example: authentiscan data select all.parquet --where split=test --where generator=flux
    --where generator=camera --out flux.parquet
    """
    from authentiscan.checks.verify import open_manifest, write_manifest
    from authentiscan.manifest import select as room

    chosen = room.select(open_manifest(manifest), room.parse_wheres(where or []))
    if sample is not None:
        chosen = room.sample(chosen, sample, seed=seed)
    write_manifest(chosen, out)
    typer.echo(f"{out}: {len(chosen):,} images")
    _print_counts(out)


@app.command()
def show(
    manifest: Annotated[Path, typer.Argument(help="A manifest made by `data organize`.")],
) -> None:
    """Count the images of a manifest by split, data set, label and generator.

    Example: authentiscan data show all.parquet
    """
    _print_counts(manifest)


app.command()(verify)
app.command()(audit)


def _print_counts(path: Path) -> None:
    from rich.table import Table

    from authentiscan.manifest.counts import count_rows
    from authentiscan.manifest.table import SPLITS

    rows = count_rows(path)
    table = Table(title=str(path))
    for column in ("data set", "label", "generator", *SPLITS, "no split", "total"):
        number = column not in ("data set", "label", "generator")
        table.add_column(column, justify="right" if number else "left", overflow="fold")
    columns = (*SPLITS, None)
    for (dataset, label, generator), counts in rows.items():
        word = "generated" if label else "real"
        numbers = [f"{counts.get(s, 0):,}" for s in columns]
        table.add_row(dataset, word, generator, *numbers, f"{sum(counts.values()):,}")
    totals = [sum(c.get(s, 0) for c in rows.values()) for s in columns]
    table.add_section()
    table.add_row("all", "", "", *(f"{n:,}" for n in totals), f"{sum(totals):,}")
    _console().print(table)


def _console() -> Console:
    """Standard output; wide where it is no terminal, so that tables are not folded in files."""
    from rich.console import Console

    console = Console()
    return console if console.is_terminal else Console(width=180)


def _labels(texts: list[str]) -> dict[str, int]:
    from authentiscan.core.errors import UsageError

    meanings = {"real": 0, "generated": 1}
    found: dict[str, int] = {}
    for text in texts:
        value, equals, meaning = text.rpartition("=")
        if not equals or meaning not in meanings:
            raise UsageError(f"--label {text!r}: expected VALUE=real or VALUE=generated")
        found[value] = meanings[meaning]
    return found


def _numbers(text: str) -> list[float]:
    from authentiscan.core.errors import UsageError

    try:
        return [float(part) for part in text.split(",")]
    except ValueError as error:
        raise UsageError(
            f"--fractions {text!r}: expected three numbers such as 0.7,0.15,0.15"
        ) from error


def _progress(unit: str) -> Progress:
    """A bar on stderr, so that stdout stays clean; images or bytes so far and their rate."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description} {task.completed:,.0f} " + unit),
        BarColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )
