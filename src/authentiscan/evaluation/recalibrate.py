"""Calibrate a bundle on validation data: score curve, thresholds, inconclusive band, written back.

The methods are compared by cross-validation over groups, so that a flexible curve is not praised
for the images it was drawn through. What is written into detector.json is fitted on all the data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from authentiscan.core.errors import MetricError, UsageError
from authentiscan.core.records import Record, mistakes
from authentiscan.evaluation.results import Evaluation
from authentiscan.evaluation.scores import ScoreTable
from authentiscan.inference.bundle import read_spec
from authentiscan.inference.recorded_metrics import RecordedMetrics
from authentiscan.inference.update import update_spec
from authentiscan.metrics import curves, sample_size
from authentiscan.metrics.bootstrap import estimates
from authentiscan.metrics.calibration import Calibration, Method, apply, fit
from authentiscan.metrics.curves import Histogram, ReliabilityBin
from authentiscan.metrics.decision import Decision, Threshold
from authentiscan.metrics.ranking import Floats, measure
from authentiscan.metrics.thresholds import (
    Costs,
    Verdicts,
    at_fpr,
    at_miss,
    cheapest_threshold,
    choose_decision,
    mean_cost,
    score_interval,
    verdicts,
)

Choice: TypeAlias = Method | Literal["auto"]
FOLDS = 5
DEFAULT_FPRS = (0.01, 0.05)


class MethodQuality(Record):
    """How good a method's scores are on groups it was not fitted on; all lower is better.

    Classes have equal weight. ``method`` "before" is the bundle's present calibration.
    """

    method: str
    brier: float
    ece: float
    log_loss: float


class CalibrationResult(Record):
    """What was fitted, on what, and how good it is.

    threshold_intervals: 95 % bootstrap interval of each threshold's score, None where groups are
    too few. sample_sizes: how many photographs each false-positive rate needs, as sentences.
    mean_cost: of one image under ``decision`` on this data, at the stated costs. verdicts,
    histogram: of the fitted images under the new scores.
    """

    method: str
    calibration: Calibration
    thresholds: tuple[Threshold, ...]
    threshold_intervals: dict[str, tuple[float, float] | None]
    decision: Decision
    costs: Costs
    mean_cost: float
    quality: tuple[MethodQuality, ...]
    before: tuple[ReliabilityBin, ...]
    after: tuple[ReliabilityBin, ...]
    verdicts: Verdicts
    histogram: Histogram
    measured_on: str
    protocol: str
    manifest_sha256: str
    images: int
    sample_sizes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def spec_fields(self, metrics: RecordedMetrics) -> dict[str, object]:
        """Changes for `update_spec`; ``metrics`` are the bundle's present ones."""
        about = {
            "method": self.method,
            "measured_on": self.measured_on,
            "protocol": self.protocol,
            "manifest_sha256": self.manifest_sha256,
            "images": self.images,
            **{f"cost_{k}": v for k, v in self.costs.model_dump().items()},
            "mean_cost": self.mean_cost,
            "threshold_scores": {
                t.name: {"value": t.score, **_interval(self.threshold_intervals[t.name])}
                for t in self.thresholds
            },
            "cross_validated": {q.method: q.model_dump(exclude={"method"}) for q in self.quality},
        }
        return {
            "calibration": self.calibration,
            "thresholds": self.thresholds,
            "decision": self.decision,
            "metrics": metrics.with_part("calibration", about),
        }


