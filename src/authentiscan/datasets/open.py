"""The one way in which a ``--data`` is opened: a manifest, or anything that can become one.

A manifest is taken as it is. Of a folder, a zip, a table of images or a list, the rows are made at
once from what names and columns say; no image is read, and each that cannot be read later keeps its
row. Its splits are the publisher's own, where there are any. `organize` makes a lasting manifest,
with the facts of all files and splits without leaks.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from authentiscan.core.errors import DatasetError, ManifestError
from authentiscan.core.files import expanded
from authentiscan.core.types import JsonObject
from authentiscan.datasets.catalog import CATALOG
from authentiscan.datasets.facts import Chunk, Entry, Failure, columns
from authentiscan.datasets.inputs import Input, chunks_of
from authentiscan.datasets.listing import Beside
from authentiscan.manifest.parquet import open_parquet
from authentiscan.manifest.table import COLUMNS, REQUIRED, SPLITS, Manifest

if TYPE_CHECKING:
    import pyarrow as pa

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class NamedData:
    """A data set by name."""

    name: str
    manifest: Manifest


def open_data(text: Path | str, *, split: str | None = None) -> Manifest:
    """The images that ``text`` names: ``PATH`` or ``NAME=PATH``.

    split: keep only its rows; None or ``all`` keeps every row. Raises ManifestError where nothing
    is there or nothing is left, and the errors of `datasets.inputs.chunks_of`.
    """
    return open_named(text, split=split).manifest


def open_named(text: Path | str, *, split: str | None = None) -> NamedData:
    """As `open_data`, with the name before ``=``, else that of the file or folder.

    A name that is one of the catalog's layouts says which layout it is, too.
    """
    given, path = _parted(str(text))
    kind = CATALOG.get(given)
    source = Input(path, given if kind is not None and kind.layout else None)
    manifest = _of_split(_opened(source), path, split)
    return NamedData(given or data_name(path), manifest)


def open_generators(text: Path | str, split: str | None = None, wanted: str = "test") -> NamedData:
    """As `open_part`, where a folder of folders without photographs holds one folder a generator.

    split, wanted: None and ``all`` keep every row.
    """
    _, path = _parted(str(text))
    given = text
    if path.is_dir():
        try:
            open_named(text)
        except DatasetError:
            given = f"generators={path}"
    return open_part(given, split, wanted)[0]


def open_part(text: Path | str, split: str | None, wanted: str) -> tuple[NamedData, str]:
    """As `open_named`, and the part that was taken: ``split``, or where that is None the rows of
    the split ``wanted`` if there are any, else all.
    """
    if split is not None:
        return open_named(text, split=split), split
    whole = open_named(text)
    kept = whole.manifest.where(split=wanted)
    return (NamedData(whole.name, kept), wanted) if len(kept) else (whole, "all")


def data_name(text: Path | str, split: str | None = None) -> str:
    """Short name of what `open_data` opens, for tables: the name or file name, and the split."""
    given, path = _parted(str(text))
    stem = given or path.resolve().stem
    return stem if split in (None, "all") else f"{stem}/{split}"


def is_manifest(path: Path | str) -> bool:
    """Whether a file is a manifest already. Raises ManifestError for a damaged Parquet file."""
    if Path(path).suffix.lower() != ".parquet" or not Path(path).is_file():
        return False
    names = set(open_parquet(path).schema_arrow.names)
    return set(REQUIRED) <= names and bool({"path", "image"} & names)


def _parted(text: str) -> tuple[str, Path]:
    name, equals, path = text.partition("=")
    if not equals or "/" in name or Path(text).exists():
        return "", expanded(text)
    return name, expanded(path)


def _opened(source: Input) -> Manifest:
    if not source.path.exists():
        raise ManifestError(
            f"there is no {source.path}; give a manifest (data organize), a folder, a zip, a "
            "Parquet table or a CSV list"
        )
    if is_manifest(source.path):
        return Manifest.read(source.path)
    path = source.path.resolve()
    beside = Beside()
    failures: list[Failure] = []
    made = _manifest(chunks_of(source, path.parent, beside, facts=True), path.parent, failures)
    _warn(source.path, beside, failures)
    if not len(made):
        why = f"; the first reason: {failures[0].error}" if failures else ""
        raise DatasetError(f"{source.path} holds no image with a label{why}")
    return made


def _manifest(chunks: Iterator[Chunk], root: Path, failures: list[Failure]) -> Manifest:
    import pyarrow as pa

    tables = []
    for chunk in chunks:
        rows = []
        for entry in chunk.entries(read=False):
            failures.append(entry) if isinstance(entry, Failure) else rows.append(_row(entry))
        named = {n: t for n, t in COLUMNS.items() if n not in chunk.extra_types()}
        types = {n: pa.type_for_alias(t) for n, t in {**named, "name": "string"}.items()}
        types |= chunk.extra_types()
        columns = {n: pa.array([row.get(n) for row in rows], type=t) for n, t in types.items()}
        tables.append(pa.table(columns))
    whole = pa.concat_tables(tables, promote_options="permissive") if tables else _empty()
    return Manifest(whole, root)


def _row(entry: Entry) -> JsonObject:
    place = entry.path if entry.row is None else f"{entry.path}#{entry.row}"
    return columns(entry, entry.group or place)


def _empty() -> pa.Table:
    import pyarrow as pa

    return pa.table({n: pa.array([], pa.type_for_alias(t)) for n, t in COLUMNS.items()})


def _of_split(manifest: Manifest, path: Path, split: str | None) -> Manifest:
    if split in (None, "all"):
        return manifest
    if split not in SPLITS:
        raise ManifestError(f"no split {split!r}; there are {', '.join(SPLITS)} and all")
    kept = manifest.where(split=split)
    if not len(kept):
        found = sorted({str(s) for s in manifest.column("split") if s})
        there = f"it has {', '.join(found)}" if found else "`data organize` deals images out"
        raise ManifestError(
            f"{path.name} has no rows of split {str(split)!r}; {there}, and --split all takes all"
        )
    return kept


def _warn(path: Path, beside: Beside, failures: list[Failure]) -> None:
    """Say what has no row, and how many of each."""
    unread = [*beside.unreadable, *failures]
    if unread:
        first = f"{unread[0].path}: {unread[0].error}"
        _LOG.warning("%s: %d left out, the first: %s", path, len(unread), first)
    for reason, count in beside.left_out.items():
        if "beside" in reason or "other" in reason:
            _LOG.warning("%s: left out: %d %s", path, count, reason)
