"""`authentiscan calibrate`: scores, thresholds and the inconclusive band of a bundle, from data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from authentiscan.cli.options import (
    CORES,
    AsJson,
    Data,
    DetectorArgument,
    ReportFolder,
    Split,
    SplitOption,
    Workers,
)
from authentiscan.cli.screen import note, progress, warn

if TYPE_CHECKING:
    from typing import Literal

    from authentiscan.evaluation.recalibrate import CalibrationResult


def calibrate(
    detector: DetectorArgument,
    *,
    data: Data,
    split: SplitOption = Split.VAL,
    protocol: Annotated[
        str, typer.Option("--protocol", help="`raw`, `matched`, `history` or a degradation chain.")
    ] = "matched",
    method: Annotated[
        str,
        typer.Option(
            "--method", help="`platt`, `temperature`, `isotonic`, or `auto`: best cross-validated."
        ),
    ] = "auto",
    fpr: Annotated[
        list[str] | None,
        typer.Option(
            "--fpr", help="False-positive rates to state thresholds for, 0..1: --fpr 0.01,0.05"
        ),
    ] = None,
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

    Examples:
        authentiscan calibrate runs/baseline --data web.parquet --dry-run
        authentiscan calibrate runs/baseline --data web.parquet --fpr 0.01,0.05 -o calibration

    """
    from authentiscan.evaluation.harness import score_manifest
    from authentiscan.evaluation.protocol import named
    from authentiscan.evaluation.recalibrate import parse_costs, recalibrate, write_calibration
    from authentiscan.evaluation.sources import data_name, read_data
    from authentiscan.inference import find_bundle, load_detector

    costs, rates, rule = parse_costs(cost), _rates(fpr), _rule(decide)
    bundle = find_bundle(detector)
    loaded = load_detector(bundle, threads=1)
    cache = output / "scores" if output else None
    manifest = read_data(data, split=split, cache=cache)
    with progress("scoring") as update:
        table = score_manifest(
            loaded, manifest, named(protocol, manifest), update, cache=cache, workers=workers
        )
    name = f"{data_name(data, split)}, {protocol}"
    result = recalibrate(
        table, method=_method(method), fprs=rates, decide=rule, costs=costs, measured_on=name
    )
    if not dry_run:
        write_calibration(bundle, result)
    if output:
        from authentiscan.evaluation.calibration_page import write_calibration_report

        note(f"report: {write_calibration_report(result, loaded.spec.name, output)}")
    typer.echo(result.model_dump_json(indent=2) if as_json else _text(result))
    for warning in result.warnings:
        warn(warning)
    note("nothing written" if dry_run else f"written to {bundle}/detector.json")
    if table.failed:
        warn(f"{table.failed} images could not be scored")
        raise typer.Exit(1)


def _text(result: CalibrationResult) -> str:
    lines = [f"method      {result.method}, on {result.images} images of {result.measured_on}"]
    for q in result.quality:
        lines.append(
            f"{q.method:<12}Brier {q.brier:.4f}  calibration error {q.ece:.4f}  "
            f"log loss {q.log_loss:.4f}"
        )
    for t in result.thresholds:
        low, high = t.fpr_interval
        lines.append(
            f"{t.name:<12}score {t.score:.4f}  flags {t.fpr:.1%} [{low:.1%}, {high:.1%}] of real, "
            f"finds {t.tpr:.1%} of generated"
        )
    d = result.decision
    lines.append(
        f"verdict     generated from {d.generated.score:.4f}, real below {d.real_below:.4f}, "
        f"mean cost {result.mean_cost:.3f}"
    )
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
