"""`authentiscan evaluate`: measure a detector on a manifest, raw and matched side by side."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from authentiscan.cli.guard import claim
from authentiscan.cli.options import (
    CORES,
    AsJson,
    Data,
    DetectorArgument,
    Latex,
    ReportFolder,
    Rounds,
    Seed,
    TestSplit,
    TrustListOption,
    Workers,
)
from authentiscan.cli.screen import fail, note, print_table, progress, warn

if TYPE_CHECKING:
    from authentiscan.evaluation.gate import Gate
    from authentiscan.evaluation.results import Evaluation
    from authentiscan.evaluation.whole_verdict import WholeVerdict
    from authentiscan.inference import Detector
    from authentiscan.manifest.table import Manifest


class Part(StrEnum):
    """What `evaluate` divides images by."""

    DATASET = "dataset"
    GENERATOR = "generator"
    SOURCE = "source"
    STYLE = "style"
    FORMAT = "format"
    SIZE = "size_band"
    JPEG = "jpeg_band"
    ALL = "all"


def evaluate(
    detector: DetectorArgument,
    *,
    data: Data,
    split: TestSplit = None,
    protocol: Annotated[
        list[str] | None,
        typer.Option(
            "--protocol",
            help="`all`, or any of `raw`, `matched`, `history`, or a degradation chain such as "
            "'resize:scale=0.5 | jpeg:quality=80'. Repeat for several.",
        ),
    ] = None,
    output: ReportFolder = None,
    latex: Latex = None,
    bootstrap: Rounds = 1000,
    threshold: Annotated[
        float | None,
        typer.Option("--threshold", min=0, max=1, help="Instead of the bundle's own."),
    ] = None,
    by: Annotated[
        list[Part] | None,
        typer.Option("--by", help="Also print a table of the parts; repeat, or `all`."),
    ] = None,
    include: Annotated[
        list[Path] | None,
        typer.Option(
            "--include", help="robustness.json or cross.json to show in the report; repeat."
        ),
    ] = None,
    record: Annotated[
        bool,
        typer.Option("--record", help="Write the figures into detector.json and the model card."),
    ] = False,
    whole_verdict: Annotated[
        bool,
        typer.Option(
            "--whole-verdict",
            help="Also judge every file as `scan` does, by pixels, provenance and rules, and count "
            "the verdicts beside those of the pixels alone.",
        ),
    ] = False,
    fail_under: Annotated[
        list[str] | None,
        typer.Option(
            "--fail-under",
            metavar="METRIC=VALUE",
            help="A gate for CI: exit code 3 where the figure is under the value (brier and ece: "
            "above it). PROTOCOL:METRIC=VALUE for another protocol than matched; repeat.",
        ),
    ] = None,
    trust_list: TrustListOption = None,
    seed: Seed = 0,
    workers: Workers = CORES,
    as_json: AsJson = False,
) -> None:
    """Measure a detector: accuracy, AUC, TPR at 1 % and 5 % FPR, calibration, per generator, with
    intervals.

    Files give images away: generated ones are often PNG, photographs JPEG. So everything is
    measured as stored (raw), with both classes re-saved alike (matched), and with both given the
    same number of compressions (history). Raw above matched is the sign of a shortcut, and is
    warned of. The report holds the same per data set, generator, format, size and JPEG quality,
    and the most confident mistakes; --by prints such parts here.

    Exit codes: 0 fine, 1 some images failed, 2 it cannot work as given, 3 a gate was not met.

    Examples:
        authentiscan evaluate default --data web.parquet -o report
        authentiscan evaluate runs/baseline --data web.parquet --split test --by generator
        authentiscan evaluate default --data photos/ --protocol 'resize:scale=0.5 | jpeg:quality=80'
        authentiscan evaluate runs/baseline --data web.parquet --fail-under roc_auc=0.9

    """
    from authentiscan.cli.parts import open_rows
    from authentiscan.evaluation.evaluate import evaluate as run
    from authentiscan.evaluation.gate import Gate, check_protocols
    from authentiscan.evaluation.recalibrate import record_evaluation
    from authentiscan.evaluation.slices import Options
    from authentiscan.inference import find_bundle, load_detector

    gates = [Gate.parse(text) for text in fail_under or ()]
    check_protocols(gates, _protocols(protocol))
    bundle = find_bundle(detector)
    loaded = load_detector(bundle, threads=1)
    claim(latex, folders=[output, bundle if record else None], inputs=[data])
    images = open_rows(data, split)
    with progress("scoring") as update:
        result = run(
            loaded,
            images.manifest,
            name=images.name,
            protocols=_protocols(protocol),
            options=Options(rounds=bootstrap, seed=seed, threshold=threshold),
            cache=output / "scores" if output else None,
            progress=update,
            workers=workers,
        )
    if output:
        from authentiscan.evaluation.report import write_report

        note(f"report: {write_report(result, images.manifest, output, include or ())}")
    if latex:
        _write_latex(latex, result.evaluation, data)
    if record:
        record_evaluation(bundle, result.evaluation)
    whole = None
    if whole_verdict:
        options = {"rounds": bootstrap, "seed": seed, "workers": workers}
        whole = _whole(loaded, images.manifest, trust_list, output, **options)
    _show(result.evaluation, whole, by, as_json=as_json)
    _check_gates(gates, result.evaluation)
    if any(table.failed for table in result.tables.values()):
        raise typer.Exit(1)


def _show(
    evaluation: Evaluation, whole: WholeVerdict | None, by: list[Part] | None, *, as_json: bool
) -> None:
    if as_json:
        further = {"whole_verdict": whole.model_dump(mode="json")} if whole else {}
        typer.echo(dumps({**evaluation.model_dump(mode="json"), **further}, indent=2))
        return
    print_evaluation(evaluation, _parts(by))
    if whole:
        _print_whole(whole)


def _check_gates(gates: Sequence[Gate], evaluation: Evaluation) -> None:
    """Tell each gate on standard error; Exit 3 where one is not met."""
    from authentiscan.evaluation.gate import NOT_MET

    checked = [gate.check(evaluation) for gate in gates]
    for met, words in checked:
        note(f"gate met: {words}") if met else fail(f"gate not met: {words}")
    if not all(met for met, _ in checked):
        raise typer.Exit(NOT_MET)


def _write_latex(path: Path, evaluation: Evaluation, data: Path) -> None:
    from authentiscan.evaluation.evaluation_page import protocols_table, verdicts_table
    from authentiscan.report.tables import write_latex

    about = f"{evaluation.detector.name} on {evaluation.data.name}"
    tables = [
        (about, protocols_table(evaluation)),
        (f"{about}: verdicts", verdicts_table(evaluation)),
    ]
    write_latex(path, tables, inputs=[data])
    note(f"tables: {path}")


def _whole(
    detector: Detector,
    manifest: Manifest,
    trust_list: Path | None,
    output: Path | None,
    **options: int,
) -> WholeVerdict:
    """What `measure` finds with ``options``, written beside the report."""
    from authentiscan.core.files import write_text
    from authentiscan.evaluation.whole_verdict import measure
    from authentiscan.provenance import TrustList

    trust = TrustList.chosen(trust_list)
    with progress("judging whole files") as update:
        found = measure(manifest, detector, trust=trust, progress=update, **options)
    if output:
        write_text(output / "whole_verdict.json", found.model_dump_json(indent=2) + "\n")
    return found


def _print_whole(found: WholeVerdict) -> None:
    from authentiscan.evaluation.whole_verdict import table

    print_table("Verdicts of whole files beside those of the pixels: %", *table(found))
    states = ", ".join(f"{count} {state}" for state, count in sorted(found.c2pa.items()))
    typer.echo(
        f"{found.changed} verdicts differ; {found.failed} failed; C2PA: {states} "
        f"(trust list: {found.trust_list})"
    )


def print_evaluation(evaluation: Evaluation, parts: Sequence[str] = ()) -> None:
    """The protocols side by side, tables of ``parts``, and the warnings, on the terminal."""
    from authentiscan.evaluation.evaluation_page import short_slices_table, verdicts_table
    from authentiscan.evaluation.words import PARTS, WORDS
    from authentiscan.metrics.bootstrap import Estimate

    title = f"{evaluation.detector.name} on {evaluation.data.name}: %, with 95 % intervals"
    rows: list[list[str]] = []
    results = evaluation.protocols.values()
    for metric, words in WORDS.items():
        found = [r.overall.metrics.get(metric, Estimate(None)) for r in results]
        if metric != "recall" and any(f.value is not None for f in found):
            # Short enough for three protocols on 80 columns.
            rows.append([words.partition(" (")[0], *(f.percent() for f in found)])
    rows.append(["images (failed)", *(f"{r.images} ({r.failed})" for r in results)])
    print_table(title, ["", *evaluation.protocols], rows)
    verdicts = verdicts_table(evaluation)
    print_table("Verdicts", ["", *verdicts.head[1:]], verdicts.rows)
    typer.echo(verdicts.note)
    for text in evaluation.sample_sizes:
        typer.echo(f"{text}.")
    for part in parts:
        table = short_slices_table(evaluation, part)
        if not table.rows:
            typer.echo(f"Per {PARTS[part]}: all images are of one.")
            continue
        print_table(f"Per {PARTS[part]}: %", table.head, table.rows)
        typer.echo(table.note)
    for warning in evaluation.warnings:
        warn(warning)


def _parts(given: list[Part] | None) -> list[str]:
    if given and Part.ALL in given:
        return [part.value for part in Part if part is not Part.ALL]
    return list(dict.fromkeys(part.value for part in given or ()))


def _protocols(given: list[str] | None) -> tuple[str, ...]:
    from authentiscan.evaluation.protocol import NAMES

    if not given or given == ["all"]:
        return NAMES
    return tuple(dict.fromkeys(n for p in given for n in (NAMES if p == "all" else (p,))))
