"""The audit from end to end: choose images, measure facts, fit, put into words, match."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from authentiscan.checks.audit.audit_report import Audit, Matching, Measured
from authentiscan.checks.audit.features import COLUMN, FILE_GROUPS, GROUPS, NAMES, Measure, Source
from authentiscan.checks.audit.findings import findings
from authentiscan.checks.audit.matching import LEVELS, matched_manifest, plan
from authentiscan.checks.audit.shortcuts import measure_shortcut
from authentiscan.checks.verify.sweep import sweep
from authentiscan.core.errors import DatasetError
from authentiscan.core.progress import Stages, stage
from authentiscan.images.degrade import Chain
from authentiscan.manifest.table import Manifest

LIMIT = 20_000
_GOOD = 0.6


@dataclass(frozen=True, slots=True)
class Audited:
    """A report and, where it was asked for, the matched manifest."""

    report: Audit
    matched: Manifest | None = None


@dataclass(frozen=True, slots=True)
class _Table:
    """Facts of the readable rows of a manifest."""

    rows: NDArray[np.int64]
    values: NDArray[np.float32]
    labels: NDArray[np.int8]
    groups: NDArray[np.int64]
    failed: int


@dataclass(frozen=True, slots=True)
class Auditor:
    """How an audit is done.

    after: chains that all images go through before they are measured once more. matched: whether to
    make a matched manifest. limit: images measured, as many of each class as possible, drawn by
    ``seed``; a matched manifest looks at all rows. only: groups of facts that are fitted, none for
    all of them and what they do together. workers: processes.
    """

    after: Sequence[str] = ()
    matched: bool = False
    limit: int = LIMIT
    only: Sequence[str] = ()
    workers: int = 2
    seed: int = 0
    progress: Stages | None = None

    def __call__(self, manifest: Manifest, name: str = "manifest") -> Audited:
        """Audit ``manifest``; ``name`` is what the report calls it.

        Raises UsageError for a chain that cannot be read, DatasetError where a class is missing.
        """
        began = time.perf_counter()
        chains = [str(Chain.parse(text)) for text in self.after]
        chosen = _choose(manifest.labels, self.limit, self.seed)
        rows = np.arange(len(manifest)) if self.matched else chosen
        stored = self._facts(manifest, rows, "", "measuring")
        measured = [self._measured(_only(stored, chosen), "as stored")]
        for chain in chains:
            degraded = self._facts(manifest, chosen, chain, f"after {chain}")
            measured.append(self._measured(degraded, f"after {chain}"))
        matching, version = None, None
        if self.matched:
            matching, version, again = self._match(manifest, stored)
            measured.append(again)
        report = Audit(
            manifest=name,
            rows=len(manifest),
            unreadable=stored.failed,
            measured=tuple(measured),
            findings=tuple(findings(measured[0])),
            matching=matching,
            seconds=round(time.perf_counter() - began, 2),
        )
        return Audited(report, version)

    def _match(self, manifest: Manifest, stored: _Table) -> tuple[Matching, Manifest, Measured]:
        best: tuple[Matching, Manifest, Measured] | None = None
        for level in LEVELS:
            try:
                found = plan(stored.values, stored.labels, stored.rows, level=level, seed=self.seed)
            except DatasetError:
                if best is None:
                    raise
                break
            report = stage(self.progress, f"matching by {level}")
            version = matched_manifest(manifest, found, progress=report)
            chosen = _choose(version.labels, self.limit, self.seed)
            facts = self._facts(version, chosen, "", "measuring the matched version")
            try:
                again = self._measured(facts, f"matched by {level}")
            except DatasetError:
                if best is None:
                    raise
                break
            summary = Matching(
                rows=len(version),
                per_class=len(version) // 2,
                recompressed=len(found.recompress),
                level=level,
            )
            best = (summary, version, again)
            if max(again.auc(name) for name in ("format", "size", "jpeg")) <= _GOOD:
                break
        if best is None:
            raise DatasetError("no level of matching left any image")
        return best

    def _facts(self, manifest: Manifest, rows: NDArray[np.int64], chain: str, title: str) -> _Table:
        work = Measure(_sources(manifest, rows), chain, self.seed)
        kept: list[int] = []
        values = np.full((len(rows), len(NAMES)), np.nan, dtype=np.float32)
        failed = 0
        report = stage(self.progress, title)
        order = rows.tolist()
        for chunk in sweep(manifest, work, rows=order, workers=self.workers, progress=report):
            for one in chunk:
                if one.values is None:
                    failed += 1
                    continue
                values[len(kept)] = one.values
                kept.append(one.row)
        found = np.asarray(kept, dtype=np.int64)
        groups, _ = manifest.codes("group")
        # Rows without a group are groups of their own.
        groups = np.where(groups < 0, len(groups) + np.arange(len(groups)), groups)
        return _Table(found, values[: len(found)], manifest.labels[found], groups[found], failed)

    def _measured(self, table: _Table, version: str) -> Measured:
        parts = {**GROUPS}
        parts["all file facts"] = tuple(n for g in FILE_GROUPS for n in GROUPS[g])
        parts["all"] = NAMES
        parts = {name: parts[name] for name in self.only} or parts
        shortcuts = []
        fitting = stage(self.progress, "fitting")
        for i, (name, columns) in enumerate(parts.items()):
            values = table.values[:, [COLUMN[c] for c in columns]]
            shortcuts.append(
                measure_shortcut(name, columns, values, table.labels, table.groups, seed=self.seed)
            )
            if fitting is not None:
                fitting(i + 1, len(parts))
        return Measured(
            version=version,
            images=len(table.labels),
            real=int((table.labels == 0).sum()),
            generated=int((table.labels == 1).sum()),
            groups=len(np.unique(table.groups)),
            shortcuts=tuple(shortcuts),
        )


def _choose(labels: NDArray[np.int8], limit: int, seed: int) -> NDArray[np.int64]:
    """At most ``limit`` rows, ascending, as many of either class as there are, up to half each."""
    rng = np.random.default_rng(seed)
    classes = [np.flatnonzero(labels == label) for label in (0, 1)]
    half = max(limit // 2, limit - min(len(c) for c in classes))
    chosen = [c if len(c) <= half else rng.choice(c, half, replace=False) for c in classes]
    return np.sort(np.concatenate(chosen)).astype(np.int64)


def _only(table: _Table, rows: NDArray[np.int64]) -> _Table:
    keep = np.isin(table.rows, rows)
    return _Table(
        table.rows[keep], table.values[keep], table.labels[keep], table.groups[keep], table.failed
    )


def _sources(manifest: Manifest, rows: NDArray[np.int64]) -> dict[int, Source]:
    """What the manifest says of published files that it holds parts of, by row."""
    names = manifest.table.column_names
    if "stored" not in names:
        return {}
    wanted = [n for n in ("stored", "format", "source_width", "source_height") if n in names]
    found: dict[int, Source] = {}
    table = manifest.table.select(wanted).take(rows)
    for row, facts in zip(rows.tolist(), table.to_pylist(), strict=True):
        if facts["stored"] in (None, "whole"):
            continue
        found[row] = Source(
            format=facts.get("format"),
            width=facts.get("source_width"),
            height=facts.get("source_height"),
            repacked=facts["stored"] == "lossless-crop",
        )
    return found
