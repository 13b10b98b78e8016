"""`authentiscan ensemble`: several detectors as one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from authentiscan.cli.guard import claim
from authentiscan.cli.options import (
    CORES,
    AsJson,
    OneProtocol,
    Rounds,
    Seed,
    Split,
    SplitOption,
    Workers,
)
from authentiscan.cli.screen import bars, print_table

if TYPE_CHECKING:
    from authentiscan.manifest.table import Manifest
    from authentiscan.training.ensemble import Ensembled, Weights


def ensemble(
    members: Annotated[
        list[str],
        typer.Argument(
            metavar="DETECTOR...",
            help="Two or more, each `default`, a bundle's folder, or a run's folder or name. "
            "An ensemble may be a member too.",
        ),
    ],
    *,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", "--out", help="Folder of the ensemble, a bundle like any other."
        ),
    ],
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            "-d",
            help="Where weights are fitted: manifest (.parquet), or a folder or zip with real/ and "
            "fake/.",
        ),
    ] = None,
    sides: Annotated[
        list[str] | None,
        typer.Option(
            "--sides",
            metavar="FROM-TO",
            help="Which images a DETECTOR judges: from and to which shorter side in pixels, once "
            "for each in order, such as `65-` and `1-64`. Nothing is fitted then.",
        ),
    ] = None,
    split: SplitOption = Split.VAL,
    weights: Annotated[
        str,
        typer.Option(
            "--weights", help="`fit`, `equal`, or one number a member such as 0.5,0.3,0.2."
        ),
    ] = "fit",
    protocol: OneProtocol = "matched",
    name: Annotated[
        str | None, typer.Option(help="The ensemble's name. [default: the folder's]")
    ] = None,
    bootstrap: Rounds = 1000,
    seed: Seed = 0,
    workers: Workers = CORES,
    as_json: AsJson = False,
) -> None:
    """Join detectors to one that weighs their logits, and measure whether that is worth it.

    The result loads wherever a bundle does: scan, explain, evaluate, compare, calibrate. Members
    are copied into it and keep their own preprocessing. Weights, calibration and thresholds are
    fitted on the validation images, which no member may have learned from; `fit` is a logistic
    regression with no weight below 0. Rows of the split `test` are for measuring alone.

    With --sides the size of an image chooses who judges it. Each detector keeps its own thresholds,
    moved onto those of the first, so that a score means the same for every size.

    Examples:
        authentiscan ensemble runs/a runs/b -o both --data all.parquet
        authentiscan ensemble default runs/a -o both --data all.parquet --weights equal
        authentiscan ensemble default runs/small -o both --sides 65- --sides 1-64

    """
    from authentiscan.core.errors import UsageError
    from authentiscan.datasets.open import open_data
    from authentiscan.evaluation.slices import Options
    from authentiscan.inference import find_bundle
    from authentiscan.training.ensemble import make_ensemble

    claim(output, inputs=[*([data] if data else []), *members])
    chosen, found = _weights(weights), [find_bundle(member) for member in members]
    if sides:
        _by_size(found, sides, output, name or output.name, as_json=as_json)
        return
    if data is None:
        raise UsageError("--data is missing: the images on which weights are fitted, or --sides")
    validation = open_data(data, split=split)
    with bars() as progress:
        made = make_ensemble(
            found,
            output,
            validation,
            test=_test_part(data, split),
            weights=chosen,
            protocol=protocol,
            name=name,
            options=Options(rounds=bootstrap, seed=seed),
            progress=progress,
            workers=workers,
        )
    if as_json:
        typer.echo(made.spec.model_dump_json(indent=2))
    else:
        _print(made, output)


def _by_size(
    bundles: list[Path], sides: list[str], output: Path, name: str, *, as_json: bool
) -> None:
    from authentiscan.core.errors import UsageError
    from authentiscan.inference.card import sides_words
    from authentiscan.inference.ensemble import save_by_size

    if len(sides) != len(bundles):
        raise UsageError(f"{len(bundles)} detectors need --sides as often, got {len(sides)}")
    ranges = [_sides(text) for text in sides]
    made = save_by_size(list(zip(bundles, ranges, strict=True)), output, name=name)
    if as_json:
        typer.echo(made.model_dump_json(indent=2))
        return
    for member in made.members:
        typer.echo(f"{member.spec.name}: {sides_words(member.sides)}")
    typer.echo(f"Wrote {output}, a bundle: authentiscan scan --model {output} IMAGES")


def _sides(text: str) -> tuple[int, int]:
    from authentiscan.core.errors import UsageError
    from authentiscan.inference.spec import LARGEST_SIDE

    least, dash, largest = text.partition("-")
    if not (dash and least.isdecimal() and (largest.isdecimal() or not largest)):
        raise UsageError(f"--sides {text!r}: write it as 1-64, or 65- for 65 pixels and more")
    return int(least), int(largest or LARGEST_SIDE)


def _weights(text: str) -> Weights:
    from authentiscan.core.errors import UsageError

    if text == "fit":
        return "fit"
    if text == "equal":
        return "equal"
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(
            f"--weights {text!r}: allowed are fit, equal, or numbers such as 0.5,0.3,0.2"
        ) from None


def _test_part(data: Path, split: Split) -> Manifest | None:
    """Test rows of both classes where the manifest has them and they are not fitted on."""
    from authentiscan.datasets.open import open_data

    if split in (Split.ALL, Split.TEST) or data.suffix != ".parquet":
        return None
    rows = open_data(data).where(split="test")
    return rows if set(rows.labels.tolist()) == {0, 1} else None


def _print(made: Ensembled, out: Path) -> None:
    from authentiscan.evaluation.words import WORDS
    from authentiscan.training.ensemble import SHOWN

    for title, found in (("validation", made.validation), ("test", made.test)):
        if found is None:
            continue
        rows = []
        for standing in found.standings:
            share = made.shares.get(standing.detector)
            figures = [standing.metrics[m].percent() for m in SHOWN if m in standing.metrics]
            rows.append([standing.detector, "" if share is None else f"{share:.2f}", *figures])
        head = ["detector", "share", *(WORDS[m] for m in SHOWN if m in found.standings[0].metrics)]
        about = f"{title}, {found.protocol}, {found.common} images: %, 95 % intervals"
        print_table(about, head, rows)
    typer.echo(made.verdict)
    dropped = [name for name, share in made.shares.items() if share == 0]
    if dropped:
        typer.echo(f"left out, as they add nothing: {', '.join(dropped)}")
    typer.echo(f"bundle: {out}")
