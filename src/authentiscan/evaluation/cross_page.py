"""A cross-evaluation as a page: heatmap, matrix, gaps, generators left out, failure modes, CSV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from authentiscan.core.files import write_text
from authentiscan.evaluation.cross_dataset import Cell, CrossEvaluation
from authentiscan.evaluation.words import PROTOCOLS, WORDS
from authentiscan.manifest.table import Manifest
from authentiscan.metrics.bootstrap import Estimate
from authentiscan.report import plots
from authentiscan.report.judges import Judge
from authentiscan.report.page import Page, Picture, Section, Thumb
from authentiscan.report.tables import Table
from authentiscan.report.thumbnails import thumbnail

_SHOWN = ("roc_auc", "balanced_accuracy", "real_accuracy", "generated_accuracy", "tpr_at_fpr_5")
_MAPPED = ("roc_auc", "balanced_accuracy")


def write_cross_evaluation(
    cross: CrossEvaluation,
    manifests: Mapping[str, Manifest],
    folder: Path,
    judges: Sequence[Judge] = (),
) -> Path:
    """Write ``cross.json``, ``cross.csv``, ``.md``, ``.html`` and ``plots/``; returns the page.

    judges: the detectors, for the page's footer.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "cross.json", cross.model_dump_json(indent=2) + "\n")
    write_text(folder / "cross.csv", cross.csv())
    return cross_page(cross, manifests, judges).write(folder, "cross")


def cross_page(
    cross: CrossEvaluation, manifests: Mapping[str, Manifest], judges: Sequence[Judge] = ()
) -> Page:
    """The page of a cross-evaluation; ``manifests`` by data set give the thumbnails."""
    sections = cross_sections(cross)
    for cell in cross.cells:
        if cell.mistakes:
            sections.append(_failures(cell, manifests.get(cell.data)))
    s = cross.settings
    several = "" if len(cross.data) == 1 else "s"
    sizes = ", ".join(f"{d.name} ({d.real:,} real, {d.generated:,} generated)" for d in cross.data)
    return Page(
        title=f"{len(cross.detectors)} detectors across {len(cross.data)} data set{several}",
        lead=(
            f"{sizes}. Protocol {cross.protocol}: "
            f"{PROTOCOLS.get(cross.protocol, 'a degradation chain')}. Brackets: {s.level:.0%} "
            f"intervals, {s.rounds} bootstrap rounds by group."
        ),
        sections=sections,
        judges=judges,
    )


def cross_sections(cross: CrossEvaluation) -> list[Section]:
    """Matrix, heatmaps, gaps and generators left out."""
    sections = [
        Section(
            f"Every detector on every data set ({cross.protocol})",
            ["Framed: a detector's own data set, as --home names it or else by order."],
            [matrix_table(cross, metric) for metric in _SHOWN],
            [heatmap_picture(cross, metric) for metric in _MAPPED],
        )
    ]
    if cross.gaps:
        sections.append(
            Section(
                "Generalisation gap",
                ["In-domain minus the mean of the other data sets; positive is lost elsewhere."],
                [gap_table(cross)],
            )
        )
    if cross.left_out:
        sections.append(
            Section(
                "Generators left out of training",
                ["Images of a generator that the detector never saw, against all real images."],
                [_left_out(cross)],
            )
        )
    return sections


def matrix_table(cross: CrossEvaluation, metric: str) -> Table:
    """A metric with its intervals: detectors down, data sets across."""
    rows = [
        [d, *(str(cross.cell(d, s.name).metrics.get(metric, Estimate(None))) for s in cross.data)]
        for d in cross.detectors
    ]
    return Table([WORDS[metric], *(s.name for s in cross.data)], rows)


def heatmap_picture(cross: CrossEvaluation, metric: str) -> Picture:
    """The same as colours, with each detector's own data set framed."""
    places = [d.name for d in cross.data]
    framed = [
        (cross.detectors.index(c.detector), places.index(c.data))
        for c in cross.cells
        if c.in_domain
    ]
    figure = plots.heatmap(
        cross.grid(metric), cross.detectors, places, label=WORDS[metric], outlined=framed
    )
    return Picture(
        f"cross-{metric.replace('_', '-')}", figure, f"{WORDS[metric]}; rows: detectors."
    )


def gap_table(cross: CrossEvaluation) -> Table:
    """What every detector loses away from its own data set."""
    rows = [
        [f"{g.detector}, {WORDS[g.metric]}", _number(g.in_domain), _number(g.elsewhere), str(g.gap)]
        for g in cross.gaps
    ]
    return Table(["", "in-domain", "elsewhere", "gap"], rows)


def _left_out(cross: CrossEvaluation) -> Table:
    rows = []
    for part in cross.left_out:
        cells = [
            str(part.metrics.get(m, Estimate(None))) for m in ("roc_auc", "generated_accuracy")
        ]
        known = part.reference or {}
        cells.append(str(known.get("roc_auc", Estimate(None))))
        name = f"{part.generator} in {part.data}, left out of {part.detector}"
        rows.append([name, str(part.images), *cells])
    head = ["", "images", "ROC AUC", "generated found", "ROC AUC of the reference"]
    return Table(head, rows)


def _failures(cell: Cell, manifest: Manifest | None) -> Section:
    thumbs = [
        Thumb(
            thumbnail(manifest, m.row) if manifest else None,
            f"{m.score:.3f}, is {'real' if m.label == 0 else 'generated'}",
            m.dataset if m.label == 0 else m.generator,
        )
        for m in cell.mistakes
    ]
    title = f"Most confident mistakes: {cell.detector} on {cell.data}"
    return Section(title, thumbs=thumbs, folded=True)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
