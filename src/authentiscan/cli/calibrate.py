"""`authentiscan calibrate`: scores, thresholds and the inconclusive band of a bundle, from data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypedDict

import typer

from authentiscan.cli.guard import claim
from authentiscan.cli.options import (
    CORES,
    AsJson,
    DetectorArgument,
    ReportFolder,
    Split,
    Workers,
)
from authentiscan.cli.screen import note, progress, warn

if TYPE_CHECKING:
    from typing import Literal

    from authentiscan.datasets.open import NamedData
    from authentiscan.evaluation.hold_out import HeldOutThresholds
    from authentiscan.evaluation.noise_limit import NoiseLimit
    from authentiscan.evaluation.recalibrate import CalibrationResult, Choice
    from authentiscan.evaluation.scores import ScoreTable
    from authentiscan.manifest.table import Manifest
    from authentiscan.metrics.decision import Decision
    from authentiscan.metrics.held_out import Promise
    from authentiscan.metrics.thresholds import Costs


def calibrate(
    detector: DetectorArgument,
    *,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", "-d", help="Manifest (.parquet), or a folder or zip with real/ and fake/."
        ),
    ] = None,
    scores: Annotated[
        Path | None,
        typer.Option(
            "--scores",
            help="Instead of --data: a table with label, source and logit, logit_PROTOCOL or "
            "score. Implies --hold-out-sources.",
        ),
    ] = None,
    hold_out_sources: Annotated[
        bool,
        typer.Option(
            "--hold-out-sources",
            help="Set both thresholds so that their error rates hold on sources left out.",
        ),
    ] = False,
    split: Annotated[
        Split | None,
        typer.Option(
            "--split",
            help="Rows of the data to use, best none of the test. [default: val where there are "
            "any, else all]",
        ),
    ] = None,
    protocol: Annotated[
        list[str] | None,
        typer.Option(
            "--protocol",
            help="`raw`, `matched`, `history` or a degradation chain. Default matched; raw and "
            "matched with --hold-out-sources, where rates hold under each.",
        ),
    ] = None,
    method: Annotated[
        str,
        typer.Option(
            "--method", help="`platt`, `temperature`, `isotonic`, or `auto`: best cross-validated."
        ),
    ] = "auto",
    fpr: Annotated[
        list[str] | None,
        typer.Option(
            "--fpr",
            help="False-positive rates to state thresholds for, 0..1: --fpr 0.01,0.05. With "
            "--hold-out-sources one rate. [default: 0.02]",
        ),
    ] = None,
    miss: Annotated[
        float | None,
        typer.Option(
            "--miss",
            min=0.0001,
            max=0.9999,
            help="Most of the generated images that may be called real, 0..1. Without it --cost "
            "decides; with --hold-out-sources 0.05.",
        ),
    ] = None,
    right: Annotated[
        float,
        typer.Option(
            "--right",
            min=0.5,
            max=0.9999,
            help="With --hold-out-sources: least share of each verdict that is right where half "
            "of the images are generated.",
        ),
    ] = 0.9,
    decide: Annotated[
        str,
        typer.Option(
            "--decide",
            help="The rate whose threshold means `generated`, or `cost`: the cheapest threshold.",
        ),
    ] = "0.05",
    cost: Annotated[
        str,
        typer.Option("--cost", help="What answers cost; chooses the inconclusive band."),
    ] = "false_alarm=10,miss=5,inconclusive=1",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the result, leave the bundle as it is.")
    ] = False,
    output: ReportFolder = None,
    workers: Workers = CORES,
    as_json: AsJson = False,
) -> None:
    """Fit a detector's scores to probabilities and choose its thresholds, on validation data.
    Its detector.json is rewritten.

    Use images that neither training nor the final test sees. A threshold is stated by the share
    of real photographs it flags, with an interval. Between the lower and the upper threshold the
    verdict is inconclusive; the lower one is where an answer would cost more than none.

    With --hold-out-sources the score curve stays, and both thresholds are set on sources that
    training never saw, each source judged by the threshold that the others set. A verdict whose
    rates cannot be held is never given. With --data also the noise is measured above which
    photographs would be taken for generated; such images get no verdict.

    Examples:
        authentiscan calibrate runs/baseline --data web.parquet --dry-run
        authentiscan calibrate runs/baseline --data web.parquet --fpr 0.01,0.05 -o calibration
        authentiscan calibrate runs/baseline --data unseen.parquet --hold-out-sources --fpr 0.02

    """
    from authentiscan.cli.parts import open_rows
    from authentiscan.core.errors import UsageError
    from authentiscan.evaluation.hold_out import write_thresholds
    from authentiscan.evaluation.recalibrate import recalibrate, write_calibration
    from authentiscan.inference import find_bundle

    bundle = find_bundle(detector)
    holding = hold_out_sources or scores is not None
    source = data or scores
    if source is None or (data and scores):
        raise UsageError("give either --data (images) or --scores (a table of scores)")
    claim(folders=[output, None if dry_run else bundle], inputs=[data] if data else [])
    chosen = protocol or (["raw", "matched"] if holding else ["matched"])
    if len(chosen) > 1 and not holding:
        raise UsageError("a score curve is fitted under one --protocol")
    fitting = _fitting(method, fpr, decide, miss, cost) if not holding else {}
    promise = _promise(fpr, miss, right) if holding else None
    tables: list[ScoreTable] = []
    images = None
    if data is not None:
        images = open_rows(data, split, wanted="val")
        cache = output / "scores" if output else None
        tables = _score(bundle, images.manifest, chosen, cache=cache, workers=workers)
    if promise is not None:
        held = _hold_out(bundle, tables, images or source, promise)
        if not dry_run:
            write_thresholds(bundle, held)
        typer.echo(held.model_dump_json(indent=2) if as_json else held.text())
    else:
        name = images.name if images else ""
        result = recalibrate(tables[0], **fitting, measured_on=f"{name}, {chosen[0]}")
        if not dry_run:
            write_calibration(bundle, result)
        if output:
            _write_report(result, detector, bundle, output)
        _show_result(result, as_json=as_json)
    note("nothing written" if dry_run else f"written to {bundle}/detector.json")
    if failed := max((table.failed for table in tables), default=0):
        warn(f"{failed} images could not be scored")
        raise typer.Exit(1)


def _show_result(result: CalibrationResult, *, as_json: bool) -> None:
    typer.echo(result.model_dump_json(indent=2) if as_json else _text(result))
    for warning in result.warnings:
        warn(warning)


def _score(
    bundle: Path,
    manifest: Manifest,
    protocols: list[str],
    *,
    cache: Path | None,
    workers: int,
) -> list[ScoreTable]:
    """The scores of the images under each protocol."""
    from authentiscan.evaluation.harness import score_protocols
    from authentiscan.evaluation.protocol import named
    from authentiscan.inference import load_detector

    loaded = load_detector(bundle, threads=1)
    chosen = [named(text, manifest) for text in protocols]
    with progress("scoring") as update:
        return score_protocols(loaded, manifest, chosen, update, cache=cache, workers=workers)


def _hold_out(
    bundle: Path,
    tables: list[ScoreTable],
    source: NamedData | Path,
    promise: Promise,
) -> HeldOutThresholds:
    """Thresholds that keep ``promise``, from images or from a table of scores; from images also the
    noise above which no photograph is judged.
    """
    from authentiscan.evaluation.hold_out import hold_out, of_table, scored_by

    if isinstance(source, Path):
        return hold_out(scored_by(bundle, source), promise, measured_on=source.stem)
    scored = {table.protocol: of_table(table) for table in tables}
    held = hold_out(scored, promise, measured_on=source.name)
    limit = _noise_limit(bundle, source.manifest, held.decision, promise.fpr)
    return held.model_copy(update={"noise": limit})


def _write_report(result: CalibrationResult, detector: str, bundle: Path, output: Path) -> None:
    from authentiscan.evaluation.calibration_page import write_calibration_report
    from authentiscan.inference import read_spec
    from authentiscan.report.judges import judge_of

    judges = [judge_of(read_spec(bundle))]
    note(f"report: {write_calibration_report(result, detector, output, judges)}")


def _noise_limit(bundle: Path, manifest: Manifest, decision: Decision, most: float) -> NoiseLimit:
    from authentiscan.evaluation.noise_limit import noise_limit
    from authentiscan.inference import load_detector

    with progress("adding noise") as update:
        return noise_limit(load_detector(bundle), manifest, decision, most=most, progress=update)


class _Fitting(TypedDict, total=False):
    """What `recalibrate` is asked for."""

    method: Choice
    fprs: tuple[float, ...]
    decide: float | Literal["cost"]
    miss: float | None
    costs: Costs


def _fitting(
    method: str, fpr: list[str] | None, decide: str, miss: float | None, cost: str
) -> _Fitting:
    from authentiscan.evaluation.recalibrate import parse_costs

    return {
        "method": _method(method),
        "fprs": _rates(fpr),
        "decide": _rule(decide),
        "miss": miss,
        "costs": parse_costs(cost),
    }


def _promise(fpr: list[str] | None, miss: float | None, right: float) -> Promise:
    from authentiscan.core.errors import UsageError
    from authentiscan.metrics.held_out import Promise

    rates_wanted = {"right": right} | ({} if miss is None else {"miss": miss})
    if fpr:
        rates = _rates(fpr)
        if len(rates) > 1:
            raise UsageError(f"--hold-out-sources takes one --fpr, got {list(rates)}")
        rates_wanted["fpr"] = rates[0]
    return Promise(**rates_wanted)


def _text(result: CalibrationResult) -> str:
    from authentiscan.metrics.decision import score_words, sentences

    lines = [f"method      {result.method}, on {result.images} images of {result.measured_on}"]
    for q in result.quality:
        lines.append(
            f"{q.method:<12}Brier {q.brier:.4f}  calibration error {q.ece:.4f}  "
            f"log loss {q.log_loss:.4f}"
        )
    for t in result.thresholds:
        low, high = t.fpr_interval
        lines.append(
            f"{t.name:<12}score {score_words(t.score)}  "
            f"flags {t.fpr:.1%} [{low:.1%}, {high:.1%}] of real, finds {t.tpr:.1%} of generated"
        )
    lines += [f"{'':<12}{text}" for text in result.sample_sizes]
    lines += sentences(result.decision)
    lines.append(f"mean cost   {result.mean_cost:.3f}")
    for truth, counts in (("real", result.verdicts.real), ("generated", result.verdicts.generated)):
        lines.append(f"{truth:<12}" + ", ".join(f"{n} {word}" for word, n in counts.items()))
    return "\n".join(lines)


def _rates(given: list[str] | None) -> tuple[float, ...]:
    from authentiscan.core.errors import UsageError
    from authentiscan.evaluation.recalibrate import DEFAULT_FPRS

    if not given:
        return DEFAULT_FPRS
    try:
        rates = tuple(float(part) for text in given for part in text.replace(",", " ").split())
    except ValueError:
        rates = ()
    if not rates or not all(0 < rate < 1 for rate in rates):
        raise UsageError(f"--fpr takes rates between 0 and 1 such as 0.01,0.05, got {given}")
    return rates


def _rule(text: str) -> float | Literal["cost"]:
    if text == "cost":
        return "cost"
    return _rates([text])[0]


def _method(text: str) -> Literal["platt", "temperature", "isotonic", "auto"]:
    from authentiscan.core.errors import UsageError

    if text in ("platt", "temperature", "isotonic", "auto"):
        return text  # type: ignore[return-value]
    raise UsageError(f"--method {text!r}: allowed are platt, temperature, isotonic, auto")
