"""Parquet tables, CSV lists and manifests as sources: what columns mean, rows in chunks.

Images stay where they are: the manifest points at the table by path and row.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from authentiscan.core.errors import (
    AuthentiscanError,
    DatasetError,
    ManifestError,
    MissingExtraError,
)
from authentiscan.core.text import library_words
from authentiscan.datasets.facts import FACTS, MORE_FACTS, Entry, Failure
from authentiscan.datasets.foldernames import SPLIT_WORDS, label_of
from authentiscan.datasets.labelsigns import FLAGS, TRUTH, check_labels
from authentiscan.images.decode import read_source
from authentiscan.manifest.stores import ImageStore, image_column, open_store
from authentiscan.manifest.table import COLUMNS, REQUIRED, manifest_path

if TYPE_CHECKING:
    import pyarrow as pa

CHUNK_ROWS = 2000
READ_ROWS = 256
_NOT_READ = object()
# What a column is called in tables met in the wild; the first that is there counts.
ROLES: Mapping[str, tuple[str, ...]] = {
    "path": ("path", "file", "file_name", "filename", "filepath", "image_path"),
    "row": ("row",),
    "label": ("label", "labels", *FLAGS, "class", "target"),
    "generator": ("generator", "model", "generator_name", "model_name"),
    "dataset": ("dataset",),
    "split": ("split",),
    "group": ("group", "group_id"),
    "licence": ("licence", "license"),
    "confidence": ("confidence",),
    "name": ("name",),
}
_RESERVED = frozenset({*FACTS, *MORE_FACTS, *COLUMNS, "held_out"})


@dataclass(frozen=True, slots=True)
class TableFacts:
    """What all rows of a table share.

    place: how the manifest names the table, or, where rows name files, the manifest's folder.
    roles: role -> column. kept: own column -> its name in the manifest. names: column -> names of
    its integer classes. labels: the user's own reading of label values, as (value, 0 or 1). split:
    the split that the file's name says. image, image_path: the column of images, and whether it
    has their names.
    """

    source: str
    place: str
    dataset: str
    generator: str | None
    licence: str | None
    roles: Mapping[str, str]
    names: Mapping[str, tuple[str, ...]]
    kept: Mapping[str, str]
    labels: tuple[tuple[str, int], ...] = ()
    image: str | None = None
    image_path: bool = False
    split: str | None = None

    def label(self, value: Any) -> int:
        """0 or 1. Raises DatasetError for a value that does not say real or generated."""
        named = self.class_name("label", value)
        for text, label in self.labels:
            if text in (str(value), str(named)):
                return label
        if FLAGS.get(self.roles["label"].lower()) == 0 and str(named).lower() in TRUTH:
            return 1 - TRUTH[str(named).lower()]
        if isinstance(named, str):
            found = label_of(named)
            if found is None:
                found = TRUTH.get(named.lower())
            if found is not None:
                return found
        elif named in (0, 1):
            return int(named)
        raise DatasetError(
            f"{self.source}: label {named!r} does not say real or generated; "
            f"tell with --label '{named}=real' or --label '{named}=generated'"
        )

    def _because(self, value: Any) -> str:
        named = self.class_name("label", value)
        shown = f"{value} ({named})" if named != value else str(value)
        explained = {text for text, _ in self.labels} & {str(value), str(named)}
        return f"the column {self.roles['label']} = {shown}" + (
            ", as --label says" if explained else ""
        )

    def class_name(self, role: str, value: Any) -> Any:
        """The name of an integer class where the file gives names, else the value as it is."""
        names = self.names.get(self.roles.get(role, ""), ())
        return names[value] if isinstance(value, int) and 0 <= value < len(names) else value

    def entry(self, row: Mapping[str, Any], path: str, number: int | None) -> Entry:
        """The Entry of one row, without its bytes."""
        values = {role: row.get(column) for role, column in self.roles.items()}
        label = self.label(values.get("label"))
        generator = self.class_name("generator", values.get("generator")) or self.generator
        split = str(values.get("split") or self.split or "").lower()
        return Entry(
            path=path,
            row=number,
            name=str(values.get("name") or values.get("path") or f"{Path(path).name}#{number}"),
            label=label,
            generator=str(generator or "unknown"),
            dataset=str(self.class_name("dataset", values.get("dataset")) or self.dataset),
            data=None,
            because=self._because(values.get("label")),
            split=SPLIT_WORDS.get(split),
            group=_text(values.get("group")),
            licence=_text(values.get("licence")) or self.licence,
            confidence=_text(values.get("confidence")),
            extras={name: row.get(column) for column, name in self.kept.items()},
        )


def kept_columns(
    columns: Iterable[str], used: Collection[str | None], *, facts: bool = False
) -> dict[str, str]:
    """A table's own columns that the manifest keeps, and what they are called there.

    Facts are read from the bytes, so a table's own are dropped unless ``facts``; its ``format`` is
    kept as ``source_format``, for tables that store images otherwise than they were found.
    """
    # A column without a name is the index that pandas writes.
    own = [c for c in columns if c not in used and c.strip() and not c.startswith("__")]
    kept = {c: c for c in own if c not in _RESERVED or (facts and c in FACTS)}
    if not facts and "format" in own and "source_format" not in own:
        kept["format"] = "source_format"
    return kept


@dataclass(frozen=True, slots=True)
class RowGroupChunk:
    """One row group of a Parquet table that holds its images."""

    facts: TableFacts
    group: int
    first: int
    rows: int
    stamp: tuple[int, int]
    types: Mapping[str, Any] = field(repr=False)

    @property
    def key(self) -> str:
        """Hash of the file's size and time, the row group and how it is read."""
        return _digest(self)

    def extra_types(self) -> dict[str, pa.DataType]:
        """The table's scalar columns that are kept."""
        return dict(self.types)

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

    def _rows(self, read: bool) -> Iterator[dict[str, Any]]:
        columns = [*self.facts.roles.values(), *self.facts.kept]
        if read:
            columns.append(str(self.facts.image))
        elif self.facts.image_path:
            columns.append(f"{self.facts.image}.path")
        for batch in _table(self.facts.source).iter_batches(
            READ_ROWS, row_groups=[self.group], columns=columns, use_threads=False
        ):
            yield from batch.to_pylist()

    def _entry(self, row: dict[str, Any], number: int) -> Entry | Failure:
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
class ListChunk:
    """Rows that name files (a CSV list, a table of paths) or rows of tables (a manifest)."""

    facts: TableFacts
    rows: tuple[Mapping[str, Any], ...]
    stamp: tuple[int, int]
    types: Mapping[str, Any] = field(repr=False)

    @property
    def key(self) -> str:
        """Hash of the list's size and time and of the rows. A changed image file goes unnoticed."""
        return _digest(self)

    def extra_types(self) -> dict[str, pa.DataType]:
        """The list's own columns."""
        return dict(self.types)

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
                yield self._entry(row, root / str(value), read)
            except ValueError as error:  # a row that is no number, a path no system can have
                yield Failure(str(value), None, str(error))

    def _entry(self, row: Mapping[str, Any], target: Path, read: bool) -> Entry:
        value = row.get(self.facts.roles.get("row", ""))
        number = None if value in (None, "") else int(value)
        path = manifest_path(target, Path(self.facts.place))
        entry = self.facts.entry(row, path, number)
        if not read:
            return entry
        try:
            entry.data = read_source(target) if number is None else _store(str(target)).read(number)
        except AuthentiscanError as error:
            entry.data = error
        return entry


