"""`authentiscan cross-evaluate`: every detector on every data set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from authentiscan.cli.guard import claim
from authentiscan.cli.options import (
    CORES,
    AsJson,
    DataList,
    OneProtocol,
    ReportFolder,
    Rounds,
    Seed,
    TestSplit,
    Workers,
)
from authentiscan.cli.screen import bars, note, print_table

if TYPE_CHECKING:
    from authentiscan.evaluation.cross_dataset import CrossEvaluation


def cross_evaluate(
    detectors: Annotated[
        list[str],
        typer.Argument(metavar="DETECTOR...", help="Detectors of any kind that `compare` takes."),
    ],
    *,
    data: DataList,
    home: Annotated[
        list[str] | None,
        typer.Option("--home", help="detector=data set it was trained on; by order without it."),
    ] = None,
    left_out: Annotated[
        list[str] | None,
        typer.Option("--left-out", help="detector=generator it never saw; repeat."),
    ] = None,
    split: TestSplit = None,
    protocol: OneProtocol = "matched",
    output: ReportFolder = None,
    bootstrap: Rounds = 1000,
    seed: Seed = 0,
    workers: Workers = CORES,
    as_json: AsJson = False,
) -> None:
    """Measure every detector on every data set, and what each loses away from its own.

    The first detector's own data set is the first --data, the second's the second, unless --home
    says otherwise. With --output: heatmaps, a CSV of all figures, the most confident mistakes.

    Examples:
        authentiscan cross-evaluate runs/a runs/b --data a.parquet --data b.parquet -o cross
        authentiscan cross-evaluate default --data web.parquet --home default=web --split test

    """
    from authentiscan.cli.parts import open_rows
    from authentiscan.evaluation.adapters import open_candidates
    from authentiscan.evaluation.cross_dataset import cross_evaluate as run
    from authentiscan.evaluation.cross_page import write_cross_evaluation
    from authentiscan.evaluation.judges import judge_of_candidate
    from authentiscan.evaluation.slices import Options

    candidates = open_candidates(detectors)
    claim(folders=[output], inputs=[text.partition("=")[2] or text for text in data])
    cache = output / "scores" if output else None
    sources = [open_rows(text, split) for text in data]
    with bars() as progress:
        found = run(
            candidates,
            sources,
            home=_pairs(home, "--home"),
            left_out=_pairs(left_out, "--left-out"),
            protocol=protocol,
            options=Options(rounds=bootstrap, seed=seed),
            cache=cache,
            progress=progress,
            workers=workers,
        )
    if output:
        manifests = {s.name: s.manifest for s in sources}
        judges = [judge_of_candidate(candidate) for candidate in candidates]
        page = write_cross_evaluation(found, manifests, output, judges)
        note(f"report: {page}")
    if as_json:
        typer.echo(found.model_dump_json(indent=2))
    else:
        _print(found, [s.name for s in sources], protocol)
    if any(cell.failed for cell in found.cells):
        raise typer.Exit(1)


def _print(found: CrossEvaluation, places: list[str], protocol: str) -> None:
    for metric in ("roc_auc", "balanced_accuracy"):
        rows = [
            [d, *(found.cell(d, place).metrics[metric].percent() for place in places)]
            for d in found.detectors
        ]
        print_table(f"{metric}, {protocol}: %", ["", *places], rows)
    for gap in found.gaps:
        typer.echo(f"gap of {gap.detector}, {gap.metric}: {gap.gap.percent()} points")
    for part in found.left_out:
        area = part.metrics["roc_auc"].percent()
        known = (part.reference or {}).get("roc_auc")
        beside = f", reference {known.percent()}" if known else ""
        typer.echo(f"{part.detector} on {part.generator}, left out: ROC AUC {area}{beside}")


def _pairs(given: list[str] | None, flag: str) -> dict[str, str]:
    from authentiscan.core.errors import UsageError

    found = {}
    for text in given or ():
        key, equals, value = text.partition("=")
        if not equals or not key or not value:
            raise UsageError(f"{flag} takes detector=name, got {text!r}")
        found[key] = value
    return found
