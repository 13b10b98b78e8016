"""Counting a manifest's rows without holding them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from authentiscan.core.errors import ManifestError, MissingExtraError

Cell = tuple[str, int, str]
"""Data set, label (0 real, 1 generated), generator."""


def count_rows(path: Path) -> Mapping[Cell, Mapping[str | None, int]]:
    """Rows of a manifest by (data set, label, generator), and within by split (None without one).

    Reads five columns, a batch at a time. Raises ManifestError where the file is no manifest.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingExtraError("reading manifests", "data") from error
    if not path.is_file():
        raise ManifestError(f"no manifest at {path}; make one with: authentiscan data organize")
    names = ["dataset", "label", "generator", "split"]
    counts: dict[Cell, Counter[str | None]] = {}
    try:
        file = pq.ParquetFile(path)
        there = [n for n in names if n in file.schema_arrow.names]
        if not {"dataset", "label", "generator"} <= set(there):
            raise ManifestError(
                f"{path} is no manifest: it lacks {sorted(set(names) - set(there))}"
            )
        for batch in file.iter_batches(65_536, columns=there):
            groups = pa.Table.from_batches([batch]).group_by(there).aggregate([([], "count_all")])
            for row in groups.to_pylist():
                cell = (str(row["dataset"]), int(row["label"]), str(row["generator"]))
                counts.setdefault(cell, Counter())[row.get("split")] += row["count_all"]
    except (OSError, ValueError) as error:
        raise ManifestError(f"{path} is no readable Parquet table: {error}") from error
    return dict(sorted(counts.items()))
