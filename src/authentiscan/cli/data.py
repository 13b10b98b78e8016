"""`authentiscan data`: list, download, organize, show, select, and the checks of `data_checks`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from authentiscan.cli import screen
from authentiscan.cli.data_checks import MANIFEST, audit, verify
from authentiscan.cli.guard import claim
from authentiscan.cli.options import AsJson, Seed, Workers, add, command

if TYPE_CHECKING:
    from authentiscan.datasets.organize import Organized
    from authentiscan.manifest.table import Manifest

app = typer.Typer(
    name="data",
    help="Get data sets, turn them into manifests, and check what came out.",
    no_args_is_help=True,
)

DATA_FOLDER = Path("data")
_WORDS = ("real", "generated")
_SIGNS_SHOWN = 20
ROOT_OPTION = typer.Option(
    "--root",
    envvar="AUTHENTISCAN_DATA",
    help="Folder that holds one folder a data set.",
    show_default=True,
)


@command(app, "list")
def list_data_sets(
    root: Annotated[Path, ROOT_OPTION] = DATA_FOLDER,
    as_json: AsJson = False,
) -> None:
    """List the data sets and layouts known by name, and whether they are present.

    A data set is present where ROOT/NAME holds its images, tables or archives. Layouts have no
    images of their own: any data can have them.

    Examples:
    authentiscan data list --root /data

    """
    import json

    from authentiscan.datasets.catalog import CATALOG
    from authentiscan.datasets.download import presence

    present = {n: "" if e.layout else presence(e, root / n) for n, e in CATALOG.items()}
    if as_json:
        facts = ("name", "title", "layout", "images", "generators", "gigabytes", "licence", "home")
        records = [
            {**{f: getattr(entry, f) for f in facts}, "present": present[name] or None}
            for name, entry in CATALOG.items()
        ]
        typer.echo(json.dumps(records, indent=1))
        return
    head = ("name", "images", "generators", "size", "licence", "home page", "present")
    rows = [
        (
            name,
            "layout" if entry.layout else f"{entry.images:,}" if entry.images else "",
            ", ".join(entry.generators),
            f"{entry.gigabytes:g} GB" if entry.gigabytes else "",
            entry.title if entry.layout else entry.licence,
            entry.home,
            present[name],
        )
        for name, entry in CATALOG.items()
    ]
    screen.print_table("Data sets and layouts", head, rows, words=(0, 2, 4, 5, 6))


@command(app)
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

    Examples:
    authentiscan data download cifake --from hub

    """
    from authentiscan.datasets import catalog
    from authentiscan.datasets.download import fetch, manual_steps

    entry = catalog.find(name)
    if entry.kaggle is None and entry.hub is None:
        typer.echo(manual_steps(entry, root / name))
        return
    claim(folders=[root / name])
    target = fetch(entry, root / name, source or None)
    typer.echo(f"{name} is in {target}")
    typer.echo(f"next: authentiscan data organize {name}={target} -o {name}.parquet")


class GroupBy(StrEnum):
    """What images share that must stay in one split."""

    FOLDER = "folder"
    NAME = "name"


