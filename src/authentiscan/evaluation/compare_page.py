"""A comparison as a page: the table, ROC overlay, tests, critical differences, per generator."""

from __future__ import annotations

from pathlib import Path

from authentiscan.evaluation import plots
from authentiscan.evaluation.bootstrap import Estimate
from authentiscan.evaluation.compare import TESTED, UNIT_IMAGES, Comparison, PairTest
from authentiscan.evaluation.metrics import METRICS
from authentiscan.evaluation.page import Page, Picture, Section, Table
from authentiscan.evaluation.significance import Difference
from authentiscan.evaluation.words import PROTOCOLS, WORDS


def write_comparison(comparison: Comparison, folder: Path) -> Path:
    """Write ``comparison.json``, ``.md``, ``.html`` and ``plots/``; returns the page."""
    folder.mkdir(parents=True, exist_ok=True)
    content = comparison.model_dump_json(indent=2)
    (folder / "comparison.json").write_text(content + "\n", encoding="utf-8")
    return comparison_page(comparison).write(folder, "comparison")


def comparison_page(c: Comparison) -> Page:
    """The page of a comparison."""
    curves = {s.detector: s.roc for s in c.standings if s.roc}
    labels = {s.detector: f"{s.detector}  {_short(s.metrics['roc_auc'])}" for s in c.standings}
    sections = [
        Section(
            "Side by side",
            tables=[standings_table(c)],
            pictures=[Picture("comparison-roc", plots.roc(curves, labels), "ROC curves and areas.")]
            if curves
            else [],
        )
    ]
    if c.tests:
        sections.append(
            Section(
                "Are the differences real?",
                [
                    "First minus second detector on the same images, paired bootstrap by group; "
                    "p is adjusted for the number of pairs (Holm). DeLong's test is of the "
                    "unweighted ROC area."
                ],
                [_tests_table(c), _delong_table(c)],
            )
        )
    if c.ranks:
        figure = plots.critical_difference(c.ranks.mean_ranks, c.ranks.critical_difference)
        sections.append(
            Section(
                "Critical differences",
                [
                    f"Mean rank by ROC AUC over {c.ranks.units} generators of {UNIT_IMAGES} images "
                    f"or more; Friedman p = {c.ranks.p:.3g}. Joined detectors are not told apart "
                    "(Nemenyi, 5 %). Generators share the real images: a guide, no proof."
                ],
                pictures=[
                    Picture(
                        "critical-difference",
                        figure,
                        "Mean ranks, 1 is best; critical difference "
                        f"{c.ranks.critical_difference:.2f}.",
                    )
                ],
            )
        )
    if any(s.per_generator for s in c.standings):
        sections.append(_per_generator(c))
    d, s = c.data, c.settings
    return Page(
        title=f"{len(c.standings)} detectors on {d.name}",
        lead=(
            f"{c.common:,} images that all of them scored, of {d.images:,} ({d.real:,} real, "
            f"{d.generated:,} generated). Protocol {c.protocol}: "
            f"{PROTOCOLS.get(c.protocol, 'a degradation chain')}. Brackets: {s.level:.0%} "
            f"intervals, {s.rounds} bootstrap rounds by group."
        ),
        sections=sections,
        warnings=c.warnings,
    )


def standings_table(c: Comparison) -> Table:
    """Metrics by detector."""
    rows = [
        [WORDS[m], *(str(s.metrics.get(m, Estimate(None))) for s in c.standings)]
        for m in METRICS
        if m != "recall"
    ]
    rows.append(["threshold", *(f"{s.threshold:.4f}" for s in c.standings)])
    rows.append(["failed", *(str(s.failed) for s in c.standings)])
    return Table(["", *(s.detector for s in c.standings)], rows)


def _tests_table(c: Comparison) -> Table:
    head = ["", *(x for m in TESTED for x in (WORDS[m], "p"))]
    return Table(head, [_test_row(t) for t in c.tests])


def _delong_table(c: Comparison) -> Table:
    tests = [(t, t.delong) for t in c.tests if t.delong]
    rows = [[f"{t.first} − {t.second}", _signed(d), _p(d.p)] for t, d in tests]
    return Table(["DeLong", "ROC AUC", "p, not adjusted"], rows)


def _test_row(t: PairTest) -> list[str]:
    cells = [f"{t.first} − {t.second}"]
    for metric in TESTED:
        adjusted = t.p_holm.get(metric)
        cells += [_signed(t.differences[metric]), _p(adjusted)]
    return cells


def _per_generator(c: Comparison) -> Section:
    names = list(dict.fromkeys(g for s in c.standings for g in s.per_generator))
    rows = [[g, *(str(s.per_generator.get(g, Estimate(None))) for s in c.standings)] for g in names]
    grid = [[s.per_generator.get(g, Estimate(None)).value for s in c.standings] for g in names]
    figure = plots.heatmap(grid, names, [s.detector for s in c.standings], label="ROC AUC")
    return Section(
        "ROC AUC per generator, against all real images",
        tables=[Table(["", *(s.detector for s in c.standings)], rows)],
        pictures=[Picture("comparison-generators", figure, "ROC AUC by generator and detector.")],
    )


def _signed(d: Difference) -> str:
    if d.value is None:
        return "–"
    if d.low is None or d.high is None:
        return f"{d.value:+.3f}"
    return f"{d.value:+.3f} [{d.low:+.3f}, {d.high:+.3f}]"


def _p(value: float | None) -> str:
    if value is None:
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _short(estimate: Estimate) -> str:
    return "–" if estimate.value is None else f"{estimate.value:.3f}"
