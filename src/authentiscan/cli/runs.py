"""`authentiscan runs`: what training left behind, listed and compared."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from authentiscan.cli.guard import claim
from authentiscan.core.errors import MissingExtraError, UsageError

app = typer.Typer(help="List training runs and compare them.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print everything as JSON.")]


@app.command("list")
def list_runs(
    folder: Annotated[Path, typer.Argument(help="Where the runs lie.")] = Path("runs"),
    as_json: AsJson = False,
) -> None:
    """List the runs below a folder, the latest last: how far they got and how good they are.

    States: finished; running; interrupted (go on with `authentiscan train --resume RUN`); failed
    (the reason is in --json and in the run's error.txt). Figures are of the bundle on the
    validation part, of which thresholds were chosen, and on the run's own test part where it has
    one or `authentiscan evaluate --record` measured another.

    Example: authentiscan runs list pipeline/runs
    """
    _need("yaml")
    from authentiscan.training.runs import find_runs
    from authentiscan.training.runs_page import duration, megabytes

    runs = find_runs(folder)
    if as_json:
        import json

        typer.echo(json.dumps([run.model_dump(mode="json") for run in runs], indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    tested = any(run.tests for run in runs)
    table = Table(
        "run", "recipe", "last sign", "state", "best", "val AUC", "bal. acc.",
        *(["test AUC"] if tested else []), "MB", "training", box=None, pad_edge=False,
    )  # fmt: skip
    table.columns[0].no_wrap, table.columns[0].overflow = True, "fold"
    for run in runs:
        known = run.validation or {
            key.removeprefix("val_"): value for key, value in run.best.items()
        }
        tests = [f"{n}: {v['roc_auc']:.3f}" for n, v in run.tests.items() if "roc_auc" in v]
        table.add_row(
            str(run.folder.relative_to(folder)),
            run.name,
            f"{run.when.astimezone():%Y-%m-%d %H:%M}",
            run.progress,
            "–" if run.best_epoch is None else str(run.best_epoch),
            *(f"{known[k]:.3f}" if k in known else "–" for k in ("roc_auc", "balanced_accuracy")),
            *(["; ".join(tests) or "–"] if tested else []),
            megabytes(run.size),
            duration(run.seconds),
        )
    # A file or a pipe has no width to keep to.
    Console(highlight=False, width=None if sys.stdout.isatty() else 200).print(table)
    for run in runs:
        if run.error:
            first = run.error.splitlines()[0]
            typer.echo(f"{run.folder}: {first}", err=True)


@app.command("compare")
def compare_runs(
    folders: Annotated[list[Path], typer.Argument(help="Folders of runs, two or more.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="A .png for the curves, a .html or a folder for a whole page."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Lay runs side by side: the recipe keys that differ, figures, and curves with -o.

    Example: authentiscan runs compare runs/A runs/B -o versus.html
    """
    _need("yaml")
    from authentiscan.training.runs import read_run
    from authentiscan.training.runs_page import (
        compare_runs,
        differences_table,
        figures_table,
        write_comparison,
    )

    if len(folders) < 2:
        raise UsageError("give two or more runs to compare; `authentiscan runs list` shows them")
    single = output is not None and output.suffix in {".png", ".html"}
    claim(output if single else None, folders=[] if single else [output])
    found = compare_runs([read_run(folder) for folder in folders])
    if output is not None:
        _need("matplotlib")
        written = write_comparison(found, output)
        typer.echo(f"written: {written}", err=True)
    if as_json:
        typer.echo(found.model_dump_json(indent=2))
        return
    from authentiscan.cli.screen import print_table

    differences, figures = differences_table(found), figures_table(found)
    if differences.rows:
        rows = [list(row) for row in differences.rows]
        print_table("what differs in the recipes", list(differences.head), rows)
    else:
        typer.echo("the recipes are the same")
    print_table("figures", ["", *found.names], [list(row) for row in figures.rows])


def _need(module: str) -> None:
    if find_spec(module) is None:
        raise MissingExtraError("reading runs", "train")
