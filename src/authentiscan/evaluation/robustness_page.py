"""Robustness as a page: a curve per family, a table, the pairs, a CSV of accuracy by quality."""

from __future__ import annotations

from pathlib import Path

from authentiscan.core.files import write_text
from authentiscan.evaluation.judges import judge_of_facts
from authentiscan.evaluation.robustness import (
    AXES,
    PAIR_NAMES,
    SWEEPS,
    ConditionResult,
    Robustness,
    jpeg_csv,
)
from authentiscan.evaluation.words import WORDS
from authentiscan.report import plots
from authentiscan.report.page import Page, Picture, Section
from authentiscan.report.tables import Table

_SHOWN = ("balanced_accuracy", "real_accuracy", "generated_accuracy", "roc_auc", "tpr_at_fpr_5")


def write_robustness_report(result: Robustness, folder: Path) -> Path:
    """Write ``robustness.json``, ``.md``, ``.html`` and ``jpeg-quality.csv``; returns the page."""
    folder.mkdir(parents=True, exist_ok=True)
    content = result.model_dump_json(indent=2)
    write_text(folder / "robustness.json", content + "\n")
    if result.family("jpeg"):
        write_text(folder / "jpeg-quality.csv", jpeg_csv(result))
    return robustness_page(result).write(folder, "robustness")


def robustness_page(result: Robustness) -> Page:
    """The page of ``result``."""
    d, s = result.data, result.settings
    return Page(
        title=f"Robustness of {result.detector.name} on {d.name}",
        lead=(
            f"{d.real:,} real and {d.generated:,} generated images; every degradation is done to "
            f"both classes after the protocol {result.base_protocol}. Brackets: {s.level:.0%} "
            f"intervals, {s.rounds} bootstrap rounds by group."
        ),
        sections=robustness_sections(result),
        judges=[judge_of_facts(result.detector)],
    )


def robustness_sections(result: Robustness) -> list[Section]:
    """The lowest of each family, the curves, every family's table, the pairs."""
    sections = [
        Section(
            f"Robustness: lowest balanced accuracy of each family ({result.data.images:,} images)",
            [
                "Flips are images whose verdict (real, inconclusive, generated) changes with the "
                "degradation; hard flips go from real to generated or back. TPR at 5 % FPR is at "
                "the threshold that flags 5 % of the degraded photographs; accuracies are at the "
                "detector's own threshold."
            ],
            [_table([result.base, *_lowest_of_each(result)])],
        )
    ]
    curves = [_curve(result, family) for family in AXES if result.family(family)]
    if curves:
        sections.append(Section("Robustness curves", pictures=curves))
    for family in SWEEPS:
        found = result.family(family)
        if found:
            tables = [_table([result.base, *found])]
            sections.append(Section(f"Robustness: {family}", tables=tables, folded=bool(curves)))
    if result.family("pairs"):
        sections.append(_pairs(result))
    if result.family("own"):
        sections.append(Section("Robustness: own chains", tables=[_table(result.family("own"))]))
    return sections


def _table(conditions: list[ConditionResult]) -> Table:
    rows = [
        [c.label, *(str(c.metrics[m]) for m in _SHOWN), c.flips.percent(), c.hard_flips.percent()]
        for c in conditions
    ]
    head = ["", *(WORDS[m] for m in _SHOWN), "flips, %", "hard flips, %"]
    return Table(head, rows)


def _lowest_of_each(result: Robustness) -> list[ConditionResult]:
    found = []
    for family in SWEEPS:
        conditions = result.family(family)
        if conditions:
            found.append(min(conditions, key=lambda c: c.metrics["balanced_accuracy"].value or 0.0))
    return found


def _curve(result: Robustness, family: str) -> Picture:
    conditions = result.family(family)
    lines = {
        WORDS[m]: [(c.strength or 0.0, c.metrics[m]) for c in conditions]
        for m in ("roc_auc", "balanced_accuracy", "tpr_at_fpr_5")
    }
    lines["flip rate"] = [(c.strength or 0.0, c.flips) for c in conditions]
    figure = plots.sweeps(
        lines,
        x_label=AXES[family],
        y_label="share",
        reverse=family in ("jpeg", "webp", "crop"),
    )
    caption = f"Figures over {AXES[family]}, with intervals."
    return Picture(f"robustness-{family}", figure, caption)


def _pairs(result: Robustness) -> Section:
    by_label = {c.label: c for c in result.family("pairs")}
    grid = [
        [
            by_label[f"{first} → {second}"].metrics["roc_auc"].value if first != second else None
            for second in PAIR_NAMES
        ]
        for first in PAIR_NAMES
    ]
    figure = plots.heatmap(grid, PAIR_NAMES, PAIR_NAMES, label="ROC AUC")
    caption = "ROC AUC after the row's degradation and then the column's."
    return Section(
        "Robustness: degradations two by two",
        tables=[_table(list(by_label.values()))],
        pictures=[Picture("robustness-pairs", figure, caption)],
        folded=True,
    )