def recalibrate(
    table: ScoreTable,
    *,
    method: Choice = "auto",
    fprs: Sequence[float] = DEFAULT_FPRS,
    decide: float | Literal["cost"] = 0.05,
    miss: float | None = None,
    costs: Costs | None = None,
    prior: float | None = 0.5,
    measured_on: str = "validation",
    seed: int = 0,
) -> CalibrationResult:
    """Fit everything a bundle states about scores on the logits of ``table``.

    method: one of `calibration.fit`'s, or ``auto``: the best cross-validated Brier score, where
    isotonic must win by more than 1 % of it. fprs: false-positive rates to state thresholds for.
    decide: the rate whose threshold gives the verdict *generated*, or ``cost`` for the threshold of
    least mean cost. miss: most of the generated images that may be called real; None lets costs
    decide. costs: choose the inconclusive band (and the cheapest threshold). prior: see
    `calibration.fit_platt`.

    Raises MetricError where a class is missing or scores lack logits.
    """
    good = _with_logits(table)
    rates = sorted({*fprs} if decide == "cost" else {*fprs, decide})
    price = costs or Costs()
    quality = compare_methods(good, prior=prior, seed=seed)
    chosen = _best(quality) if method == "auto" else method
    calibration = fit(good.logits, good.labels, method=chosen, prior=prior)
    scores = apply(calibration, good.logits)
    data = scores, good.labels
    by_rate = {fpr: at_fpr(*data, fpr, good.groups, measured_on=measured_on) for fpr in rates}
    spans = _spans(by_rate, scores, good, seed)
    thresholds = [*by_rate.values()]
    if decide == "cost":
        upper = cheapest_threshold(*data, good.groups, price, measured_on=measured_on)
        thresholds.append(upper)
        spans[upper.name] = None
    else:
        upper = by_rate[decide]
    decision = _decision(scores, good, upper, miss, price)
    return CalibrationResult(
        method=chosen,
        calibration=calibration,
        thresholds=tuple(thresholds),
        threshold_intervals=spans,
        decision=decision,
        costs=price,
        mean_cost=mean_cost(*data, decision, price),
        quality=quality,
        before=curves.reliability(good.labels, good.scores, weights=_balance(good.labels)),
        after=curves.reliability(good.labels, scores, weights=_balance(good.labels)),
        measured_on=measured_on,
        protocol=table.protocol,
        manifest_sha256=table.manifest_sha256,
        images=len(good),
        verdicts=verdicts(*data, decision.generated.score, decision.real_below),
        histogram=curves.histogram(good.labels, scores),
        sample_sizes=sample_size.sentences(rates, good.labels, good.groups),
        warnings=tuple(_warnings(good, decision)),
    )


def _with_logits(table: ScoreTable) -> ScoreTable:
    good = table.scored()
    if not np.isfinite(good.logits).all():
        raise MetricError("calibration needs logits; this table has scores only")
    return good


def _spans(
    by_rate: Mapping[float, Threshold], scores: Floats, good: ScoreTable, seed: int
) -> dict[str, tuple[float, float] | None]:
    """Where each threshold would lie with other images of the same kind, by its name."""
    return {
        threshold.name: score_interval(scores, good.labels, fpr, good.groups, seed=seed)
        for fpr, threshold in by_rate.items()
    }


def _decision(
    scores: Floats, good: ScoreTable, upper: Threshold, miss: float | None, costs: Costs
) -> Decision:
    """Both thresholds: the lower one by the cost of answers, or by the ``miss`` that is allowed."""
    if miss is None:
        return choose_decision(scores, good.labels, upper, costs, good.groups)
    lower = at_miss(
        scores,
        good.labels,
        miss,
        good.groups,
        highest=upper.score,
        measured_on=upper.measured_on,
    )
    return Decision(generated=upper, real=lower)


def _warnings(table: ScoreTable, decision: Decision) -> list[str]:
    found = doubts(table, decision)
    if decision.real_below <= 0:
        found.append("at these costs no image is called real: every other answer is inconclusive")
    return found


def doubts(table: ScoreTable, decision: Decision) -> list[str]:
    """What keeps thresholds that were set on ``table`` from meaning much."""
    found = []
    area = estimates(table.labels, table.logits, table.groups, rounds=200)["roc_auc"]
    if area.value is not None and (area.low if area.low is not None else area.value) <= 0.5:
        found.append(
            f"on these images the detector is not shown to rank better than chance (ROC AUC {area})"
        )
    if decision.generated.tpr == 0:
        found.append("no generated image reaches the threshold: the verdict 'generated' is unused")
    real = int((table.labels == 0).sum())
    if real < 100:
        found.append(f"with {real} real images a false-positive rate of 1 % cannot be resolved")
    return found


