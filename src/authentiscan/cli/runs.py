"""`authentiscan runs`: what training left behind, listed and compared."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from authentiscan.cli.guard import claim
from authentiscan.cli.options import AsJson, command
from authentiscan.cli.screen import note, print_table, show
from authentiscan.core.errors import MissingExtraError, UsageError

app = typer.Typer(help="List training runs and compare them.", no_args_is_help=True)


@command(app, "list")
def list_runs(
    folder: Annotated[Path, typer.Argument(help="Where the runs lie.")] = Path("runs"),
    as_json: AsJson = False,
) -> None:
    """List the runs below a folder, the latest last: how far they got and how good they are.

    States: finished; running; interrupted (go on with `authentiscan train --resume RUN`); failed
    (the reason is in --json and in the run's error.txt). Figures are of the bundle on the
    validation part, of which thresholds were chosen, and on the run's own test part where it has
    one or `authentiscan evaluate --record` measured another.

    Examples:
        authentiscan runs list
        authentiscan runs list pipeline/runs --json

    """
    _need("yaml")
    from authentiscan.training.runs import find_runs
    from authentiscan.training.runs_page import duration, megabytes

    runs = find_runs(folder)
    if as_json:
        import json

        typer.echo(json.dumps([run.model_dump(mode="json") for run in runs], indent=2))
        return
    tested = any(run.tests for run in runs)
    head = ["run", "recipe", "last sign", "state", "best", "val AUC", "bal. acc."]
    head += [*(["test AUC"] if tested else []), "MB", "training"]
    rows = []
    for run in runs:
        known = run.validation or {
            key.removeprefix("val_"): value for key, value in run.best.items()
        }
        tests = [f"{n}: {v['roc_auc']:.3f}" for n, v in run.tests.items() if "roc_auc" in v]
        rows.append([
            str(run.folder.relative_to(folder)),
            run.name,
            f"{run.when.astimezone():%Y-%m-%d %H:%M}",
            run.progress,
            "–" if run.best_epoch is None else str(run.best_epoch),
            *(f"{known[k]:.3f}" if k in known else "–" for k in ("roc_auc", "balanced_accuracy")),
            *(["; ".join(tests) or "–"] if tested else []),
            megabytes(run.size),
            duration(run.seconds),
        ])  # fmt: skip
    print_table("", head, rows, words=range(4))
    for run in runs:
        if run.error:
            first = run.error.splitlines()[0]
            typer.echo(f"{run.folder}: {first}", err=True)


@command(app, "compare")
def compare_runs(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN...",
            help="Two or more: folders of runs, or names as `authentiscan runs list` shows them.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="A .png for the curves, a .html or a folder for a whole page."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Lay runs side by side: the recipe keys that differ, figures, and curves with -o.

    Examples:
        authentiscan runs compare A B
        authentiscan runs compare runs/A runs/B -o versus.html

    """
    _need("yaml")
    from authentiscan.training.runs import find_run, read_run
    from authentiscan.training.runs_page import (
        compare_runs,
        differences_table,
        figures_table,
        write_comparison,
    )

    if len(runs) < 2:
        raise UsageError("give two or more runs to compare; `authentiscan runs list` shows them")
    single = output is not None and output.suffix in {".png", ".html"}
    claim(output if single else None, folders=[] if single else [output])
    found = compare_runs([read_run(find_run(run)) for run in runs])
    if output is not None:
        _need("matplotlib")
        note(f"written: {write_comparison(found, output)}")
    if as_json:
        typer.echo(found.model_dump_json(indent=2))
        return
    differences = differences_table(found)
    if differences.rows:
        show(differences, "what differs in the recipes")
    else:
        typer.echo("the recipes are the same")
    show(figures_table(found), "figures")


def _need(module: str) -> None:
    if find_spec(module) is None:
        raise MissingExtraError("reading runs", "train")