@lru_cache(maxsize=8)
def _store(path: str) -> ImageStore:
    return open_store(Path(path))


@lru_cache(maxsize=2)
def _table(path: str) -> Any:
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
    shared: dict[str, Any] = {
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
    try:
        table = _table(str(path))
    except ImportError as error:
        raise MissingExtraError("reading Parquet tables", "data") from error
    except (OSError, ValueError) as error:
        raise DatasetError(
            f"{path} is no readable Parquet table: {library_words(error)}"
        ) from error
    schema = table.schema_arrow
    image = image_column(schema)
    roles = _roles(path, schema.names, "image bytes" if image else None)
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
    columns = [*roles.values(), *kept]
    if not set(REQUIRED) <= set(schema.names):  # the labels of a manifest are settled
        batches = _batches(path, table, columns)
        _check(known, (row for batch in batches for row in batch.to_pylist()))
    if image:
        first = 0
        for group in range(table.num_row_groups):
            rows = table.metadata.row_group(group).num_rows
            yield RowGroupChunk(known, group, first, rows, stamp, types)
            first += rows
        return
    for batch in _batches(path, table, columns):
        yield ListChunk(known, tuple(batch.to_pylist()), stamp, types)


def _batches(path: Path, table: Any, columns: Sequence[str]) -> Iterator[Any]:
    """Some thousand rows at a time. Raises DatasetError where the table is damaged inside."""
    try:
        yield from table.iter_batches(CHUNK_ROWS, columns=columns)
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path}: the table is damaged: {library_words(error)}") from error