def compare_methods(
    table: ScoreTable, *, prior: float | None = 0.5, seed: int = 0, folds: int = FOLDS
) -> tuple[MethodQuality, ...]:
    """Quality of the present calibration and of every method, the latter cross-validated by group.

    Methods are left out where the groups of a class are too few to hold some back.
    """
    y = table.labels
    found = [_quality("before", y, table.scores)]
    fold = group_folds(table, folds, seed)
    usable = all(len(np.unique(y[fold != k])) == 2 and (fold == k).any() for k in range(folds))
    for method in get_args(Method) if usable else ():
        scores = np.empty(len(y))
        for k in range(folds):
            fitted = fit(table.logits[fold != k], y[fold != k], method=method, prior=prior)
            scores[fold == k] = apply(fitted, table.logits[fold == k])
        found.append(_quality(method, y, scores))
    return tuple(found)


def write_calibration(folder: Path | str, result: CalibrationResult) -> None:
    """Write ``result`` into the bundle's detector.json and model card."""
    update_spec(folder, **result.spec_fields(read_spec(folder).metrics))


def record_evaluation(folder: Path | str, evaluation: Evaluation, name: str | None = None) -> None:
    """Write the summary of ``evaluation`` into the bundle's metrics and so into its model card.

    name: of the data there; None for the evaluation's own. An earlier evaluation of data of the
    same name is replaced, others stay. Raises UsageError where the bundle there is not the one that
    was measured.
    """
    spec = read_spec(folder)
    if evaluation.detector.files != spec.files:
        raise UsageError(f"the evaluation is not of the bundle in {folder}: their files differ")
    known = spec.metrics.part("evaluation")
    measured = known.with_part(name or evaluation.data.name, evaluation.summary())
    update_spec(folder, metrics=spec.metrics.with_part("evaluation", measured))


def parse_costs(text: str) -> Costs:
    """Read ``false_alarm=10,miss=5,inconclusive=1[,generated_share=0.5]``; UsageError otherwise."""
    values: dict[str, float] = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        key, _, value = part.partition("=")
        try:
            values[key.strip()] = float(value)
        except ValueError:
            raise UsageError(f"cost {part!r} is not name=number") from None
    unknown = sorted(set(values) - set(Costs.model_fields))
    if unknown:
        raise UsageError(f"unknown costs {unknown}; known are {list(Costs.model_fields)}")
    try:
        return Costs(**values)
    except ValidationError as error:
        raise UsageError(f"costs {text!r} cannot be used: {mistakes(error)}") from error


def _best(quality: Sequence[MethodQuality]) -> Method:
    brier = {q.method: q.brier for q in quality if q.method != "before"}
    if not brier:
        return "platt"
    # A curve of many knots must earn its place; temperature may not beat platt by noise either.
    brier["isotonic"] *= 1.01
    brier["temperature"] *= 1.002
    best = min(brier, key=lambda m: brier[m])
    return next(m for m in get_args(Method) if m == best)


def _quality(method: str, labels: NDArray[np.int64], scores: Floats) -> MethodQuality:
    w = _balance(labels)
    found = measure(labels, scores, weights=w)
    p = np.clip(np.where(labels == 1, scores, 1 - scores), 1e-12, 1)
    loss = float(-(w * np.log(p)).sum() / w.sum())
    return MethodQuality(method=method, brier=found["brier"], ece=found["ece"], log_loss=loss)


def _balance(labels: NDArray[np.int64]) -> Floats:
    counts = np.bincount(labels, minlength=2)
    return np.asarray(0.5 * len(labels) / np.maximum(counts, 1)[labels])


def group_folds(table: ScoreTable, folds: int, seed: int) -> NDArray[np.int64]:
    """A fold per row; groups stay whole and are spread evenly within each class."""
    names = [f"g{g}" if g is not None else f"#{i}" for i, g in enumerate(table.groups)]
    group = np.unique(np.asarray(names), return_inverse=True)[1]
    count = int(group.max()) + 1
    kind = np.zeros(count, dtype=np.int64)
    np.maximum.at(kind, group, table.labels)
    order = np.lexsort((np.random.default_rng(seed).random(count), kind))
    fold = np.empty(count, dtype=np.int64)
    fold[order] = np.arange(count) % folds
    return np.asarray(fold[group])


def _interval(span: tuple[float, float] | None) -> dict[str, float]:
    return {} if span is None else {"low": span[0], "high": span[1]}
