"""Images of Parquet tables: manifests, and tables that hold the images themselves.

The rows are found without reading an image; whoever judges a row reads it. So a table of a million
images is listed in seconds, and the machines of a cluster read their own rows.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from authentiscan.core import buckets
from authentiscan.core.errors import (
    AuthentiscanError,
    ManifestError,
    MissingExtraError,
    UnreadableFileError,
)
from authentiscan.core.text import library_words
from authentiscan.manifest.stores import image_column
from authentiscan.scan import items
from authentiscan.scan.items import Item

if TYPE_CHECKING:
    import pyarrow.parquet as pq

TABLE_ENDINGS = frozenset({".parquet"})
SEPARATOR = "::"
_ROWS = 10_000  # of a manifest's places read at a time


def rows(table: str) -> Iterator[Item]:
    """The images of a Parquet table, a file or an object, named ``table.parquet::row``.

    Where the table is a manifest, an image that is a file of its own has that file's name. A table
    that cannot be read or holds no images is one item with an error.
    """
    try:
        yield from _rows(table)
    except MissingExtraError:
        raise
    except AuthentiscanError as error:
        yield Item(items.shown(table), error=UnreadableFileError(str(error)))


def _rows(table: str) -> Iterator[Item]:
    file = _file(table)
    names = file.schema_arrow.names
    if image_column(file.schema_arrow) is not None:
        for row in range(file.metadata.num_rows):
            yield _row(table, table, row)
        return
    if "path" not in names:
        raise ManifestError(f"a table without images: it has the columns {names}")
    root = os.path.dirname(table)  # noqa: PTH120 - an address is no path
    columns = ["path", *(["row"] if "row" in names else [])]
    for batch in file.iter_batches(_ROWS, columns=columns):
        found = batch.to_pydict()
        places = found.get("row") or [None] * len(batch)
        for path, row in zip(found["path"], places, strict=True):
            yield (
                _placed(_joined(root, path), row)
                if path
                else Item(items.shown(table), error=UnreadableFileError("a row without a path"))
            )


def _placed(place: str, row: int | None) -> Item:
    if row is not None:
        return _row(place, place, row)
    if buckets.is_bucket(place):
        return Item(place, address=place)
    return items.file(place)


def _row(name: str, place: str, row: int) -> Item:
    shown = f"{items.shown(name)}{SEPARATOR}{row}"
    if buckets.is_bucket(place):
        return Item(shown, address=place, row=row)
    return Item(shown, path=Path(place), row=row)


def _joined(root: str, path: str) -> str:
    if buckets.is_bucket(path):
        return path
    return buckets.join(root, path) if buckets.is_bucket(root) else str(Path(root, path))


def _file(table: str) -> pq.ParquetFile:
    try:
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingExtraError("reading Parquet tables", "data") from error
    try:
        return pq.ParquetFile(buckets.opened(table) if buckets.is_bucket(table) else table)
    except (OSError, ValueError) as error:
        raise ManifestError(f"no readable Parquet table: {library_words(error)}") from error