def _check(facts: TableFacts, rows: Iterable[Mapping[str, Any]]) -> None:
    explained = [text for text, _ in facts.labels]
    names = facts.names.get(facts.roles["label"], ())
    explained += [str(i) for i, name in enumerate(names) if name in explained]
    check_labels(facts.source, rows, facts.roles, facts.label, explained)


def _csv_chunks(
    path: Path, manifest_folder: Path, shared: Mapping[str, Any], stamp: tuple[int, int]
) -> Iterator[ListChunk]:
    import pyarrow as pa

    try:
        header = _csv_header(path)
        roles = _roles(path, header, None)
        kept = kept_columns(header, roles.values())
        facts = TableFacts(**shared, place=str(manifest_folder), roles=roles, names={}, kept=kept)
        wanted = {*roles.values(), *kept}
        _check(facts, _csv_rows(path, wanted))
        types = dict.fromkeys(kept.values(), pa.string())
        rows = _csv_rows(path, wanted)
        while batch := tuple(islice(rows, CHUNK_ROWS)):
            yield ListChunk(facts, batch, stamp, types)
    except (UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path}: not a UTF-8 CSV: {error}") from error


def _csv_header(path: Path) -> list[str]:
    with path.open(newline="", encoding="utf-8-sig") as stream:
        return list(csv.DictReader(stream).fieldnames or [])


def _csv_rows(path: Path, wanted: Collection[str]) -> Iterator[dict[str, str | None]]:
    with path.open(newline="", encoding="utf-8-sig") as stream:
        for row in csv.DictReader(stream):
            yield {k: v or None for k, v in row.items() if k in wanted}


def lists_images(path: Path) -> bool:
    """Whether a CSV has the columns of a list of images."""
    try:
        _roles(path, _csv_header(path), None)
    except (AuthentiscanError, UnicodeDecodeError, csv.Error):
        return False
    return True


def _roles(path: Path, columns: list[str], images: str | None) -> dict[str, str]:
    lower = {c.strip().lower(): c for c in reversed(columns)}
    roles = {
        role: next(lower[n] for n in names if n in lower)
        for role, names in ROLES.items()
        if any(n in lower for n in names)
    }
    if images:
        roles.pop("row", None)
        if "path" in roles and "name" not in roles:
            roles["name"] = roles.pop("path")
        roles.pop("path", None)
    missing = [r for r in (("label",) if images else ("path", "label")) if r not in roles]
    if missing:
        wanted = "; ".join(f"{r}: one of {', '.join(ROLES[r])}" for r in missing)
        raise DatasetError(f"{path} lacks a column ({wanted}); it has {', '.join(columns)}")
    return roles


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


def _text(value: Any) -> str | None:
    return None if value in (None, "") else str(value)


def _digest(chunk: RowGroupChunk | ListChunk) -> str:
    return blake2b(repr(chunk).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
