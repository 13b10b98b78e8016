"""What a finished bundle answers on the validation and test parts: figures, report, pictures.

The validation part chose the weights, the calibration and the thresholds, so its figures are kind.
The test part chose nothing; its figures carry bootstrap intervals.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from authentiscan.core.errors import MetricError
from authentiscan.core.files import write_bytes, write_text
from authentiscan.core.progress import Progress
from authentiscan.core.types import JsonObject
from authentiscan.evaluation.evaluate import Result, measure_tables
from authentiscan.evaluation.harness import as_scorer, score_manifest
from authentiscan.evaluation.protocol import named
from authentiscan.evaluation.recalibrate import record_evaluation
from authentiscan.evaluation.report import write_report
from authentiscan.evaluation.results import Evaluation
from authentiscan.evaluation.scores import ScoreTable
from authentiscan.evaluation.slices import Options
from authentiscan.inference import Detector, load_detector
from authentiscan.inference.bundle import read_spec
from authentiscan.inference.spec import DetectorSpec
from authentiscan.inference.update import update_spec
from authentiscan.manifest.table import Manifest
from authentiscan.metrics import curves
from authentiscan.metrics.bootstrap import Estimate, estimates
from authentiscan.metrics.decision import rule_words, score_words
from authentiscan.metrics.ranking import METRICS
from authentiscan.metrics.thresholds import verdicts
from authentiscan.report import plots
from authentiscan.training.recipe import Recipe
from authentiscan.training.reporter import Reporter, stretch
from authentiscan.training.state import Progress as TrainingProgress

CUT = 0.5
"""Calibrated score from which figures that need a decision call an image generated."""


def write_part(folder: Path, table: ScoreTable, spec: DetectorSpec) -> None:
    """Write ``classification_report.txt``, ``confusion_matrix.png``, ``roc.png``, ``scores.png``.

    Decisions are made at score 0.5; the verdict's thresholds are drawn into the distribution of
    scores. Where a class is missing there is no ROC curve. Raises MetricError where no row has a
    score.
    """
    scored = table.scored()
    y, s = scored.labels, scored.scores
    cut = verdicts(s, y, CUT, CUT)
    write_text(folder / "classification_report.txt", _classification_report(y, s >= CUT))
    decision = spec.decision
    figures = {
        "confusion_matrix": plots.confusion_matrix(cut, ("real", "generated")),
        "scores": plots.score_distribution(
            curves.histogram(y, s),
            threshold=decision.generated.score,
            real_below=decision.real_below,
        ),
    }
    if y.min() != y.max():
        figures["roc"] = plots.roc({"": curves.roc_curve(y, s)}, {"": _area(y, s)})
    for name, figure in figures.items():
        write_bytes(folder / f"{name}.png", plots.png(figure))


def _area(labels: NDArray[np.integer], scores: NDArray[np.float64]) -> str:
    return f"ROC AUC {estimates(labels, scores, rounds=0)['roc_auc'].value:.4f}"


def _classification_report(labels: NDArray[np.int64], called: NDArray[np.bool_]) -> str:
    """Precision, recall, F1 and support of both classes and their averages, with four digits."""
    from sklearn.metrics import classification_report

    return str(
        classification_report(
            labels,
            called.astype(np.int64),
            labels=[0, 1],
            target_names=["real", "generated"],
            digits=4,
            zero_division=0,
        )
    )


def score_part(
    detector: Detector, manifest: Manifest, protocol: str, progress: Progress | None = None
) -> ScoreTable:
    """Scores of ``manifest`` by ``detector`` as it ships, after ``protocol``, a
    name or a chain; rows in its order, NaN where an image could not be read.
    """
    return score_manifest(detector, manifest, named(protocol, manifest), progress)


def write_test_report(
    folder: Path, detector: Detector, manifest: Manifest, table: ScoreTable, protocol: str
) -> Evaluation:
    """The page of `authentiscan evaluate` into ``folder``, from scores already at hand."""
    applied = named(protocol)
    tables = {applied.name: table}
    scorer, spec = as_scorer(detector), detector.spec
    evaluation = measure_tables(
        tables, [applied], scorer, spec, data="the test part", options=Options()
    )
    write_report(Result(evaluation, tables), manifest, folder)
    return evaluation


def lines_of_test(table: ScoreTable, evaluation: Evaluation) -> list[str]:
    """The test part's figures as lines of text, with 95 % bootstrap intervals over groups."""
    scored = table.scored()
    measured = estimates(scored.labels, scored.scores, scored.groups, threshold=CUT)
    known = {name: measured[name] for name in METRICS if measured[name].value is not None}
    return [
        f"TEST, {table.protocol}, {len(scored)} images never trained or chosen by, "
        "by the bundle itself",
        f"decisions at score {CUT}; brackets are 95 % bootstrap intervals over groups",
        *(f"  {name:20s} {_four(estimate)}" for name, estimate in known.items()),
        *(
            f"  {t.name:8s} score >= {score_words(t.score)}   FPR {_four(t.fpr)}   "
            f"TPR {_four(t.tpr)}"
            for t in evaluation.main.thresholds
        ),
    ]


