"""Runs laid side by side: what differed in their recipes, what came out, how they got there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from authentiscan.core.files import write_bytes
from authentiscan.report.judges import judge_of
from authentiscan.report.page import Page, Picture, Section
from authentiscan.report.plots import COLOURS
from authentiscan.report.tables import Table
from authentiscan.training.runs import (
    FIGURES,
    MEASURED,
    Run,
    Values,
    bundle_of,
    history_of,
    labels,
    recipe_differences,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PANELS = (
    ("train_loss", "training loss"),
    ("val_loss", "validation loss"),
    ("val_roc_auc", "validation ROC AUC"),
    ("val_balanced_accuracy", "validation balanced accuracy"),
)


class RunComparison(BaseModel):
    """Several runs. differences: dotted recipe keys that are not the same in all, a value a run."""

    model_config = ConfigDict(frozen=True)

    names: tuple[str, ...]
    runs: tuple[Run, ...]
    differences: dict[str, list[object]]
    histories: tuple[list[Values], ...]


def compare_runs(runs: Sequence[Run]) -> RunComparison:
    """Recipes, figures and histories of ``runs``. Raises UsageError where one is given twice."""
    return RunComparison(
        names=tuple(labels(runs)),
        runs=tuple(runs),
        differences=recipe_differences(runs),
        histories=tuple(history_of(run.folder) for run in runs),
    )


def figures_table(comparison: RunComparison) -> Table:
    """A figure a row, a run a column; the best of a row is not marked: intervals are not known."""
    runs = comparison.runs
    rows = [
        ["state", *(run.progress for run in runs)],
        ["model", *(run.model for run in runs)],
        ["data", *(", ".join(run.data) for run in runs)],
        ["best epoch", *("–" if r.best_epoch is None else str(r.best_epoch) for r in runs)],
        *_figure_rows("best epoch", FIGURES, [run.best for run in runs]),
        *_figure_rows("bundle, validation", MEASURED, [run.validation for run in runs]),
    ]
    for name in dict.fromkeys(name for run in runs for name in run.tests):
        rows += _figure_rows(name, MEASURED, [run.tests.get(name, {}) for run in runs])
    rows += [
        ["parameters", *("–" if r.parameters is None else f"{r.parameters:,}" for r in runs)],
        ["bundle, MB", *(megabytes(run.size) for run in runs)],
        ["training time", *(duration(run.seconds) for run in runs)],
    ]
    return Table(["", *comparison.names], rows)


def differences_table(comparison: RunComparison) -> Table:
    """A recipe key a row, a run a column."""
    rows = [[key, *map(_shown, values)] for key, values in comparison.differences.items()]
    return Table(["recipe key", *comparison.names], rows, left=True)


def curves(histories: Mapping[str, Sequence[Values]]) -> Figure:
    """Losses, ROC AUC and balanced accuracy over the epochs, one line a run."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 6.4), layout="constrained")
    for axes, (key, title) in zip(figure.subplots(2, 2).flat, _PANELS, strict=True):
        for number, (name, history) in enumerate(histories.items()):
            points = [(row["epoch"], row[key]) for row in history if key in row]
            colour = COLOURS[number % len(COLOURS)]
            axes.plot(
                [p[0] for p in points], [p[1] for p in points],
                marker=".", color=colour, label=name.replace("$", r"\$"),
            )  # fmt: skip
        axes.set(xlabel="epoch", ylabel=title)
        axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        axes.grid(alpha=0.3)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def curves_picture(histories: Mapping[str, Sequence[Values]]) -> Picture:
    """`curves` for a page."""
    return Picture("curves", curves(histories), "Training and validation over the epochs, by run.")


def comparison_page(comparison: RunComparison) -> Page:
    """All of it as a page."""
    shown = dict(zip(comparison.names, comparison.histories, strict=True))
    same = [] if comparison.differences else ["The recipes are the same."]
    tables = [differences_table(comparison)] if comparison.differences else []
    return Page(
        title=f"{len(shown)} runs: {', '.join(shown)}",
        lead=(
            "Figures of the best epoch are training's own, on centre crops of the validation part; "
            "those of the bundle are of the detector as shipped. Validation parts may differ "
            "between runs: for a verdict measure the bundles on one test part."
        ),
        sections=[
            Section("What differs in the recipes", same, tables),
            Section("Figures", tables=[figures_table(comparison)]),
            Section("Curves", pictures=[curves_picture(shown)]),
        ],
        judges=[
            judge_of(spec, name)
            for name, run in zip(comparison.names, comparison.runs, strict=True)
            if (spec := bundle_of(run.folder)) is not None
        ],
    )


def write_comparison(comparison: RunComparison, target: Path) -> Path:
    """Write the curves where ``target`` ends in .png, else a page into the folder ``target`` (or as
    the file, where it ends in .html); returns what was written.
    """
    if target.suffix == ".png":
        shown = dict(zip(comparison.names, comparison.histories, strict=True))
        write_bytes(target, curves_picture(shown).png())
        return target
    page = comparison_page(comparison)
    if target.suffix == ".html":
        return page.write(target.parent, target.stem)
    return page.write(target, "runs")


def duration(seconds: float) -> str:
    """As people say it: ``45 s``, ``12 min``, ``3 h 5 min``."""
    if seconds < 100:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def megabytes(size: int | None) -> str:
    """Bytes in MB."""
    return "–" if size is None else f"{size / 1e6:.1f}"


def _figure_rows(about: str, keys: Sequence[str], values: Sequence[Values]) -> list[list[str]]:
    return [
        [f"{about}: {key}", *(f"{v[key]:.4f}" if key in v else "–" for v in values)]
        for key in keys
        if any(key in v for v in values)
    ]


def _shown(value: object) -> str:
    return "–" if value is None else str(value)
