"""Several detectors on the same images: one table, paired tests, critical differences."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from typing import TypeAlias

import numpy as np

from authentiscan.core.errors import MetricError, UsageError
from authentiscan.core.progress import Progress, Stages
from authentiscan.core.records import Record
from authentiscan.datasets.open import NamedData
from authentiscan.evaluation.adapters import Candidate, read_scores
from authentiscan.evaluation.evaluate import data_facts
from authentiscan.evaluation.harness import score_panel
from authentiscan.evaluation.protocol import Protocol, named
from authentiscan.evaluation.results import DataFacts, Settings, Slice
from authentiscan.evaluation.scores import ScoreTable
from authentiscan.evaluation.slices import Measuring, Options, Slicer, no_intervals
from authentiscan.manifest.table import Manifest
from authentiscan.metrics import curves
from authentiscan.metrics.bootstrap import Estimate
from authentiscan.metrics.curves import Curve
from authentiscan.metrics.significance import (
    Difference,
    Ranks,
    critical_difference,
    delong,
    holm,
    paired_bootstrap,
)

TESTED = ("roc_auc", "balanced_accuracy", "tpr_at_fpr_5")
UNIT_IMAGES = 10  # a generator needs so many images to be a unit of the ranking


class Standing(Record):
    """One detector. ``elsewhere``: its scores came as a file, made on images as found there."""

    detector: str
    threshold: float
    images: int
    failed: int
    elsewhere: bool
    metrics: dict[str, Estimate]
    per_generator: dict[str, Estimate]
    roc: Curve | None = None


class PairTest(Record):
    """First minus second. ``p_holm`` is adjusted for all pairs tested on that metric."""

    first: str
    second: str
    differences: dict[str, Difference]
    p_holm: dict[str, float]
    delong: Difference | None = None


class Comparison(Record):
    """All detectors on one data set under one protocol, on the images that every one scored."""

    created: datetime
    data: DataFacts
    settings: Settings
    protocol: str
    common: int
    standings: tuple[Standing, ...]
    tests: tuple[PairTest, ...]
    ranks: Ranks | None = None
    warnings: tuple[str, ...] = ()


class Comparisons(Record):
    """The same detectors on every data set under every protocol."""

    schema_version: int = 2
    kind: str = "comparisons"
    created: datetime
    settings: Settings
    found: tuple[Comparison, ...]

    @property
    def detectors(self) -> list[str]:
        """Their names, in the order given."""
        return [s.detector for s in self.found[0].standings]

    @property
    def data(self) -> list[str]:
        """Names of the data sets."""
        return list(dict.fromkeys(c.data.name for c in self.found))

    def of(self, data: str) -> list[Comparison]:
        """The comparisons on one data set, by protocol."""
        return [c for c in self.found if c.data.name == data]

    @property
    def warnings(self) -> tuple[str, ...]:
        """Those of all parts, each with its place where there are several."""
        return tuple(
            f"{c.data.name}, {c.protocol}: {w}" if len(self.found) > 1 else w
            for c in self.found
            for w in c.warnings
        )


Tables: TypeAlias = dict[tuple[str, str], dict[str, ScoreTable]]
"""Score tables by (data set, protocol), then by detector."""


def compare(
    candidates: Sequence[Candidate],
    sources: Sequence[NamedData],
    *,
    protocols: Sequence[str] = ("raw", "matched"),
    options: Options | None = None,
    cache: Path | None = None,
    progress: Stages | None = None,
    workers: int = 2,
) -> tuple[Comparisons, Tables]:
    """Score every source with every candidate under every protocol and test all pairs.

    Figures are of the images that all scored; each image is decoded once for all detectors.
    progress: gives a callback for a source's name. Raises UsageError for fewer than two candidates
    or equal names, MetricError where no image is common to all.
    """
    names = [c.name for c in candidates]
    if len(names) < 2 or len(set(names)) < len(names):
        raise UsageError(f"compare needs two or more differently named detectors, got {names}")
    places = [s.name for s in sources]
    if not places or len(set(places)) < len(places):
        raise UsageError(f"compare needs differently named data sets, got {places}")
    opts = options or Options()
    found: list[Comparison] = []
    tables: Tables = {}
    for source in sources:
        chosen = [named(text, source.manifest) for text in protocols]
        report = progress(source.name) if progress else None
        scored = _scored(
            candidates, source.manifest, chosen, report,
            cache=cache, workers=workers, seed=opts.seed,
        )  # fmt: skip
        for i, protocol in enumerate(chosen):
            own = {name: by_protocol[i] for name, by_protocol in scored.items()}
            tables[source.name, protocol.name] = own
            found.append(compare_tables(candidates, own, protocol, name=source.name, options=opts))
    return (
        Comparisons(created=datetime.now(UTC), settings=opts.record(), found=tuple(found)),
        tables,
    )


def _scored(
    candidates: Sequence[Candidate],
    manifest: Manifest,
    protocols: Sequence[Protocol],
    progress: Progress | None,
    *,
    cache: Path | None,
    workers: int,
    seed: int,
) -> dict[str, list[ScoreTable]]:
    """A table per protocol by candidate's name; scores from a file are the same under all."""
    running = [(c.name, c.scorer) for c in candidates if c.scorer is not None]
    panel = score_panel(
        [s for _, s in running],
        manifest,
        protocols,
        progress,
        cache=cache,
        workers=workers,
        seed=seed,
    )
    found = dict(zip([name for name, _ in running], panel, strict=True))
    for c in candidates:
        if c.scores_file is not None:
            found[c.name] = [read_scores(c.scores_file, manifest, c.name)] * len(protocols)
    return found


