"""`authentiscan explain-compare`: where several detectors look."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Annotated

import typer

from authentiscan.cli import screen
from authentiscan.cli.guard import claim
from authentiscan.cli.options import CORES, DataList, Seed, Workers


def explain_compare(
    *,
    models: Annotated[
        list[str],
        typer.Option(
            "--model",
            "-m",
            metavar="DETECTOR",
            help="Once a detector: `default`, a bundle's folder, a run's folder or name.",
        ),
    ],
    data: DataList,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for pictures and tables.")],
    split: Annotated[
        str | None, typer.Option(help="Only rows of this split, such as test; default: all.")
    ] = None,
    samples: Annotated[
        int, typer.Option(min=1, max=10_000, help="Images of every data set, half of each class.")
    ] = 20,
    seed: Seed = 0,
    workers: Workers = CORES,
) -> None:
    """Compare where detectors look, on the same samples of every data set.

    Writes an overlay for every detector and sample, the mean map of every detector on every data
    set, and how much each two detectors agree: overlap of the strongest fifth of the image (0.11 is
    chance) and correlation, as CSV and pictures.

    Examples:
        authentiscan explain-compare -m runs/a -m runs/b -d cifake.parquet -o where/
        authentiscan explain-compare -m default -d web.parquet --split test --samples 50 -o where/

    """
    from authentiscan.datasets.open import open_named
    from authentiscan.explain.compare import compare
    from authentiscan.inference import find_bundle, load_detector

    claim(folders=[output], inputs=data)
    bundles = [find_bundle(text) for text in models]
    names = _distinct([_run_or_bundle(path.resolve()).name for path in bundles])
    detectors = {
        name: load_detector(path, threads=workers)
        for name, path in zip(names, bundles, strict=True)
    }
    opened = [open_named(text, split=split) for text in data]
    names = _distinct([found.name for found in opened])
    datasets = {name: found.manifest for name, found in zip(names, opened, strict=True)}
    images = sum(min(samples, len(manifest)) for manifest in datasets.values())
    total, done = images * len(detectors), count(1)
    with screen.progress("explaining") as update:
        found = compare(
            detectors,
            datasets,
            output,
            samples=samples,
            seed=seed,
            progress=lambda: update(next(done), total),
        )
    for line in found.skipped:
        screen.warn(f"skipped {line}")
    rows = [
        [r.dataset, r.first, r.second, f"{r.iou:.2f}", f"{r.correlation:+.2f}", str(r.images)]
        for r in found.overlaps
        if r.first != r.second
    ]
    head = ["data set", "first", "second", "overlap", "correlation", "images"]
    screen.print_table("", head, rows, words=(0, 1, 2))
    typer.echo(f"{len(found.seen)} overlays and the tables are in {output}")
    if found.skipped:
        raise typer.Exit(1)


def _distinct(names: Sequence[str]) -> list[str]:
    """The names, numbered where two are alike."""
    found: list[str] = []
    for stem in names:
        name, number = stem, 2
        while name in found:
            name, number = f"{stem}_{number}", number + 1
        found.append(name)
    return found


def _run_or_bundle(folder: Path) -> Path:
    """A run's folder says more than the word `bundle` below it."""
    return folder.parent if folder.name == "bundle" else folder
