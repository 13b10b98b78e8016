"""Parquet tables, CSV lists and manifests as sources: what columns mean, rows in chunks.

Images stay where they are: the manifest points at the table by path and row.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from authentiscan.core.errors import (
    AuthentiscanError,
    DatasetError,
    ManifestError,
    MissingExtraError,
)
from authentiscan.core.files import is_there
from authentiscan.core.text import library_words
from authentiscan.core.types import JsonObject, Row
from authentiscan.datasets import csv_files
from authentiscan.datasets.facts import DigestedChunk, Entry, Failure
from authentiscan.datasets.foldernames import SPLIT_WORDS
from authentiscan.datasets.labelsigns import check_labels
from authentiscan.datasets.table_columns import TableFacts, kept_columns, roles_of
from authentiscan.images.decode import read_source
from authentiscan.manifest.stores import image_column, read_row
from authentiscan.manifest.table import REQUIRED, manifest_path

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

CHUNK_ROWS = 2000
READ_ROWS = 256
_NOT_READ = object()


class _TableChunk(DigestedChunk):
    """Rows of a table whose own columns ``types`` are kept."""

    __slots__ = ()
    types: Row

    def extra_types(self) -> dict[str, pa.DataType]:
        """The table's own columns that are kept."""
        return dict(self.types)


@dataclass(frozen=True, slots=True)
class RowGroupChunk(_TableChunk):
    """One row group of a Parquet table that holds its images.

    Its `key` is of the file's size and time, the row group and how it is read.
    """

    facts: TableFacts
    group: int
    first: int
    rows: int
    stamp: tuple[int, int]
    types: Row = field(repr=False)

    def entries(self, *, read: bool = True) -> Iterator[Entry | Failure]:
        """The rows in order; a few hundred images are in memory at a time."""
        number = self.first
        try:
            for row in self._rows(read):
                yield self._entry(row, number)
                number += 1
        except (OSError, ValueError) as error:
            why = f"row group {self.group} of the table is damaged: {library_words(error)}"
            for rest in range(number, self.first + self.rows):
                yield Failure(self.facts.place, rest, why)

    def _rows(self, read: bool) -> Iterator[JsonObject]:
        columns = [*self.facts.roles.values(), *self.facts.kept]
        if read:
            columns.append(str(self.facts.image))
        elif self.facts.image_path:
            columns.append(f"{self.facts.image}.path")
        for batch in _table(self.facts.source).iter_batches(
            READ_ROWS, row_groups=[self.group], columns=columns, use_threads=False
        ):
            yield from batch.to_pylist()

    def _entry(self, row: JsonObject, number: int) -> Entry | Failure:
        facts = self.facts
        image = row.pop(str(facts.image), _NOT_READ)
        if row.get(facts.roles["label"]) is None:
            return Failure(facts.place, number, "the row has no label")
        entry = facts.entry(row, facts.place, number)
        if isinstance(image, dict):
            if image.get("path") and "name" not in facts.roles:
                entry.name = str(image["path"])
            image = image.get("bytes", _NOT_READ)
        if image is not _NOT_READ:
            entry.data = image if image is not None else ManifestError("the row holds no image")
        return entry


@dataclass(frozen=True, slots=True)
class ListChunk(_TableChunk):
    """Rows that name files (a CSV list, a table of paths) or rows of tables (a manifest).

    Its `key` is of the list's size and time and of the rows: a changed image file goes unnoticed.
    """

    facts: TableFacts
    rows: tuple[Row, ...]
    stamp: tuple[int, int]
    types: Row = field(repr=False)

    def entries(self, *, read: bool = True) -> Iterator[Entry | Failure]:
        """The rows in order."""
        root = Path(self.facts.source).parent
        for row in self.rows:
            value = row.get(self.facts.roles["path"])
            if not value or row.get(self.facts.roles["label"]) is None:
                lacks = "the row lacks a path or a label"
                yield Failure(str(value or self.facts.source), None, lacks)
                continue
            try:
                yield self._entry(row, _place(root, str(value)), read)
            except ValueError as error:  # a row that is no number, a path no system can have
                yield Failure(str(value), None, str(error))

    def _entry(self, row: Row, target: Path, read: bool) -> Entry:
        value = row.get(self.facts.roles.get("row", ""))
        number = None if value in (None, "") else int(value)
        path = manifest_path(target, Path(self.facts.place))
        entry = self.facts.entry(row, path, number)
        if not read:
            return entry
        try:
            entry.data = read_source(target) if number is None else read_row(target, number)
        except AuthentiscanError as error:
            entry.data = error
        return entry


def _place(root: Path, name: str) -> Path:
    """The file that a list names; backslashes separate folders where only that is there."""
    place = root / name
    return place if "\\" not in name or is_there(place) else root / name.replace("\\", "/")


@lru_cache(maxsize=2)
def _table(path: str) -> pq.ParquetFile:
    import pyarrow.parquet as pq

    # Not mapped: the pages of a large table would all count as this process's memory.
    return pq.ParquetFile(path)


def is_table(path: Path) -> bool:
    """True for the endings of Parquet tables and CSV lists."""
    return path.suffix.lower() in {".parquet", ".csv"}