def _four(estimate: Estimate) -> str:
    span = "" if estimate.low is None else f" [{estimate.low:.4f}, {estimate.high:.4f}]"
    return f"{estimate.value:.4f}{span}"


def measure_test(
    folder: Path, bundle: Path, test: Manifest, recipe: Recipe, reporter: Reporter
) -> list[str]:
    """Leave in the run's ``folder`` what ``bundle`` answers on the test part: ``test/``,
    ``test_scores.parquet``, ``report/``, and the figures in the bundle's description and card.
    Gives the figures as lines of text; none without images.
    """
    if not len(test):
        return []
    detector, protocol = load_detector(bundle), recipe.deployment.protocol
    shown = stretch(reporter, "scoring the test part with the bundle")
    table = score_part(detector, test, protocol, shown)
    table.write(folder / "test_scores.parquet")
    try:
        write_part(folder / "test", table, detector.spec)
        evaluation = write_test_report(folder / "report", detector, test, table, protocol)
        record_evaluation(bundle, evaluation, name="test")
        _state_chance(bundle)
    except MetricError as error:
        return [f"the test part could not be measured: {error}"]
    return lines_of_test(table, evaluation)


def _state_chance(bundle: Path) -> None:
    """Make it the bundle's first limit where its test images do not show more than chance."""
    spec = read_spec(bundle)
    ranked = spec.metrics.part("evaluation", "test").ranked()
    area = ranked.figures["roc_auc"] if ranked else None
    if area is None or area.low is None or area.low > 0.5:
        return
    tested = sum(use.images.get("test", 0) for use in spec.data)
    limit = f"On its {tested:,} test images it is not shown to beat chance: ROC AUC {area}."
    update_spec(bundle, limits=(limit, *spec.limits))


def metrics_text(
    spec: DetectorSpec,
    progress: TrainingProgress,
    images: Sequence[JsonObject],
    tested: Sequence[str],
) -> str:
    """The figures of a run as a page of text; ``images`` as of `Parts.table`, ``tested`` as of
    `measure_test`.
    """
    measured = spec.metrics.part("validation")
    lines = [
        f"{spec.name}: {spec.architecture_name}, {spec.parameters:,} parameters",
        f"trained {progress.total_epochs} epochs, best in epoch {progress.best_epoch}",
        _time_taken(progress.history),
        f"unreadable training images skipped: {len(progress.unreadable)}",
        "",
        *tested,
        *([""] if tested else []),
        f"validation, {measured.facts['protocol']}, {measured.value('images')} images, "
        "by the bundle itself",
        "the weights, the calibration and the thresholds were chosen on these images",
    ]
    points = {name: figure.value for name, figure in measured.figures.items()}
    lines += [f"  {k:20s} {v:.4f}" for k, v in points.items() if isinstance(v, float)]
    lines += ["", "thresholds (share of real photographs flagged, 95 % interval; generated found)"]
    for t in spec.thresholds:
        low, high = t.fpr_interval
        lines.append(
            f"  {t.name:8s} score >= {score_words(t.score)}   "
            f"FPR {t.fpr:.4f} [{low:.4f}, {high:.4f}]   TPR {t.tpr:.4f}"
        )
    decision = spec.decision
    lines.append(f"  {rule_words(decision.generated.score, decision.real_below)}")
    lines += ["", "called generated, by generator"]
    lines += [
        f"  {name:30s} {part.value('share'):.4f} of {part.value('images')}"
        for name, part in measured.part("called_generated").parts.items()
    ]
    lines += ["", "images"]
    lines += [
        f"  {r['data']:20s} {r['split']:6s} real {r['real']:7d}  generated {r['generated']:7d}"
        for r in images
    ]
    return "\n".join(lines) + "\n"


def _time_taken(history: Sequence[JsonObject]) -> str:
    """Of the epochs' steps, without validation; of a resumed epoch only what came after."""
    seconds = sum(row["seconds"] for row in history)
    images = sum(row["seconds"] * row["images_per_second"] for row in history)
    return (
        f"training steps took {seconds:.1f} s of wall time, {images / max(seconds, 1e-9):.1f} "
        "images/s; validation and the start of data loading come on top"
    )
