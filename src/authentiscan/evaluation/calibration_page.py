"""A calibration as a page: what was fitted, the reliability before and after, the thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from authentiscan.core.files import write_text
from authentiscan.evaluation.recalibrate import CalibrationResult
from authentiscan.metrics.decision import rule_words, score_words
from authentiscan.report import plots
from authentiscan.report.judges import Judge
from authentiscan.report.page import Page, Picture, Section
from authentiscan.report.tables import Table


def write_calibration_report(
    result: CalibrationResult, name: str, folder: Path, judges: Sequence[Judge] = ()
) -> Path:
    """Write ``calibration.json``, ``calibration.md`` and ``calibration.html``; returns the last.

    judges: the detector, for the page's footer.
    """
    folder.mkdir(parents=True, exist_ok=True)
    content = result.model_dump_json(indent=2)
    write_text(folder / "calibration.json", content + "\n")
    return calibration_page(result, name, judges).write(folder, "calibration")


def calibration_page(result: CalibrationResult, name: str, judges: Sequence[Judge] = ()) -> Page:
    """The page of a calibration of the detector called ``name``."""
    d, c = result.decision, result.costs
    reliability = plots.reliability({"before": result.before, "after": result.after})
    return Page(
        title=f"Calibration of {name}",
        lead=(
            f"Fitted by {result.method} on {result.images:,} images of {result.measured_on}; both "
            "classes count alike, so a score is a probability where half the images are generated."
        ),
        sections=[
            Section(
                "Methods",
                ["On groups of images that the method was not fitted on; all lower is better."],
                [_methods(result)],
                [
                    Picture(
                        "calibration-reliability",
                        reliability,
                        "Reliability before and after (after: on the fitted images themselves).",
                    )
                ],
            ),
            Section(
                "Thresholds",
                [
                    f"Verdict {rule_words(d.generated.score, d.real_below)}. The lower "
                    f"threshold has the least mean cost where a false alarm costs "
                    f"{c.false_alarm:g}, a miss {c.miss:g}, no answer {c.inconclusive:g} and "
                    f"{c.generated_share:.0%} of images are generated: {result.mean_cost:.3f} an "
                    f"image."
                ],
                [_thresholds(result), _verdicts(result)],
                [_distribution(result)],
            ),
        ],
        warnings=result.warnings,
        judges=judges,
    )


def _verdicts(result: CalibrationResult) -> Table:
    rows = []
    for truth, counts in (
        ("real images", result.verdicts.real),
        ("generated images", result.verdicts.generated),
    ):
        total = max(1, sum(counts.values()))
        rows.append([truth, *(f"{n} ({n / total:.1%})" for n in counts.values())])
    note = "Of the images that everything was fitted on: elsewhere expect less."
    return Table(["verdicts", "real", "inconclusive", "generated"], rows, note)


def _distribution(result: CalibrationResult) -> Picture:
    d = result.decision
    figure = plots.score_distribution(
        result.histogram, threshold=d.generated.score, real_below=d.real_below
    )
    caption = "Calibrated scores; grey between the lower and the upper threshold: inconclusive."
    return Picture("calibration-scores", figure, caption)


def _methods(result: CalibrationResult) -> Table:
    rows = [
        [q.method, f"{q.brier:.4f}", f"{q.ece:.4f}", f"{q.log_loss:.4f}"] for q in result.quality
    ]
    return Table(["", "Brier", "calibration error", "log loss"], rows)


def _thresholds(result: CalibrationResult) -> Table:
    rows = []
    for t in result.thresholds:
        span = result.threshold_intervals[t.name]
        low, high = t.fpr_interval
        rows.append(
            [
                t.name,
                score_words(t.score) + (f" [{span[0]:.4f}, {span[1]:.4f}]" if span else ""),
                f"{t.fpr:.1%} [{low:.1%}, {high:.1%}]",
                f"{t.tpr:.1%}",
            ]
        )
    return Table(["", "score", "real photos flagged", "generated found"], rows)