def table_chunks(
    path: Path,
    manifest_folder: Path,
    dataset: str,
    *,
    generator: str | None = None,
    licence: str | None = None,
    labels: Mapping[str, int] | None = None,
    facts: bool = False,
) -> Iterator[RowGroupChunk | ListChunk]:
    """The rows of a Parquet table, a CSV list or a manifest: a row group or 2,000 rows at a time.

    facts: keep what the table says of width, height, format and so on. Raises DatasetError where
    the columns do not tell images or labels, UsageError where they contradict each other.
    """
    shared: Row = {
        "source": str(path),
        "dataset": dataset,
        "generator": generator,
        "licence": licence,
        "labels": tuple(sorted((labels or {}).items())),
    }
    stat = path.stat()
    stamp = (stat.st_size, stat.st_mtime_ns)
    if path.suffix.lower() == ".csv":
        yield from _csv_chunks(path, manifest_folder, shared, stamp)
        return
    table = _opened(path)
    known, types = _facts_of(path, manifest_folder, table.schema_arrow, shared, facts=facts)
    columns = [*known.roles.values(), *known.kept]
    if not set(REQUIRED) <= set(table.schema_arrow.names):  # the labels of a manifest are settled
        batches = _batches(path, table, columns)
        _check(known, (row for batch in batches for row in batch.to_pylist()))
    if not known.image:
        for batch in _batches(path, table, columns):
            yield ListChunk(known, tuple(batch.to_pylist()), stamp, types)
        return
    first = 0
    for group in range(table.num_row_groups):
        rows = table.metadata.row_group(group).num_rows
        yield RowGroupChunk(known, group, first, rows, stamp, types)
        first += rows


def _facts_of(
    path: Path, manifest_folder: Path, schema: pa.Schema, shared: Row, *, facts: bool
) -> tuple[TableFacts, Row]:
    """What the columns of a Parquet table mean, and the types of its own that are kept."""
    image = image_column(schema)
    roles = roles_of(path, schema.names, "image bytes" if image else None)
    scalars = _scalars(schema)
    kept = kept_columns(scalars, {*roles.values(), image}, facts=facts)
    types = {name: scalars[column] for column, name in kept.items()}
    known = TableFacts(
        **shared,
        place=manifest_path(path, manifest_folder) if image else str(manifest_folder),
        roles=roles,
        names=_class_names(schema),
        kept=kept,
        image=image,
        image_path=image is not None and _has_path(schema.field(image).type),
        split=_split_of_file(path),
    )
    return known, types


def _opened(path: Path) -> pq.ParquetFile:
    try:
        return _table(str(path))
    except ImportError as error:
        raise MissingExtraError("reading Parquet tables", "data") from error
    except (OSError, ValueError) as error:
        raise DatasetError(
            f"{path} is no readable Parquet table: {library_words(error)}"
        ) from error


def _batches(path: Path, table: pq.ParquetFile, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Some thousand rows at a time. Raises DatasetError where the table is damaged inside."""
    try:
        yield from table.iter_batches(CHUNK_ROWS, columns=columns)
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path}: the table is damaged: {library_words(error)}") from error


def _check(facts: TableFacts, rows: Iterable[Row]) -> None:
    explained = [text for text, _ in facts.labels]
    names = facts.names.get(facts.roles["label"], ())
    explained += [str(i) for i, name in enumerate(names) if name in explained]
    check_labels(facts.source, rows, facts.roles, facts.label, explained)


def _csv_chunks(
    path: Path, manifest_folder: Path, shared: Row, stamp: tuple[int, int]
) -> Iterator[ListChunk]:
    import pyarrow as pa

    columns = csv_files.header(path)
    roles = roles_of(path, columns, None)
    kept = kept_columns(columns, roles.values())
    facts = TableFacts(**shared, place=str(manifest_folder), roles=roles, names={}, kept=kept)
    wanted = {*roles.values(), *kept}
    _check(facts, csv_files.rows(path, wanted))
    types = dict.fromkeys(kept.values(), pa.string())
    rows = csv_files.rows(path, wanted)
    while batch := tuple(islice(rows, CHUNK_ROWS)):
        yield ListChunk(facts, batch, stamp, types)


def lists_images(path: Path) -> bool:
    """Whether a CSV has the columns of a list of images."""
    try:
        roles_of(path, csv_files.header(path), None)
    except AuthentiscanError:
        return False
    return True


def _scalars(schema: pa.Schema) -> dict[str, pa.DataType]:
    """The columns of numbers, truth values and texts, with dictionaries as their values."""
    import pyarrow as pa

    types: dict[str, pa.DataType] = {}
    for column in schema:
        kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
        if pa.types.is_large_string(kind):
            kind = pa.string()
        tests = (pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating, pa.types.is_string)
        if any(test(kind) for test in tests):
            types[column.name] = kind
    return types


def _class_names(schema: pa.Schema) -> dict[str, tuple[str, ...]]:
    """Names of integer classes, as the `datasets` library leaves them in a Parquet file."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return {
            column: tuple(map(str, feature["names"]))
            for column, feature in features.items()
            if isinstance(feature, dict) and "names" in feature
        }
    except (KeyError, TypeError, ValueError):
        return {}


def _has_path(kind: pa.DataType) -> bool:
    """Whether a column of images is a struct with their names, as the `datasets` library writes."""
    import pyarrow as pa

    return bool(pa.types.is_struct(kind)) and kind.get_field_index("path") >= 0


def _split_of_file(path: Path) -> str | None:
    """``train-00000-of-00003.parquet`` says train; other names say nothing."""
    return SPLIT_WORDS.get(path.stem.split("-")[0].lower())
