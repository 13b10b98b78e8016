"""One recipe with several seeds: how much of a figure is the seed's.

FOLDER/seed-N/     a whole run each, with the recipe's seed, the next one, and so on
FOLDER/seeds.json, seeds.html, seeds.md   mean and spread of the figures over the runs

Data and split stay the same; first weights, order, crops and dropout differ. The same call again
goes on where it stopped: runs that are finished are not made again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import TYPE_CHECKING

from pydantic import Field

from authentiscan.core.errors import BundleError, TrainingError, UsageError
from authentiscan.core.files import write_text
from authentiscan.core.records import Record
from authentiscan.evaluation.words import WORDS
from authentiscan.inference.bundle import read_spec
from authentiscan.inference.spec import DetectorSpec
from authentiscan.report.page import Page, Picture, Section
from authentiscan.report.tables import Table
from authentiscan.training.recipe import Recipe, recipe_sha256
from authentiscan.training.run import BUNDLE, Result
from authentiscan.training.runs import history_of
from authentiscan.training.runs_page import curves_picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MEASURED = (
    "roc_auc", "balanced_accuracy", "real_accuracy", "generated_accuracy", "tpr_at_fpr_1",
    "tpr_at_fpr_5", "average_precision", "brier", "ece",
)  # fmt: skip
MOST = 100


def _silent(_text: str) -> None:
    """Say nothing."""


class Spread(Record):
    """A figure over the runs: mean, standard deviation (n - 1), and each run's own."""

    mean: float
    deviation: float = Field(ge=0)
    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """The spread of two or more values."""
        return cls(mean=mean(values), deviation=stdev(values), values=tuple(values))

    def __str__(self) -> str:
        low, high = min(self.values), max(self.values)
        return f"{self.mean:.3f} ± {self.deviation:.3f} ({low:.3f} to {high:.3f})"


class Repeats(Record):
    """Several runs of one recipe. measured_on: ``test`` or, where there is none, ``validation``."""

    recipe: str
    seeds: tuple[int, ...]
    folders: tuple[str, ...]
    measured_on: str
    figures: dict[str, Spread]

    def table(self) -> Table:
        """A figure a row, a seed a column."""
        head = ["", "mean ± deviation", *(f"seed {seed}" for seed in self.seeds)]
        rows = [
            [WORDS[name], f"{s.mean:.3f} ± {s.deviation:.3f}", *(f"{v:.3f}" for v in s.values)]
            for name, s in self.figures.items()
        ]
        note = (
            f"Of the bundles on the {self.measured_on} part. ± is the standard deviation between "
            "seeds; it does not hold how much another set of test images would change them."
        )
        return Table(head, rows, note)


def repeat(
    recipe: Recipe,
    count: int,
    folder: Path,
    run: Callable[[Recipe, Path, bool], Result],
    info: Callable[[str], None] = _silent,
) -> Repeats:
    """Train ``recipe`` with ``count`` seeds into ``folder`` and lay the runs side by side.

    run: trains a recipe into a folder, going on with what is there where the third is true. info:
    told of each seed. Raises UsageError for a count, TrainingError where the folder holds runs of
    another recipe.
    """
    if not 2 <= count <= MOST:
        raise UsageError(f"--seeds {count}: give a number from 2 to {MOST}")
    seeds = tuple(range(recipe.seed, recipe.seed + count))
    folders = tuple(folder / f"seed-{seed}" for seed in seeds)
    specs = []
    for seed, place in zip(seeds, folders, strict=True):
        own = recipe.model_copy(update={"seed": seed, "name": f"{recipe.name}-seed{seed}"})
        spec = _finished(place, own)
        info(f"seed {seed}: {place}" + (", finished before" if spec else ""))
        if spec is None:
            begun = (place / "checkpoints" / "last.ckpt").is_file()
            spec = run(own, place, begun).spec
        if spec is None:
            raise TrainingError(f"the run in {place} left no bundle")
        specs.append(spec)
    found = _joined(recipe, seeds, folders, specs)
    write_text(folder / "seeds.json", found.model_dump_json(indent=2) + "\n")
    _page(found, folders).write(folder, "seeds")
    return found


def _finished(folder: Path, recipe: Recipe) -> DetectorSpec | None:
    """The bundle of a run that is done; None where there is none yet."""
    if not (folder / "metrics.txt").is_file():
        return None
    try:
        spec = read_spec(folder / BUNDLE)
    except BundleError:
        return None
    if getattr(spec, "recipe_sha256", None) != recipe_sha256(recipe):
        raise TrainingError(f"{folder} holds a run of another recipe; choose a new folder with -o")
    return spec


def _joined(
    recipe: Recipe,
    seeds: tuple[int, ...],
    folders: tuple[Path, ...],
    specs: Sequence[DetectorSpec],
) -> Repeats:
    tested = [_test_figures(spec) for spec in specs]
    on = "test" if all(tested) else "validation"
    rows = tested if all(tested) else [_figures(spec, "validation") for spec in specs]
    shared = [name for name in MEASURED if all(name in row for row in rows)]
    return Repeats(
        recipe=recipe.name,
        seeds=seeds,
        folders=tuple(map(str, folders)),
        measured_on=on,
        figures={name: Spread.of([row[name] for row in rows]) for name in shared},
    )


def _test_figures(spec: DetectorSpec) -> dict[str, float]:
    """Of the protocol that the run's own test part was measured under."""
    protocols = spec.metrics.part("evaluation", "test").parts
    name = next((name for name in protocols if not name.startswith("per_")), None)
    return _figures(spec, "evaluation", "test", name) if name else {}


def _figures(spec: DetectorSpec, *path: str) -> dict[str, float]:
    part = spec.metrics.part(*path)
    values = {name: part.value(name) for name in MEASURED}
    return {name: float(value) for name, value in values.items() if isinstance(value, int | float)}


def _page(found: Repeats, folders: Sequence[Path]) -> Page:
    names = [f"seed {seed}" for seed in found.seeds]
    histories = {n: history_of(f) for n, f in zip(names, folders, strict=True)}
    best = found.figures.get("roc_auc")
    headline = [("ROC AUC", f"{best.mean:.3f} ± {best.deviation:.3f}", "")] if best else []
    dots = Picture("seeds", _dots(found), "Each run's figures; the bar is the mean.")
    return Page(
        title=f"{found.recipe}: {len(found.seeds)} seeds",
        lead="One recipe trained with several seeds: what differs is chance, not the method.",
        sections=[
            Section("Figures", tables=[found.table()], pictures=[dots]),
            Section("Curves", pictures=[curves_picture(histories)]),
        ],
        headline=headline,
    )


def _dots(found: Repeats) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 0.5 * len(found.figures) + 1.2), layout="constrained")
    axes = figure.subplots()
    for row, spread in enumerate(found.figures.values()):
        axes.plot(spread.values, [row] * len(spread.values), "o", color="#0072B2", alpha=0.7)
        axes.plot([spread.mean] * 2, [row - 0.3, row + 0.3], color="#D55E00", linewidth=2)
    axes.set_yticks(range(len(found.figures)), [WORDS[name] for name in found.figures])
    axes.invert_yaxis()
    axes.set_xlim(-0.02, 1.02)  # dots at an end are whole
    axes.grid(axis="x", alpha=0.3)
    return figure
