"""`authentiscan robustness`: how a detector fares as images are re-saved, resized, shared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from authentiscan.cli.guard import claim
from authentiscan.cli.options import (
    CORES,
    AsJson,
    Data,
    DetectorArgument,
    MostImages,
    ReportFolder,
    Rounds,
    Seed,
    TestSplit,
    Workers,
)
from authentiscan.cli.screen import note, print_table, progress

if TYPE_CHECKING:
    from authentiscan.evaluation.robustness import Robustness


def robustness(
    detector: DetectorArgument,
    *,
    data: Data,
    split: TestSplit = None,
    sweep: Annotated[
        list[str] | None,
        typer.Option(
            "--sweep",
            help="jpeg, webp, resize, blur, noise, crop, screenshot, social; repeat. Default all.",
        ),
    ] = None,
    pairs: Annotated[bool, typer.Option("--pairs", help="Also degradations two by two.")] = False,
    chain: Annotated[
        list[str] | None,
        typer.Option("--chain", help="A degradation chain of your own; repeat for several."),
    ] = None,
    base: Annotated[
        str, typer.Option("--base", help="Protocol before every degradation.")
    ] = "matched",
    images: MostImages = 400,
    output: ReportFolder = None,
    bootstrap: Rounds = 300,
    seed: Seed = 0,
    workers: Workers = CORES,
    as_json: AsJson = False,
) -> None:
    """Score the same images again after JPEG, WebP, resizing, blur, noise, cropping, sharing.

    Both classes are degraded alike. Shown are accuracy at the detector's threshold, TPR at 5 %
    FPR, and how often the verdict flips; with --output also curves and a CSV of accuracy against
    JPEG quality.

    Examples:
        authentiscan robustness default --data web.parquet --split test -o robust
        authentiscan robustness runs/baseline --data photos/ --sweep jpeg --sweep resize

    """
    from authentiscan.cli.parts import open_rows
    from authentiscan.evaluation.robustness import SWEEPS, sample
    from authentiscan.evaluation.robustness import robustness as run
    from authentiscan.evaluation.robustness_page import write_robustness_report
    from authentiscan.evaluation.slices import Options
    from authentiscan.inference import load_detector

    loaded = load_detector(detector, threads=1)
    claim(folders=[output], inputs=[data])
    cache = output / "scores" if output else None
    found = open_rows(data, split)
    manifest = sample(found.manifest, images, seed)
    with progress("scoring") as update:
        result = run(
            loaded,
            manifest,
            name=found.name,
            families=tuple(sweep or SWEEPS),
            pairs=pairs,
            extra={text: text for text in chain or ()},
            base=base,
            options=Options(rounds=bootstrap, seed=seed),
            cache=cache,
            progress=update,
            workers=workers,
        )
    if output:
        note(f"report: {write_robustness_report(result, output)}")
    if as_json:
        typer.echo(result.model_dump_json(indent=2))
    else:
        _print(result)


def _print(result: Robustness) -> None:
    from authentiscan.evaluation.robustness_page import robustness_page

    conditions = [result.base, *(c for c in result.conditions if c.family != "pairs")]
    print_table(
        f"{robustness_page(result).title}: %",
        ["", "balanced", "ROC AUC", "TPR5", "flips"],
        [
            [
                c.label,
                c.metrics["balanced_accuracy"].percent(),
                c.metrics["roc_auc"].percent(),
                c.metrics["tpr_at_fpr_5"].percent().partition(" ")[0],
                f"{100 * (c.flips.value or 0):.1f}",
            ]
            for c in conditions
        ],
    )
