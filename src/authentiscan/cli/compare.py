"""`authentiscan compare`: several detectors, also other people's, on the same images."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from authentiscan.cli.evaluate import (
    AsJson,
    Data,
    Output,
    Rounds,
    Seed,
    Split,
    SplitOption,
    Workers,
    print_table,
    progress_bar,
)

if TYPE_CHECKING:
    from authentiscan.evaluation.compare import Comparison
    from authentiscan.evaluation.harness import Progress


def compare(
    detectors: Annotated[
        list[str],
        typer.Argument(
            help="Two or more of: a bundle folder, `default`, a .json describing an ONNX file, "
            "module:callable, a .csv of scores. `name=` before it renames it."
        ),
    ],
    *,
    data: Data,
    split: SplitOption = Split.ALL,
    protocol: Annotated[
        str, typer.Option("--protocol", help="`raw`, `matched`, `history` or a degradation chain.")
    ] = "matched",
    output: Output = None,
    bootstrap: Rounds = 1000,
    seed: Seed = 0,
    workers: Workers = 2,
    as_json: AsJson = False,
) -> None:
    """Judge detectors on the same images: one table, and whether the differences are real.

    Every detector sees exactly the same pixels, except that a CSV brings scores made elsewhere.
    A callable takes uint8 pixels (H, W, 3) and returns P(generated), 0..1.

    Example: authentiscan compare default rival=rival.json mine:score --data web.parquet -o versus
    """
    from authentiscan.evaluation.adapters import open_candidate
    from authentiscan.evaluation.compare import compare as run
    from authentiscan.evaluation.compare_page import write_comparison
    from authentiscan.evaluation.slices import Options
    from authentiscan.evaluation.sources import data_name, read_data

    candidates = [open_candidate(text) for text in detectors]
    cache = output / "scores" if output else None
    manifest = read_data(data, split=split, cache=cache)
    with ExitStack() as bars:

        def progress(name: str) -> Progress:
            bars.close()  # one bar at a time
            return bars.enter_context(progress_bar(name))

        found, tables = run(
            candidates,
            manifest,
            name=data_name(data, split),
            protocol=protocol,
            options=Options(rounds=bootstrap, seed=seed),
            cache=cache,
            progress=progress,
            workers=workers,
        )
    if output:
        for name, table in tables.items():
            table.write(output / f"scores-{''.join(c if c.isalnum() else '-' for c in name)}.csv")
        typer.echo(f"report: {write_comparison(found, output)}", err=True)
    if as_json:
        typer.echo(found.model_dump_json(indent=2))
    else:
        _print(found)
    if found.common < found.data.images:
        raise typer.Exit(1)


def _print(found: Comparison) -> None:
    from authentiscan.evaluation.bootstrap import Estimate
    from authentiscan.evaluation.words import WORDS

    rows = []
    for metric, words in WORDS.items():
        figures = [s.metrics.get(metric, Estimate(None)) for s in found.standings]
        if metric != "recall" and any(f.value is not None for f in figures):
            rows.append([words.partition(" (")[0], *(f.percent() for f in figures)])
    title = f"{found.data.name}, {found.protocol}, {found.common} images: %, 95 % intervals"
    print_table(title, ["", *(s.detector for s in found.standings)], rows)
    for test in found.tests:
        d, p = test.differences["roc_auc"], test.p_holm.get("roc_auc")
        if d.value is not None and p is not None:
            typer.echo(f"{test.first} − {test.second}: ROC AUC {100 * d.value:+.1f}, p {p:.3f}")
    for warning in found.warnings:
        typer.secho(f"warning: {warning}", fg=typer.colors.YELLOW, err=True)
