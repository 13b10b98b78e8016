"""Figures of the whole and of its parts: per data set, generator, source, style, format, bands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from authentiscan.evaluation.protocol import matched_weights
from authentiscan.evaluation.results import ComparedWith, Settings, Slice
from authentiscan.evaluation.scores import ScoreTable
from authentiscan.metrics.bootstrap import LEVEL, ROUNDS, Estimate, estimates
from authentiscan.metrics.ranking import METRICS, Floats
from authentiscan.metrics.thresholds import share_interval

PARTS = ("dataset", "generator", "source", "style", "format", "size_band", "jpeg_band")
_AGAINST_ALL = ("dataset", "generator", "source", "style")
_RANKING = ("roc_auc", "partial_auc", "average_precision", "tpr_at_fpr_1", "tpr_at_fpr_5")


@dataclass(frozen=True, slots=True)
class Options:
    """How to measure.

    rounds: bootstrap draws. threshold: None takes the bundle's own, 0.5 without a bundle.
    parts: columns to divide by. mistakes: how many of each class to list.
    """

    rounds: int = ROUNDS
    seed: int = 0
    level: float = LEVEL
    threshold: float | None = None
    parts: tuple[str, ...] = PARTS
    mistakes: int = 12

    def record(self) -> Settings:
        """What a report states of these options."""
        libraries = {p: version(p) for p in ("authentiscan", "numpy", "onnxruntime", "pillow")}
        return Settings(rounds=self.rounds, seed=self.seed, level=self.level, libraries=libraries)


@dataclass(frozen=True, slots=True)
class Measuring:
    """How the tables of one protocol are measured."""

    size_matched: bool
    options: Options

    def slicer(self, table: ScoreTable, threshold: float) -> Slicer:
        """The slicer of one table at one threshold."""
        return Slicer(table, threshold, self.size_matched, self.options)


class Slicer:
    """Makes slices of one scored table with one threshold and one kind of weighting."""

    def __init__(
        self, table: ScoreTable, threshold: float, size_matched: bool, options: Options
    ) -> None:
        self.table, self.threshold, self.size_matched = table, threshold, size_matched
        self.options = options
        self.bands = table.column("size_band")

    def weights(self, rows: NDArray[np.intp]) -> Floats | None:
        """Size-matching weights of these rows, ones where sizes are not matched.

        None where no size band has both classes.
        """
        if not self.size_matched:
            return np.ones(len(rows))
        return matched_weights(self.table.labels[rows], [self.bands[i] for i in rows])

    def overall(self) -> Slice:
        """All rows."""
        return self._two_classes("all", "all", np.arange(len(self.table)))

    def parts(self, by: Sequence[str] = PARTS) -> list[Slice]:
        """A slice per value of each column that has more than one value, larger ones first."""
        found: list[Slice] = []
        for column in by:
            values = np.asarray([_text(v) for v in self.table.column(column)])
            names, counts = np.unique(values, return_counts=True)
            if column == "generator" or len(names) > 1:
                order = np.argsort(-counts, kind="stable")
                found += [self._part(column, str(names[i]), values == names[i]) for i in order]
        return [s for s in found if s.name]

    def _part(self, by: str, name: str, member: NDArray[np.bool_]) -> Slice:
        rows = np.flatnonzero(member)
        labels = self.table.labels[rows]
        if labels.min() != labels.max():
            return self._two_classes(by, name, rows)
        metrics = self._one_class(rows)
        compared: ComparedWith = "nothing"
        if labels[0] == 1 and by in _AGAINST_ALL and (self.table.labels == 0).any():
            both = np.flatnonzero(member | (self.table.labels == 0))
            figures = self._estimates(both)
            metrics |= {m: figures[m] for m in _RANKING}
            compared = "all real"
        return self._slice(by, name, rows, metrics, compared)

    def _two_classes(self, by: str, name: str, rows: NDArray[np.intp]) -> Slice:
        figures = self._estimates(rows)
        if figures["roc_auc"].value is None:  # sizes share no band: each class for itself
            for label in (0, 1):
                own = rows[self.table.labels[rows] == label]
                if len(own):
                    figures |= self._one_class(own)
        return self._slice(by, name, rows, figures, "own")

    def _estimates(self, rows: NDArray[np.intp]) -> dict[str, Estimate]:
        weights = self.weights(rows)
        if weights is None:
            return {name: Estimate(None) for name in METRICS}
        rows, weights = rows[weights > 0], weights[weights > 0]
        figures = estimates(
            self.table.labels[rows],
            self.table.scores[rows],
            [self.table.groups[i] for i in rows],
            threshold=self.threshold,
            weights=weights if self.size_matched else None,
            rounds=self.options.rounds,
            seed=self.options.seed,
            level=self.options.level,
        )
        # Where every image of a class is right (or wrong) draws cannot vary; Wilson's interval can.
        for label, names in ((0, ("real_accuracy",)), (1, ("generated_accuracy", "recall"))):
            if figures[names[0]].value in (0.0, 1.0):
                own = self._one_class(rows[self.table.labels[rows] == label])
                figures |= {name: own[name] for name in names}
        return figures

    def _one_class(self, rows: NDArray[np.intp]) -> dict[str, Estimate]:
        called = self.table.scores[rows] >= self.threshold
        generated = bool(self.table.labels[rows[0]])
        right = called if generated else ~called
        figure = Estimate(*share_interval(right, [self.table.groups[i] for i in rows]))
        if generated:
            return {"generated_accuracy": figure, "recall": figure}
        return {"real_accuracy": figure}

    def _slice(
        self,
        by: str,
        name: str,
        rows: NDArray[np.intp],
        metrics: dict[str, Estimate],
        compared: ComparedWith,
    ) -> Slice:
        labels = self.table.labels[rows]
        groups = [self.table.groups[i] for i in rows]
        return Slice(
            by=by,
            name=name,
            real=int((labels == 0).sum()),
            generated=int((labels == 1).sum()),
            groups=count_groups(groups),
            compared_with=compared,
            metrics=metrics,
        )


def no_intervals(part: Slice, options: Options) -> list[str]:
    """A warning where figures have no interval although draws were asked for."""
    area = part.metrics.get("roc_auc", Estimate(None))
    if options.rounds < 2 or area.value is None or area.low is not None:
        return []
    return ["no intervals: all images of a class are of one group, so nothing can be resampled"]


def count_groups(groups: Sequence[object]) -> int:
    """How many independent groups there are; a row without a group is its own."""
    named = {g for g in groups if g is not None}
    return len(named) + sum(g is None for g in groups)


def _text(value: object) -> str:
    return "" if value is None else str(value)
