"""`authentiscan data verify` and `authentiscan data audit`; registered by `cli.data`."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from authentiscan.cli import screen
from authentiscan.cli.guard import claim
from authentiscan.cli.options import CORES, AsJson, Seed, Workers

if TYPE_CHECKING:
    from authentiscan.checks.audit import Audit
    from authentiscan.checks.verify import Verification
    from authentiscan.core.records import Record
    from authentiscan.report.page import Page

MANIFEST = typer.Argument(
    help="A manifest (data organize), or a folder, zip or table of images with labels.",
    show_default=False,
)
Outputs = Annotated[
    list[Path] | None,
    typer.Option(
        "--output",
        "-o",
        "--html",
        "--plot",
        metavar="FILE",
        help="Write the report to this file, as its ending says: .html (with pictures), .md or "
        ".json; an audit's picture alone as .png. May be given several times.",
    ),
]


def verify(
    manifest: Annotated[Path, MANIFEST],
    *,
    fix: Annotated[
        Path | None,
        typer.Option(
            "--fix",
            metavar="OUT.parquet",
            help="Write a cleaned manifest, and beside it OUT.removed.csv with every row that went "
            "and why. Of exact copies one stays (test before val before train); copies with both "
            "labels all go; copies and groups across splits stay in the foremost split only.",
        ),
    ] = None,
    output: Outputs = None,
    as_json: AsJson = False,
    listed: Annotated[
        int, typer.Option("--listed", min=1, help="Problems of each kind that are spelled out.")
    ] = 1000,
    workers: Workers = CORES,
) -> None:
    """Check every image of a manifest: readable, no copies across splits or labels, no leaks.

    Finds exact copies (same bytes, same pixels) and near ones (resized, re-encoded, cropped by some
    5 %), groups in two splits, facts that the files contradict, and skewed classes. Exit code 1
    where anything leaks between splits, an image is unreadable, or exact copies have both labels.

    Examples:
        authentiscan data verify data.parquet -o verify.html
        authentiscan data verify data.parquet --fix clean.parquet

    """
    from authentiscan.checks import verify as room
    from authentiscan.datasets.open import open_data

    _check(output, ".html", ".md", ".json")
    opened = open_data(manifest)
    removals = fix.parent / f"{fix.stem}.removed.csv" if fix else None
    claim(fix, removals, *(output or ()), inputs=chain([manifest], opened.files()))
    with screen.bars() as bar:
        found = room.verify(
            opened, name=manifest.name, workers=workers, listed=listed, progress=bar
        )
    report = found.report
    for target in output or ():
        _write(target, report, lambda: room.verification_page(opened, report))
    removed = found.fix(fix) if fix is not None else []
    if as_json:
        typer.echo(report.model_dump_json(indent=2))
    else:
        _print_verification(report)
    if fix is not None:
        typer.echo(f"{fix}: {report.rows - len(removed)} rows, {len(removed)} went", err=True)
    if not report.trustworthy:
        raise typer.Exit(1)


def audit(
    manifest: Annotated[Path, MANIFEST],
    *,
    after: Annotated[
        list[str] | None,
        typer.Option(
            "--after",
            metavar="CHAIN",
            help="Measure once more after every image went through these degradations, such as "
            "'jpeg:quality=90'; may be given several times.",
        ),
    ] = None,
    matched: Annotated[
        Path | None,
        typer.Option(
            "--matched",
            metavar="OUT.parquet",
            help="Write a manifest in which format, size and JPEG settings are the same for both "
            "classes, and measure it too.",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            metavar="DETECTOR",
            help="Also name the images whose label this detector contradicts; best one that did "
            "not learn from them.",
        ),
    ] = None,
    output: Outputs = None,
    as_json: AsJson = False,
    limit: Annotated[
        int, typer.Option("--limit", min=20, help="Images measured, drawn by --seed.")
    ] = 20_000,
    seed: Seed = 0,
    workers: Workers = CORES,
) -> None:
    """Can a model cheat? Measure how well facts that must not matter tell real from generated.

    A small classifier, cross-validated by group, guesses the label from format, size, bytes, JPEG
    settings, metadata and borders, and from traces of compression and resizing in the pixels. AUC
    0.5: no shortcut; 1: the label can be had without looking at the picture. Images whose label may
    be wrong are named too: a "real" one that says it was generated, or that --model contradicts.

    Examples:
        authentiscan data audit data.parquet -o audit.html
        authentiscan data audit data.parquet --after jpeg:quality=90 --matched matched.parquet
        authentiscan data audit data.parquet --model default -o audit.html

    """
    from authentiscan.checks import audit as room
    from authentiscan.core.files import write_bytes
    from authentiscan.datasets.open import open_data
    from authentiscan.inference import load_detector

    _check(output, ".html", ".md", ".json", ".png")
    detector = load_detector(model, threads=1) if model else None
    opened = open_data(manifest)
    claim(matched, *(output or ()), inputs=chain([manifest], opened.files()))
    with screen.bars() as bar:
        auditor = room.Auditor(
            after=after or (),
            matched=matched is not None,
            limit=limit,
            workers=workers,
            seed=seed,
            progress=bar,
        )
        found = auditor(opened, manifest.name)
        suspects = room.label_errors(
            opened,
            detector=detector,
            workers=workers,
            limit=limit,
            seed=seed,
            progress=bar("looking at labels"),
        )
    report = found.report.model_copy(update={"label_errors": suspects})
    if matched is not None and found.matched is not None:
        found.matched.write(matched)
    for target in output or ():
        if target.suffix.lower() == ".png":
            write_bytes(target, room.picture(report))
        else:
            _write(target, report, lambda: room.audit_page(report))
    if as_json:
        typer.echo(report.model_dump_json(indent=2))
    else:
        _print_audit(report)


def _print_verification(report: Verification) -> None:
    from rich.console import Console
    from rich.table import Table

    out = Console()
    table = Table(
        "", "sets", "beyond the first", "pairs", "across splits", "across labels", box=None
    )
    words = {"bytes": "same file", "pixels": "same pixels", "near": "near copies"}
    for kind, count in report.copies.items():
        numbers = (
            count.sets,
            count.extra,
            count.pairs,
            count.sets_across_splits,
            count.sets_across_labels,
        )
        table.add_row(words[kind], *map(str, numbers))
    labels = report.counts["label"]
    out.print(
        f"{report.manifest}: {report.rows} rows, {labels['real']} real, "
        f"{labels['generated']} generated, {report.unreadable_count} unreadable, "
        f"{report.mismatch_count} facts contradicted"
    )
    out.print(table)
    for part in report.balance:
        if part.note:
            out.print(f"{part.part} {part.name}: {part.real} / {part.generated}, {part.note}")
    for one in report.expectations:
        out.print(f"{one.dataset}: {one.found} of {one.published} published images")
    for bad in report.unreadable[:10]:
        out.print(f"unreadable: {bad.image.name}: {bad.error}", markup=False)
    for warning in report.warnings:
        screen.warn(warning)
    out.print(
        f"{report.leaks} leaks between splits, {report.group_leak_count} of them groups; "
        f"{report.images_per_second:.0f} images a second"
    )


_SHOWN = 10  # labels to look at on the screen


def _print_audit(report: Audit) -> None:
    from rich.console import Console
    from rich.table import Table

    out = Console()
    table = Table("shortcut", *(m.version for m in report.measured), box=None)
    for i, shortcut in enumerate(report.measured[0].shortcuts):
        found = [m.shortcuts[i] for m in report.measured]
        table.add_row(shortcut.name, *(f"{s.auc:.3f} ({s.low:.3f}..{s.high:.3f})" for s in found))
    out.print(
        f"{report.manifest}: how well each tells the label (AUC), "
        f"{report.measured[0].images} images"
    )
    out.print(table)
    for finding in report.findings:
        if finding.severity != "none":
            out.print(f"- {finding.message} {finding.remedy}", markup=False)
    if report.label_errors:
        out.print(f"{len(report.label_errors)} labels to look at:")
    for one in report.label_errors[:_SHOWN]:
        out.print(f"- {one.name} (labelled {one.label}): {one.message}", markup=False)
    if len(report.label_errors) > _SHOWN:
        out.print("- … all of them with -o audit.html or --json")
    if report.matching is not None:
        out.print(
            f"matched version: {report.matching.rows} rows, matched by {report.matching.level}, "
            f"{report.matching.recompressed} compressed anew"
        )


def _check(targets: list[Path] | None, *endings: str) -> None:
    """Before the work: every target ends in what can be written."""
    from authentiscan.core.errors import UsageError

    for target in targets or ():
        if target.suffix.lower() not in endings:
            raise UsageError(f"--output {target}: allowed endings are {', '.join(endings)}")


def _write(target: Path, report: Record, page: Callable[[], Page]) -> None:
    from authentiscan.core.files import write_text

    if target.suffix.lower() == ".json":
        write_text(target, report.model_dump_json(indent=2) + "\n")
    else:
        page().save(target)
