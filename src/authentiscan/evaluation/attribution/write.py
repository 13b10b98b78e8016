"""Results as files: text report, JSON, confusion matrix, accuracy against JPEG quality."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from authentiscan.core.files import write_bytes, write_text
from authentiscan.evaluation.attribution.leave_out import LeftOut
from authentiscan.evaluation.attribution.measure import Measured
from authentiscan.metrics.bootstrap import Estimate
from authentiscan.report import plots

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RESULTS_FILE = "results.json"
REPORT_FILE = "report.txt"
CURVE_FILE = "jpeg-quality.csv"


def write_results(folder: Path, measured: Measured, title: str) -> None:
    """Write ``measured`` to ``folder``: results.json, report.txt, confusion.png and, where JPEG
    qualities were measured, jpeg-quality.csv and jpeg-quality.png.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / RESULTS_FILE, measured.model_dump_json(indent=2) + "\n")
    write_text(folder / REPORT_FILE, report_text(measured, title))
    write_bytes(folder / "confusion.png", plots.png(_confusion(measured)))
    if measured.quality:
        write_text(folder / CURVE_FILE, _curve_csv(measured))
        line = [(float(q), Estimate(*v)) for q, v in sorted(measured.quality.items())]
        figure = plots.sweeps(
            {"known generators": line}, x_label="JPEG quality", y_label="balanced accuracy",
            reverse=True, chance=1 / len(measured.generators),
        )  # fmt: skip
        write_bytes(folder / "jpeg-quality.png", plots.png(figure))


def write_left_out(folder: Path, found: LeftOut) -> None:
    """Write leave-one-out.json, leave-one-out.txt and a picture of the AUCs."""
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "leave-one-out.json", found.model_dump_json(indent=2) + "\n")
    write_text(folder / "leave-one-out.txt", left_out_text(found))
    rows = [(row.generator, Estimate(*row.auc)) for row in found.rows]
    figure = plots.forest(rows, label="AUC, known against this generator unknown", chance=0.5)
    write_bytes(folder / "leave-one-out.png", plots.png(figure))


def report_text(measured: Measured, title: str) -> str:
    """The figures as plain text, one row a generator."""
    lines = [title, "=" * len(title), "", "figures in %, 95 % intervals"]
    lines += [f"{name}: {value}" for name, value in headline(measured)]
    lines += [f"left out: {what}" for what in measured.left_out]
    if measured.unreadable:
        lines.append(f"unreadable: {measured.unreadable} images")
    width = max(len(row.generator) for row in measured.rows)
    lines += ["", f"{'generator':{width}}  images  recall  precision  accepted"]
    for row in measured.rows:
        figures = (_percent(row.recall), _percent(row.precision), _percent(row.kept))
        lines.append(
            f"{row.generator:{width}}  {row.images:6d}  {figures[0]:>6}  {figures[1]:>9}  "
            f"{figures[2]:>8}"
        )
    if measured.quality:
        lines += ["", "JPEG quality: balanced accuracy, %"]
        lines += [
            f"{quality:3d}: {Estimate(*value).percent()}"
            for quality, value in sorted(measured.quality.items(), reverse=True)
        ]
    return "\n".join(lines) + "\n"


def headline(measured: Measured) -> list[tuple[str, str]]:
    """The main figures in words, in percent with 95 % intervals."""
    chosen: Sequence[tuple[str, tuple[float | None, ...] | None]] = (
        ("accuracy, closed set", measured.accuracy),
        ("balanced accuracy, closed set", measured.balanced),
        ("known generators accepted", measured.kept),
        ("open set: AUC", measured.auc),
        ("open set: OSCR", measured.oscr),
        ("unknown generators rejected", measured.rejected),
        ("photographs given a generator's name", measured.photographs_named),
    )
    found = [(name, Estimate(*value).percent()) for name, value in chosen if value is not None]
    counted = f"{measured.images:,} of known generators"
    if measured.unknown_images:
        counted += f", {measured.unknown_images:,} of unknown ones"
    return [("images", counted), *found]


def left_out_text(found: LeftOut) -> str:
    """Figures of leaving out each generator, the hardest first."""
    width = max(len(row.generator) for row in found.rows)
    lines = [
        "Each generator left out in turn, %, 95 % intervals",
        f"{'generator':{width}}  images  AUC                OSCR               rejected  called",
    ]
    for row in sorted(found.rows, key=lambda row: row.auc[0] or 0.0):
        lines.append(
            f"{row.generator:{width}}  {row.images:6d}  {Estimate(*row.auc).percent():17}  "
            f"{Estimate(*row.oscr).percent():17}  {_percent(row.rejected):>8}  {row.instead}"
        )
    mean = f"mean: AUC {100 * found.auc:.1f}, OSCR {100 * found.oscr:.1f}"
    return "\n".join([*lines, f"{mean}, rejected {100 * found.rejected:.1f}"]) + "\n"


def _confusion(measured: Measured) -> Figure:
    """Shares by row; a generator without images has no row."""
    counts = np.asarray(measured.counts, dtype=float)
    totals = counts.sum(axis=1, keepdims=True)
    seen = np.flatnonzero(totals)
    return plots.heatmap(
        (counts[seen] / totals[seen]).tolist(),
        [measured.generators[row] for row in seen],
        [*measured.generators, "photograph"],
        label="share of the row",
        low=0.0,
    )


def _curve_csv(measured: Measured) -> str:
    rows = [
        [str(quality), *("" if v is None else f"{v:.4f}" for v in value)]
        for quality, value in sorted(measured.quality.items(), reverse=True)
    ]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([["quality", "balanced_accuracy", "low", "high"], *rows])
    return text.getvalue()


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"
