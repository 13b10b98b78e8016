"""`authentiscan evaluate`: measure a detector on a manifest, raw and matched side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from authentiscan.evaluation.harness import Progress
    from authentiscan.evaluation.records import Evaluation


class Split(StrEnum):
    """Rows of a manifest."""

    ALL = "all"
    TRAIN = "train"
    VAL = "val"
    TEST = "test"


class Part(StrEnum):
    """What `evaluate` divides images by."""

    DATASET = "dataset"
    GENERATOR = "generator"
    SOURCE = "source"
    STYLE = "style"
    FORMAT = "format"
    SIZE = "size_band"
    JPEG = "jpeg_band"
    ALL = "all"


Data = Annotated[
    Path,
    typer.Option("--data", help="Manifest (.parquet), or a folder or zip with real/ and fake/."),
]
SplitOption = Annotated[Split, typer.Option("--split", help="Rows of the manifest to use.")]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="Folder for the report; also keeps scores for re-use."),
]
Rounds = Annotated[
    int, typer.Option("--bootstrap", min=0, max=100_000, help="Bootstrap rounds for intervals.")
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Of degradations and bootstrap.")]
Workers = Annotated[
    int, typer.Option("--workers", min=1, max=64, help="Threads that decode and infer.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the whole result as JSON.")]


def evaluate(
    bundle: Annotated[
        str,
        typer.Argument(help="Bundle folder, or `default` for the packaged detector."),
    ],
    *,
    data: Data,
    split: SplitOption = Split.ALL,
    protocol: Annotated[
        list[str] | None,
        typer.Option(
            "--protocol",
            help="`all`, or any of `raw`, `matched`, `history`, or a degradation chain such as "
            "'resize:scale=0.5 | jpeg:quality=80'. Repeat for several.",
        ),
    ] = None,
    output: Output = None,
    bootstrap: Rounds = 1000,
    threshold: Annotated[
        float | None,
        typer.Option("--threshold", min=0, max=1, help="Instead of the bundle's own."),
    ] = None,
    by: Annotated[
        list[Part] | None,
        typer.Option("--by", help="Also print a table of the parts; repeat, or `all`."),
    ] = None,
    include: Annotated[
        list[Path] | None,
        typer.Option(
            "--include", help="robustness.json or cross.json to show in the report; repeat."
        ),
    ] = None,
    record: Annotated[
        bool,
        typer.Option("--record", help="Write the figures into detector.json and the model card."),
    ] = False,
    seed: Seed = 0,
    workers: Workers = 2,
    as_json: AsJson = False,
) -> None:
    """Measure a detector: accuracy, AUC, TPR at 1 % and 5 % FPR, calibration, per generator, with
    intervals.

    Files give images away: generated ones are often PNG, photographs JPEG. So everything is
    measured as stored (raw), with both classes re-saved alike (matched), and with both given the
    same number of compressions (history). Raw above matched is the sign of a shortcut, and is
    warned of. The report holds the same per data set, generator, format, size and JPEG quality,
    and the most confident mistakes; --by prints such parts here.

    Example: authentiscan evaluate runs/baseline/bundle --data web.parquet --split test -o report
    """
    from authentiscan.evaluation.evaluate import evaluate as run
    from authentiscan.evaluation.slices import Options
    from authentiscan.evaluation.sources import data_name, read_data
    from authentiscan.inference import default_bundle, load_detector

    detector = load_detector(None if bundle == "default" else bundle, threads=1)
    cache = output / "scores" if output else None
    manifest = read_data(data, split=split, cache=cache)
    with progress_bar("scoring") as progress:
        result = run(
            detector,
            manifest,
            name=data_name(data, split),
            protocols=_protocols(protocol),
            options=Options(rounds=bootstrap, seed=seed, threshold=threshold),
            cache=cache,
            progress=progress,
            workers=workers,
        )
    if output:
        from authentiscan.evaluation.report import write_report

        page = write_report(result, manifest, output, include or ())
        typer.echo(f"report: {page}", err=True)
    if record:
        from authentiscan.evaluation.recalibrate import record_evaluation

        record_evaluation(default_bundle() if bundle == "default" else bundle, result.evaluation)
    if as_json:
        typer.echo(result.evaluation.model_dump_json(indent=2))
    else:
        print_evaluation(result.evaluation, _parts(by))
    if any(table.failed for table in result.tables.values()):
        raise typer.Exit(1)


def print_evaluation(evaluation: Evaluation, parts: Sequence[str] = ()) -> None:
    """The protocols side by side, tables of ``parts``, and the warnings, on the terminal."""
    from authentiscan.evaluation.evaluation_page import short_slices_table, verdicts_table
    from authentiscan.evaluation.words import PARTS, WORDS
    from authentiscan.metrics.bootstrap import Estimate

    title = f"{evaluation.detector.name} on {evaluation.data.name}: %, with 95 % intervals"
    rows: list[list[str]] = []
    results = evaluation.protocols.values()
    for metric, words in WORDS.items():
        found = [r.overall.metrics.get(metric, Estimate(None)) for r in results]
        if metric != "recall" and any(f.value is not None for f in found):
            # Short enough for three protocols on 80 columns.
            rows.append([words.partition(" (")[0], *(f.percent() for f in found)])
    rows.append(["images (failed)", *(f"{r.images} ({r.failed})" for r in results)])
    print_table(title, ["", *evaluation.protocols], rows)
    verdicts = verdicts_table(evaluation)
    print_table("Verdicts", ["", *verdicts.head[1:]], verdicts.rows)
    for part in parts:
        table = short_slices_table(evaluation, part)
        if not table.rows:
            typer.echo(f"Per {PARTS[part]}: all images are of one.")
            continue
        print_table(f"Per {PARTS[part]}: %", table.head, table.rows)
        typer.echo(table.note)
    for warning in evaluation.warnings:
        typer.secho(f"warning: {warning}", fg=typer.colors.YELLOW, err=True)


def print_table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table on the terminal; the first column names the row, the others are figures."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=SIMPLE, pad_edge=False)
    for i, name in enumerate(head):
        table.add_column(name, justify="right" if i else "left")
    for row in rows:
        table.add_row(*row)
    Console().print(table)


@contextmanager
def progress_bar(what: str) -> Iterator[Progress]:
    """A progress bar on stderr for `harness.Progress`."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Bar(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)

        def update(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield update


def _parts(given: list[Part] | None) -> list[str]:
    if given and Part.ALL in given:
        return [part.value for part in Part if part is not Part.ALL]
    return list(dict.fromkeys(part.value for part in given or ()))


def _protocols(given: list[str] | None) -> tuple[str, ...]:
    from authentiscan.evaluation.protocol import NAMES

    if not given or given == ["all"]:
        return NAMES
    return tuple(dict.fromkeys(n for p in given for n in (NAMES if p == "all" else (p,))))
