"""Cross-validation over data sets: every detector on every data set, and on generators left out.

A detector's own data set is the diagonal. Its generalisation gap is its figure there minus the mean
of its figures elsewhere: what a paper that tests in-domain does not tell.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from authentiscan.core.csv_cells import defused_row
from authentiscan.core.errors import UsageError
from authentiscan.core.progress import Stages
from authentiscan.core.records import Record
from authentiscan.datasets.open import NamedData
from authentiscan.evaluation.adapters import Candidate
from authentiscan.evaluation.evaluate import data_facts, worst_mistakes
from authentiscan.evaluation.harness import score_panel
from authentiscan.evaluation.protocol import named
from authentiscan.evaluation.results import DataFacts, Mistake, Settings
from authentiscan.evaluation.scores import ScoreTable
from authentiscan.evaluation.slices import Measuring, Options
from authentiscan.metrics.bootstrap import Estimate, Resampler, interval, replicates
from authentiscan.metrics.ranking import Floats, Ranking

GAP_METRICS = ("roc_auc", "balanced_accuracy", "accuracy")


class Cell(Record):
    """One detector on one data set."""

    detector: str
    data: str
    in_domain: bool
    failed: int
    metrics: dict[str, Estimate]
    mistakes: tuple[Mistake, ...]


class Gap(Record):
    """In-domain minus the mean elsewhere, of one detector and metric; positive is a loss."""

    detector: str
    metric: str
    in_domain: float | None
    elsewhere: float | None
    gap: Estimate


class LeftOut(Record):
    """A detector trained without a generator, on that generator; and a reference that had it.

    Figures are of the generator's images against all real ones.
    """

    generator: str
    detector: str
    data: str
    images: int
    metrics: dict[str, Estimate]
    reference: dict[str, Estimate] | None = None


class CrossEvaluation(Record):
    """The matrix, the gaps, and the generators left out."""

    schema_version: int = 1
    kind: str = "cross-evaluation"
    created: datetime
    protocol: str
    settings: Settings
    detectors: tuple[str, ...]
    data: tuple[DataFacts, ...]
    cells: tuple[Cell, ...]
    gaps: tuple[Gap, ...]
    left_out: tuple[LeftOut, ...] = ()

    def cell(self, detector: str, data: str) -> Cell:
        """The cell of a detector and a data set."""
        return next(c for c in self.cells if c.detector == detector and c.data == data)

    def grid(self, metric: str) -> list[list[float | None]]:
        """Figures by detector (rows) and data set (columns)."""
        return [
            [self.cell(d, s.name).metrics.get(metric, Estimate(None)).value for s in self.data]
            for d in self.detectors
        ]

    def csv(self) -> str:
        """One line per detector and data set with every metric and its interval."""
        names = sorted({m for c in self.cells for m in c.metrics})
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        ends = ("", "_low", "_high")
        writer.writerow(
            ["detector", "data", "in_domain", "failed", *(m + e for m in names for e in ends)]
        )
        for c in self.cells:
            figures = [v for m in names for v in c.metrics.get(m, Estimate(None)).as_json()]
            cells = ["" if v is None else f"{v:.5f}" for v in figures]
            names_of = defused_row([c.detector, c.data])
            writer.writerow([*names_of, int(c.in_domain), c.failed, *cells])
        return buffer.getvalue()


def cross_evaluate(
    candidates: Sequence[Candidate],
    sources: Sequence[NamedData],
    *,
    home: Mapping[str, str] | None = None,
    left_out: Mapping[str, str] | None = None,
    protocol: str = "matched",
    options: Options | None = None,
    cache: Path | None = None,
    progress: Stages | None = None,
    workers: int = 2,
) -> CrossEvaluation:
    """Score every source with every candidate under ``protocol``.

    home: detector -> data set it was trained on; without it the first detector belongs to the first
    data set, the second to the second, and so on. left_out: detector -> generator it never saw; the
    first detector not named there is the reference. progress: gives a callback for a source's name.
    Raises UsageError for unknown names.
    """
    opts = options or Options()
    names, places = [c.name for c in candidates], [s.name for s in sources]
    _check(names, places, home or {}, left_out or {})
    belongs = dict(home) if home else dict(zip(names, places, strict=False))
    scorers = []
    for c in candidates:
        if c.scorer is None:
            raise UsageError(f"{c.name} is a file of scores; cross-evaluation runs detectors")
        scorers.append(c.scorer)
    tables: dict[tuple[str, str], ScoreTable] = {}
    for source in sources:
        scored = score_panel(
            scorers,
            source.manifest,
            [named(protocol, source.manifest)],
            progress(source.name) if progress else None,
            cache=cache,
            workers=workers,
            seed=opts.seed,
        )
        tables |= {(n, source.name): t for n, (t,) in zip(names, scored, strict=True)}
    how = Measuring(named(protocol).size_matched, opts)
    cells = tuple(
        _cell(c, s.name, tables[c.name, s.name], belongs.get(c.name) == s.name, how)
        for c in candidates
        for s in sources
    )
    return CrossEvaluation(
        created=datetime.now(UTC),
        protocol=protocol,
        settings=opts.record(),
        detectors=tuple(names),
        data=tuple(data_facts(tables[names[0], p], p) for p in places),
        cells=cells,
        gaps=tuple(_gaps(candidates, places, belongs, tables, how)),
        left_out=tuple(_left_out(candidates, sources, tables, left_out or {}, how)),
    )


def _check(
    names: list[str], places: list[str], home: Mapping[str, str], left_out: Mapping[str, str]
) -> None:
    for what, found in (("detectors", names), ("data sets", places)):
        if not found or len(set(found)) < len(found):
            raise UsageError(f"cross-evaluation needs differently named {what}, got {found}")
    unknown = sorted((set(home) | set(left_out)) - set(names)) + sorted(
        set(home.values()) - set(places)
    )
    if unknown:
        raise UsageError(f"unknown names {unknown}; detectors are {names}, data sets {places}")


def _cell(
    candidate: Candidate,
    place: str,
    table: ScoreTable,
    in_domain: bool,
    how: Measuring,
) -> Cell:
    slicer = how.slicer(table.scored(), candidate.threshold)
    return Cell(
        detector=candidate.name,
        data=place,
        in_domain=in_domain,
        failed=table.failed,
        metrics=slicer.overall().metrics,
        mistakes=worst_mistakes(table, candidate.threshold, 6),
    )


def _gaps(
    candidates: Sequence[Candidate],
    places: Sequence[str],
    belongs: Mapping[str, str],
    tables: Mapping[tuple[str, str], ScoreTable],
    how: Measuring,
) -> list[Gap]:
    """Data sets are independent samples: each is resampled by itself, the gap draw by draw."""
    found = []
    for i, c in enumerate(candidates):
        if c.name not in belongs or len(places) < 2:
            continue
        draws = {
            p: _draws(tables[c.name, p].scored(), c.threshold, how, seed=i * 997 + j)
            for j, p in enumerate(places)
        }
        for metric in GAP_METRICS:
            point = {p: float(d[metric][0]) for p, d in draws.items()}
            others = [p for p in places if p != belongs[c.name]]
            own, elsewhere = point[belongs[c.name]], float(np.mean([point[p] for p in others]))
            if np.isnan(own) or np.isnan(elsewhere):
                none = Estimate(None)
                found.append(
                    Gap(detector=c.name, metric=metric, in_domain=None, elsewhere=None, gap=none)
                )
                continue
            rest = np.mean([draws[p][metric][1:] for p in others], axis=0)
            span = interval(draws[belongs[c.name]][metric][1:] - rest, how.options.level)
            found.append(
                Gap(
                    detector=c.name,
                    metric=metric,
                    in_domain=own,
                    elsewhere=elsewhere,
                    gap=Estimate(own - elsewhere, *(span or ())),
                )
            )
    return found


def _draws(table: ScoreTable, threshold: float, how: Measuring, *, seed: int) -> dict[str, Floats]:
    """The figure itself, then its replicates, of each metric."""
    weights = how.slicer(table, threshold).weights(np.arange(len(table)))
    if weights is None:
        nothing = np.full(how.options.rounds + 1, np.nan)
        return dict.fromkeys(GAP_METRICS, nothing)
    ranking = Ranking(table.labels, table.scores, threshold=threshold)
    point = ranking.measure(weights[ranking.order][None])
    resampler = Resampler(table.labels, table.groups, rounds=how.options.rounds, seed=seed)
    drawn = replicates(ranking, resampler, weights) if how.options.rounds else {}
    nothing = np.empty(0)
    return {m: np.concatenate([point[m], drawn.get(m, nothing)]) for m in GAP_METRICS}


def _left_out(
    candidates: Sequence[Candidate],
    sources: Sequence[NamedData],
    tables: Mapping[tuple[str, str], ScoreTable],
    left_out: Mapping[str, str],
    how: Measuring,
) -> list[LeftOut]:
    by_name = {c.name: c for c in candidates}
    reference = next((c for c in candidates if c.name not in left_out), None)
    found = []
    for detector, generator in left_out.items():
        rows = 0
        for source in sources:
            figures, images = _generator(
                tables[detector, source.name], generator, by_name[detector], how
            )
            if figures is None:
                continue
            rows += images
            known = None
            if reference is not None:
                table = tables[reference.name, source.name]
                known, _ = _generator(table, generator, reference, how)
            found.append(
                LeftOut(
                    generator=generator,
                    detector=detector,
                    data=source.name,
                    images=images,
                    metrics=figures,
                    reference=known,
                )
            )
        if not rows:
            raise UsageError(f"no image of generator {generator!r} in {[s.name for s in sources]}")
    return found


def _generator(
    table: ScoreTable,
    generator: str,
    candidate: Candidate,
    how: Measuring,
) -> tuple[dict[str, Estimate] | None, int]:
    scored = table.scored()
    slicer = how.slicer(scored, candidate.threshold)
    part = next((s for s in slicer.parts(("generator",)) if s.name == generator), None)
    return (None, 0) if part is None else (part.metrics, part.generated)
