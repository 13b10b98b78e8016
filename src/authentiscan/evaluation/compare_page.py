"""A comparison as a page: the summary, ROC curves, tests, critical differences, per generator."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from authentiscan.core.files import write_text
from authentiscan.evaluation.compare import (
    TESTED,
    UNIT_IMAGES,
    Comparison,
    Comparisons,
    PairTest,
)
from authentiscan.evaluation.report import file_name
from authentiscan.evaluation.words import PROTOCOLS, WORDS
from authentiscan.metrics.bootstrap import Estimate
from authentiscan.metrics.ranking import METRICS
from authentiscan.metrics.significance import Difference
from authentiscan.report import plots
from authentiscan.report.judges import Judge
from authentiscan.report.page import Page, Picture, Section
from authentiscan.report.tables import Table

SUMMARY = ("balanced_accuracy", "roc_auc", "tpr_at_fpr_5")


def write_comparison(found: Comparisons, folder: Path, judges: Sequence[Judge] = ()) -> Path:
    """Write ``comparison.json``, ``.md``, ``.html`` and ``plots/``; returns the page.

    judges: the detectors, for the page's footer.
    """
    folder.mkdir(parents=True, exist_ok=True)
    content = found.model_dump_json(indent=2)
    write_text(folder / "comparison.json", content + "\n")
    return comparison_page(found, judges).write(folder, "comparison")


def comparison_page(found: Comparisons, judges: Sequence[Judge] = ()) -> Page:
    """The page of a comparison: a summary of each data set, then every part in detail."""
    sections = [
        Section(
            f"Summary: {name}",
            _coverage(found.of(name)),
            [summary_table(found.of(name))],
            _rocs(found.of(name)),
        )
        for name in found.data
    ]
    for c in found.found:
        folded = c.protocol != _main(found.of(c.data.name)).protocol
        sections += _details(c, folded=folded)
    s = found.settings
    protocols = list(dict.fromkeys(c.protocol for c in found.found))
    return Page(
        title=f"{len(found.detectors)} detectors on {', '.join(found.data)}",
        lead=(
            "; ".join(f"{p}: {PROTOCOLS.get(p, 'a degradation chain')}" for p in protocols)
            + f". Accuracies are at each detector's own threshold. Brackets: {s.level:.0%} "
            f"intervals, {s.rounds} bootstrap rounds by group."
        ),
        sections=sections,
        warnings=found.warnings,
        judges=judges,
    )


def summary_markdown(found: Comparisons) -> str:
    """The summary tables as Markdown, each under its data set's name where there are several."""
    several = len(found.data) > 1
    parts = []
    for name in found.data:
        parts += [f"**{name}**"] if several else []
        parts.append(summary_table(found.of(name)).markdown())
    return "\n\n".join(parts)


def summary_table(comparisons: Sequence[Comparison]) -> Table:
    """One row a detector; `SUMMARY` under every protocol, in percent. One data set's parts."""
    head = ["%", *(f"{WORDS[m]}, {c.protocol}" for m in SUMMARY for c in comparisons)]
    rows = [
        [
            standing.detector,
            *(
                c.standings[i].metrics.get(m, Estimate(None)).percent()
                for m in SUMMARY
                for c in comparisons
            ),
        ]
        for i, standing in enumerate(comparisons[0].standings)
    ]
    return Table(head, rows)


def _coverage(comparisons: Sequence[Comparison]) -> list[str]:
    d = comparisons[0].data
    common = {c.common for c in comparisons}
    shared = " and ".join(f"{n:,}" for n in sorted(common))
    splits = f" (split {', '.join(d.splits)})" if d.splits else ""
    return [
        f"{d.real:,} real and {d.generated:,} generated images{splits} in {d.groups:,} groups; "
        f"figures are of the {shared} that all detectors scored."
    ]


def _rocs(comparisons: Sequence[Comparison]) -> list[Picture]:
    found = []
    for c in comparisons:
        curves = {s.detector: s.roc for s in c.standings if s.roc}
        labels = {s.detector: f"{s.detector}  {_short(s.metrics['roc_auc'])}" for s in c.standings}
        if curves:
            caption = f"ROC curves and areas, {c.protocol}."
            found.append(Picture(f"roc-{_slug(c)}", plots.roc(curves, labels), caption))
    return found


def _details(c: Comparison, *, folded: bool) -> list[Section]:
    place = f"{c.data.name}, {c.protocol}"
    sections = [Section(f"All metrics: {place}", tables=[standings_table(c)], folded=folded)]
    if c.tests:
        sections.append(
            Section(
                f"Are the differences real? {place}",
                [
                    "First minus second detector on the same images, paired bootstrap by group; "
                    "p is adjusted for the number of pairs (Holm). DeLong's test is of the "
                    "unweighted ROC area."
                ],
                [_tests_table(c), _delong_table(c)],
                folded=folded,
            )
        )
    if c.ranks:
        sections.append(_ranks(c, place, folded=folded))
    if any(s.per_generator for s in c.standings):
        sections.append(_per_generator(c, place, folded=folded))
    return sections


def _ranks(c: Comparison, place: str, *, folded: bool) -> Section:
    assert c.ranks is not None
    figure = plots.critical_difference(c.ranks.mean_ranks, c.ranks.critical_difference)
    text = (
        f"Mean rank by ROC AUC over {c.ranks.units} generators of {UNIT_IMAGES} images or more; "
        f"Friedman p = {c.ranks.p:.3g}. Joined detectors are not told apart (Nemenyi, 5 %). "
        "Generators share the real images: a guide, no proof."
    )
    caption = f"Mean ranks, 1 is best; critical difference {c.ranks.critical_difference:.2f}."
    picture = Picture(f"critical-difference-{_slug(c)}", figure, caption)
    return Section(f"Critical differences: {place}", [text], pictures=[picture], folded=folded)


def _main(comparisons: Sequence[Comparison]) -> Comparison:
    return next((c for c in comparisons if c.protocol == "matched"), comparisons[-1])


def _slug(c: Comparison) -> str:
    return file_name(f"{c.data.name}-{c.protocol}")


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


def _per_generator(c: Comparison, place: str, *, folded: bool) -> Section:
    names = list(dict.fromkeys(g for s in c.standings for g in s.per_generator))
    rows = [[g, *(str(s.per_generator.get(g, Estimate(None))) for s in c.standings)] for g in names]
    grid = [[s.per_generator.get(g, Estimate(None)).value for s in c.standings] for g in names]
    figure = plots.heatmap(grid, names, [s.detector for s in c.standings], label="ROC AUC")
    return Section(
        f"ROC AUC per generator, against all real images: {place}",
        tables=[Table(["", *(s.detector for s in c.standings)], rows)],
        pictures=[Picture(f"generators-{_slug(c)}", figure, "ROC AUC by generator and detector.")],
        folded=folded,
    )


def _signed(d: Difference) -> str:
    if d.value is None:
        return "–"
    if d.low is None or d.high is None:
        return f"{d.value:+z.3f}"
    return f"{d.value:+z.3f} [{d.low:+z.3f}, {d.high:+z.3f}]"


def _p(value: float | None) -> str:
    if value is None:
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _short(estimate: Estimate) -> str:
    return "–" if estimate.value is None else f"{estimate.value:.3f}"
