"""Parquet files as manifests: opening them, and images that stand in the manifest itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from authentiscan.core.errors import ManifestError, MissingExtraError
from authentiscan.core.text import library_words

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq


def open_parquet(path: Path | str) -> pq.ParquetFile:
    """A Parquet file opened. Raises ManifestError where it is absent or no such file."""
    pq = pyarrow_parquet()
    if not Path(path).is_file():
        raise ManifestError(f"no manifest at {path}; make one with: authentiscan data organize")
    try:
        # Not mapped: the pages of a large table would all count as this process's memory.
        return pq.ParquetFile(path)
    except (OSError, ValueError) as error:
        raise ManifestError(
            f"{path} is no readable Parquet table: {library_words(error)}"
        ) from error


def with_column(table: pa.Table, name: str, column: pa.Array) -> pa.Table:
    """``table`` with ``column`` called ``name``, in the place of one of that name."""
    if name in table.column_names:
        return table.set_column(table.column_names.index(name), name, column)
    return table.append_column(name, column)


def pointing_at(table: pa.Table, file: pq.ParquetFile, name: str) -> pa.Table:
    """``table`` whose rows point at the images that ``file``, called ``name``, holds itself.

    What was their path becomes their name. Rows without an image there keep theirs.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    held = _holds_image(file)
    rows = pa.array(np.arange(len(table)), pa.int64())
    old = _column(table, "path", pa.string())
    if "name" not in table.column_names and "path" in table.column_names:
        table = table.append_column("name", [old])
    table = with_column(table, "path", pc.if_else(held, name, old))
    return with_column(table, "row", pc.if_else(held, rows, _column(table, "row", pa.int64())))


def _column(table: pa.Table, name: str, kind: pa.DataType) -> pa.Array:
    """The column, of nulls where there is none."""
    import pyarrow as pa

    there = name in table.column_names
    return table[name].cast(kind).combine_chunks() if there else pa.nulls(len(table), kind)


def _holds_image(file: pq.ParquetFile) -> pa.Array:
    """(rows,) whether the column ``image`` has a value; read only where that is not known."""
    import pyarrow as pa

    meta = file.metadata
    groups = [meta.row_group(g) for g in range(meta.num_row_groups)]
    leaves = [c for g in groups for i in range(g.num_columns) if _is_image(c := g.column(i))]
    known = [c.statistics for c in leaves]
    if known and all(s is not None and s.has_null_count and s.null_count == 0 for s in known):
        return pa.array(np.ones(meta.num_rows, dtype=bool))
    batches = file.iter_batches(1024, columns=["image"], use_threads=False)
    held = [batch.column(0).is_valid() for batch in batches]
    return pa.chunked_array(held, pa.bool_()).combine_chunks()


def _is_image(chunk: pa.Array) -> bool:
    """Whether a column of a row group holds the encoded images, alone or beside their paths."""
    return chunk.path_in_schema in ("image", "image.bytes")


def pyarrow_parquet() -> pa.Array:
    """`pyarrow.parquet`. Raises MissingExtraError where it is not installed."""
    try:
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingExtraError("reading and writing manifests", "data") from error
    return pq
