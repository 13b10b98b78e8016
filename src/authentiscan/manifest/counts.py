"""Counting a manifest's rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from authentiscan.manifest.table import Manifest

Cell = tuple[str, int, str]
"""Data set, label (0 real, 1 generated), generator."""


def count_rows(manifest: Manifest) -> Mapping[Cell, Mapping[str | None, int]]:
    """Rows by (data set, label, generator), and within by split (None without one)."""
    names = [
        n for n in ("dataset", "label", "generator", "split") if n in manifest.table.column_names
    ]
    counts: dict[Cell, Counter[str | None]] = {}
    for row in manifest.table.group_by(names).aggregate([([], "count_all")]).to_pylist():
        cell = (str(row["dataset"]), int(row["label"]), str(row["generator"]))
        counts.setdefault(cell, Counter())[row.get("split")] += row["count_all"]
    return dict(sorted(counts.items()))