@command(app)
def organize(  # noqa: PLR0917  (options of a command)
    inputs: Annotated[
        list[str],
        typer.Argument(
            help="Folders, zips, Parquet tables, CSV lists or manifests; NAME=PATH says the layout."
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", "--out", help="The manifest to write, a .parquet.")
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
        typer.Option(
            help="What a table's label or a folder's name means: VALUE=real or VALUE=generated. "
            "Counts before all other signs. Repeatable."
        ),
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
    group: Annotated[
        GroupBy | None,
        typer.Option(
            "--group",
            help="Keep in one split the images of one folder, as frames of one video, or of one "
            "name but for its number (clip3_0001.jpg). Default: what the source says.",
        ),
    ] = None,
    trust_headers: Annotated[
        bool,
        typer.Option(
            "--trust-headers",
            help="Facts from the headers, and the hash; no pixels are decoded: many times faster, "
            "and damaged pixels stay unseen (`data verify` finds them).",
        ),
    ] = False,
    seed: Seed = 0,
    workers: Workers = 2,
) -> None:
    """Read any mix of data into one manifest with facts and leak-free splits.

    Nothing is copied. Splits are stratified by data set and generator; groups and equal images stay
    together; the order of files does not matter. What real and generated was concluded from is
    printed; signs that contradict each other stop the command. What cannot be read is listed beside
    the manifest and left out (exit code 1). Interrupted, run the same command again to go on.

    Examples:
    authentiscan data organize raw/ web.parquet -o all.parquet --hold-out generator=flux
    authentiscan data organize frames/ -o videos.parquet --group folder
    authentiscan data organize archive/ -o archive.parquet --trust-headers --workers 8

    """
    from authentiscan.datasets.inputs import Input
    from authentiscan.datasets.organize import failures_of_manifest
    from authentiscan.datasets.organize import organize as make
    from authentiscan.manifest.hold_out import parse_hold_outs

    options = {"dataset": dataset, "generator": generator, "labels": _labels(label or [])}
    sources = [Input.parse(text, layout=layout, **options) for text in inputs]
    claim(output, failures_of_manifest(output), inputs=[source.path for source in sources])
    with screen.progress("reading images") as progress:
        made = make(
            sources,
            output,
            fractions=_numbers(fractions),
            seed=seed,
            hold_out=parse_hold_outs(hold_out or []),
            own_split=own_split,
            group_by=group.value if group else None,
            trust_headers=trust_headers,
            processes=workers,
            progress=progress,
        )
    _print_organized(made)
    if made.failed:
        screen.fail(f"{made.failed:,} could not be read; the reasons are in {made.failures}")
        raise typer.Exit(1)


def _print_organized(made: Organized) -> None:
    typer.echo(f"{made.path}: {made.rows:,} images")
    _print_counts(made.manifest(), "")
    for (label, sign), count in made.concluded.most_common(_SIGNS_SHOWN):
        typer.echo(f"{_WORDS[label]} because of {screen.plain(sign)}: {count:,}")
    if len(made.concluded) > _SIGNS_SHOWN:
        typer.echo(f"and {len(made.concluded) - _SIGNS_SHOWN} more signs, in the file's metadata")
    if made.joined:
        typer.echo(
            f"{made.joined} images joined another group: their bytes equal one of its images"
        )
    for reason, count in made.left_out.items():
        typer.echo(f"left out: {count:,} {screen.plain(reason)}")
    if made.torn is not None:
        screen.warn(str(made.torn))


@command(app)
def select(
    manifest: Annotated[Path, MANIFEST],
    output: Annotated[
        Path, typer.Option("--output", "-o", "--out", help="The manifest to write, a .parquet.")
    ],
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
    seed: Seed = 0,
) -> None:
    """Write a manifest of some of the rows: a data set, a generator, a split, a format, a sample.

    Splits and groups stay as they are, so parts of one manifest can be trained and tested on apart.

    Examples:
    authentiscan data select all.parquet --where split=test --where generator=flux -o flux.parquet

    """
    from authentiscan.datasets.open import open_data
    from authentiscan.manifest import select as room

    claim(output, inputs=[manifest])
    chosen = room.select(open_data(manifest), room.parse_wheres(where or []))
    if sample is not None:
        chosen = room.sample(chosen, sample, seed=seed)
    chosen.write(output)
    typer.echo(f"{output}: {len(chosen):,} images")
    _print_counts(chosen, str(output))


@command(app)
def show(
    manifest: Annotated[Path, MANIFEST],
) -> None:
    """Count the images of a manifest by split, data set, label and generator.

    Examples:
    authentiscan data show all.parquet

    """
    from authentiscan.datasets.open import open_data

    _print_counts(open_data(manifest), str(manifest))


add(app, verify)
add(app, audit)


def _print_counts(manifest: Manifest, title: str) -> None:
    from authentiscan.manifest.counts import count_rows
    from authentiscan.manifest.table import SPLITS

    counted = count_rows(manifest)
    columns = (*SPLITS, None)
    rows = [
        (
            dataset,
            _WORDS[label],
            generator,
            *(f"{counts.get(s, 0):,}" for s in columns),
            f"{sum(counts.values()):,}",
        )
        for (dataset, label, generator), counts in counted.items()
    ]
    totals = [sum(c.get(s, 0) for c in counted.values()) for s in columns]
    rows.append(("all", "", "", *(f"{n:,}" for n in (*totals, sum(totals)))))
    head = ("data set", "label", "generator", *SPLITS, "no split", "total")
    screen.print_table(title, head, rows, words=(0, 1, 2))


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
