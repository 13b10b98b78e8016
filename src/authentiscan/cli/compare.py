"""`authentiscan compare`: several detectors, also other people's, on the same images."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from authentiscan.cli.guard import claim
from authentiscan.cli.options import (
    CORES,
    AsJson,
    DataList,
    Latex,
    MostImages,
    ReportFolder,
    Rounds,
    Seed,
    TestSplit,
    Workers,
)
from authentiscan.cli.screen import bars, note, print_table, warn

if TYPE_CHECKING:
    from pathlib import Path

    from authentiscan.evaluation.compare import Comparisons, Tables


def compare(
    detectors: Annotated[
        list[str],
        typer.Argument(
            metavar="DETECTOR...",
            help="Two or more, each `default`, a bundle's folder, a run's folder or name, a .json "
            "describing an ONNX file, module:callable, or a .csv of scores. `name=` before it "
            "renames it.",
        ),
    ],
    *,
    data: DataList,
    split: TestSplit = None,
    protocol: Annotated[
        list[str] | None,
        typer.Option(
            "--protocol",
            help="`raw`, `matched`, `history` or a degradation chain; repeat. Default raw, matched",
        ),
    ] = None,
    images: MostImages = 0,
    output: ReportFolder = None,
    latex: Latex = None,
    bootstrap: Rounds = 1000,
    seed: Seed = 0,
    workers: Workers = CORES,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the summary as a Markdown table.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Judge detectors on the same images: one table, and whether the differences are real.

    Every detector sees exactly the same pixels, decoded once for all; only a CSV brings scores
    made elsewhere. A callable takes uint8 pixels (H, W, 3) and returns P(generated), 0..1.

    Examples:
        authentiscan compare runs/a runs/b --data web.parquet -o versus
        authentiscan compare default rival=rival.json mine:score --data web.parquet --markdown

    """
    from authentiscan.cli.parts import open_rows
    from authentiscan.evaluation.adapters import open_candidates
    from authentiscan.evaluation.compare import compare as run
    from authentiscan.evaluation.compare_page import summary_markdown, write_comparison
    from authentiscan.evaluation.judges import judge_of_candidate
    from authentiscan.evaluation.robustness import sample
    from authentiscan.evaluation.slices import Options

    candidates = open_candidates(detectors)
    named = [text.partition("=")[2] or text for text in data]
    claim(latex, folders=[output], inputs=named)
    cache = output / "scores" if output else None
    sources = [open_rows(text, split) for text in data]
    sources = [replace(s, manifest=sample(s.manifest, images, seed)) for s in sources]
    with bars("scoring ") as progress:
        found, tables = run(
            candidates,
            sources,
            protocols=tuple(dict.fromkeys(protocol or ("raw", "matched"))),
            options=Options(rounds=bootstrap, seed=seed),
            cache=cache,
            progress=progress,
            workers=workers,
        )
    if output:
        judges = [judge_of_candidate(candidate) for candidate in candidates]
        _write_scores(output, tables)
        note(f"report: {write_comparison(found, output, judges)}")
    if latex:
        _write_latex(latex, found, named)
    if as_json:
        typer.echo(found.model_dump_json(indent=2))
    elif markdown:
        typer.echo(summary_markdown(found))
    else:
        _print(found)
    for warning in found.warnings:
        warn(warning)
    if any(c.common < c.data.images for c in found.found):
        raise typer.Exit(1)


def _write_scores(output: Path, tables: Tables) -> None:
    from authentiscan.evaluation.report import file_name

    for (place, protocol), by_name in tables.items():
        for name, table in by_name.items():
            table.write(output / f"scores-{file_name(f'{name}-{place}-{protocol}')}.csv")


def _write_latex(path: Path, found: Comparisons, inputs: list[str]) -> None:
    from authentiscan.evaluation.compare_page import summary_table
    from authentiscan.report.tables import write_latex

    write_latex(path, [(name, summary_table(found.of(name))) for name in found.data], inputs=inputs)
    note(f"tables: {path}")


def _print(found: Comparisons) -> None:
    from authentiscan.evaluation.compare_page import SUMMARY
    from authentiscan.evaluation.words import WORDS
    from authentiscan.metrics.bootstrap import Estimate

    for place in found.data:
        parts = found.of(place)
        rows = [
            [
                f"{name}, {c.protocol}",
                *(c.standings[i].metrics.get(m, Estimate(None)).percent() for m in SUMMARY),
            ]
            for i, name in enumerate(found.detectors)
            for c in parts
        ]
        title = f"{place}, {parts[0].common} images: %, 95 % intervals"
        print_table(title, ["", *(WORDS[m] for m in SUMMARY)], rows)
        for c in parts:
            for test in c.tests:
                d, p = test.differences["roc_auc"], test.p_holm.get("roc_auc")
                if d.value is not None and p is not None:
                    pair = f"{test.first} − {test.second}, {c.protocol}"
                    typer.echo(f"{pair}: ROC AUC {100 * d.value:+z.1f}, p {p:.3f}")