def compare_tables(
    candidates: Sequence[Candidate],
    tables: dict[str, ScoreTable],
    protocol: Protocol,
    *,
    name: str,
    options: Options,
) -> Comparison:
    """The comparison of tables already scored, one per candidate and row for row alike."""
    shared = np.all([~np.isnan(t.scores) for t in tables.values()], axis=0)
    if not shared.any():
        raise MetricError("no image was scored by all detectors")
    # What a running detector learnt of the files holds for a CSV's rows too.
    facts = next((tables[c.name] for c in candidates if c.scorer), next(iter(tables.values())))
    kept = {n: _with_columns(t, facts).take(shared) for n, t in tables.items()}
    how = Measuring(protocol.size_matched, options)
    slicers = [how.slicer(kept[c.name], c.threshold) for c in candidates]
    slices = [slicer.overall() for slicer in slicers]
    standings = tuple(
        _standing(c, slicer, part, tables[c.name].failed)
        for c, slicer, part in zip(candidates, slicers, slices, strict=True)
    )
    return Comparison(
        created=datetime.now(UTC),
        data=data_facts(facts, name),
        settings=options.record(),
        protocol=protocol.name,
        common=int(shared.sum()),
        standings=standings,
        tests=_tests(candidates, kept, how),
        ranks=_ranks(standings),
        warnings=(
            *_warnings(candidates, tables, int(shared.sum()), protocol),
            *no_intervals(slices[0], options),
        ),
    )


def _with_columns(table: ScoreTable, other: ScoreTable) -> ScoreTable:
    from dataclasses import replace

    return replace(table, columns=other.columns)


def _standing(candidate: Candidate, slicer: Slicer, overall: Slice, failed: int) -> Standing:
    table = slicer.table
    weights = slicer.weights(np.arange(len(table)))
    both = weights is not None and table.labels.min() != table.labels.max()
    generators = [s for s in slicer.parts(("generator",)) if s.real == 0]
    return Standing(
        detector=candidate.name,
        threshold=candidate.threshold,
        images=len(table),
        failed=failed,
        elsewhere=candidate.scorer is None,
        metrics=overall.metrics,
        per_generator={
            s.name: s.metrics["roc_auc"]
            for s in generators
            if s.generated >= UNIT_IMAGES and "roc_auc" in s.metrics
        },
        roc=curves.roc_curve(table.labels, table.scores, weights=weights) if both else None,
    )


def _tests(
    candidates: Sequence[Candidate],
    tables: dict[str, ScoreTable],
    how: Measuring,
) -> tuple[PairTest, ...]:
    labels = next(iter(tables.values())).labels
    if labels.min() == labels.max():
        return ()
    raw: list[tuple[Candidate, Candidate, dict[str, Difference], Difference]] = []
    for a, b in combinations(candidates, 2):
        first, second = tables[a.name], tables[b.name]
        weights = how.slicer(first, a.threshold).weights(np.arange(len(first)))
        if weights is None:
            return ()
        differences = paired_bootstrap(
            labels,
            first.scores,
            second.scores,
            first.groups,
            metrics=TESTED,
            thresholds=(a.threshold, b.threshold),
            weights=weights,
            rounds=how.options.rounds,
            seed=how.options.seed,
            level=how.options.level,
        )
        raw.append((a, b, differences, delong(labels, first.scores, second.scores, first.groups)))
    adjusted = {m: _holm([d[m].p for _, _, d, _ in raw]) for m in TESTED}
    return tuple(
        PairTest(
            first=a.name,
            second=b.name,
            differences=differences,
            p_holm={m: adjusted[m][i] for m in TESTED if adjusted[m]},
            delong=test,
        )
        for i, (a, b, differences, test) in enumerate(raw)
    )


def _holm(values: list[float | None]) -> list[float]:
    known = [v for v in values if v is not None]
    return holm(known) if len(known) == len(values) else []


def _ranks(standings: Sequence[Standing]) -> Ranks | None:
    """Detectors ranked by ROC AUC on each generator; None with fewer than three generators."""
    units = [
        g
        for g in standings[0].per_generator
        if all(g in s.per_generator and s.per_generator[g].value is not None for s in standings)
    ]
    if len(units) < 3:
        return None
    figures = [[s.per_generator[g].value or 0.0 for s in standings] for g in units]
    return critical_difference([s.detector for s in standings], figures)


def _warnings(
    candidates: Sequence[Candidate],
    tables: dict[str, ScoreTable],
    shared: int,
    protocol: Protocol,
) -> list[str]:
    found = []
    total = len(next(iter(tables.values())))
    if shared < total:
        counts = ", ".join(f"{n} {t.failed}" for n, t in tables.items() if t.failed)
        found.append(f"{total - shared} of {total} images lack a score ({counts}) and are left out")
    elsewhere = [c.name for c in candidates if c.scorer is None]
    if elsewhere and protocol.name != "raw":
        found.append(
            f"the scores of {', '.join(elsewhere)} were made elsewhere, on images as found there; "
            f"the protocol {protocol.name} was not applied to them"
        )
    return found
