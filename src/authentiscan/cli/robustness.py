"""`authentiscan robustness`: how a detector fares as images are re-saved, resized, shared."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from authentiscan.cli.evaluate import (
    AsJson,
    Data,
    Seed,
    Split,
    SplitOption,
    Workers,
    progress_bar,
)


def robustness(
    bundle: Annotated[str, typer.Argument(help="Bundle folder, or `default`.")],
    *,
    data: Data,
    split: SplitOption = Split.ALL,
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
    images: Annotated[
        int, typer.Option("--images", min=0, help="At most this many images, drawn evenly; 0: all.")
    ] = 400,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for the report and the scores.")
    ] = None,
    bootstrap: Annotated[int, typer.Option("--bootstrap", min=0, help="Bootstrap rounds.")] = 300,
    seed: Seed = 0,
    workers: Workers = 2,
    as_json: AsJson = False,
) -> None:
    """Score the same images again after JPEG, WebP, resizing, blur, noise, cropping, sharing.

    Both classes are degraded alike. Shown are accuracy at the detector's threshold, TPR at 5 %
    FPR, and how often the verdict flips; with --output also curves and a CSV of accuracy against
    JPEG quality.

    Example: authentiscan robustness default --data web.parquet --split test -o robust
    """
    from authentiscan.evaluation.robustness import SWEEPS, sample
    from authentiscan.evaluation.robustness import robustness as run
    from authentiscan.evaluation.robustness_page import robustness_page, write_robustness_report
    from authentiscan.evaluation.slices import Options
    from authentiscan.evaluation.sources import data_name, read_data
    from authentiscan.inference import load_detector

    detector = load_detector(None if bundle == "default" else bundle, threads=1)
    cache = output / "scores" if output else None
    manifest = sample(read_data(data, split=split, cache=cache), images, seed)
    with progress_bar("scoring") as progress:
        result = run(
            detector,
            manifest,
            name=data_name(data, split),
            families=tuple(sweep or SWEEPS),
            pairs=pairs,
            extra={text: text for text in chain or ()},
            base=base,
            options=Options(rounds=bootstrap, seed=seed),
            cache=cache,
            progress=progress,
            workers=workers,
        )
    if output:
        typer.echo(f"report: {write_robustness_report(result, output)}", err=True)
    if as_json:
        typer.echo(result.model_dump_json(indent=2))
        return
    from authentiscan.cli.evaluate import print_table

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
