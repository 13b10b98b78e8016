"""The manifest: one row per image, the only way data enters training and evaluation.

A manifest is a Parquet table. An image is found by its row in one of three ways, tried in this
order: ``image`` (its encoded bytes), ``path`` + ``row`` (row of a Parquet table or member of a zip
archive that lies elsewhere), ``path`` (a file). Nothing is copied when folders, tables or archives
are read as manifests. Relative paths are relative to the manifest's own folder.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from authentiscan.core.errors import AuthentiscanError, ManifestError
from authentiscan.core.files import MARK, is_there, whole_path
from authentiscan.core.text import escaped_bytes, with_bytes
from authentiscan.core.types import JsonObject
from authentiscan.manifest.parquet import (
    open_parquet,
    pointing_at,
    pyarrow_parquet,
    with_column,
)
from authentiscan.manifest.stores import ImageStore, open_store

if TYPE_CHECKING:
    import pyarrow as pa

SPLITS = ("train", "val", "test")

COLUMNS: dict[str, str] = {
    "path": "string",  # of the file, or of the Parquet table or zip that `row` points into
    "row": "int64",  # row of the table, member of the zip; null for plain files
    "label": "int8",  # 0 real, 1 generated
    "generator": "string",  # `camera` for real
    "dataset": "string",
    "split": "string",  # train, val, test or null
    "group": "string",  # images that must stay in one split
    "width": "int32",
    "height": "int32",
    "format": "string",  # Pillow's name
    "bytes": "int64",  # encoded size
    "sha256": "string",
    "jpeg_quality": "int16",
    "licence": "string",
    "confidence": "string",  # in the label: high, medium, low
}
REQUIRED = ("label", "generator", "dataset", "group")


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """What a loader needs of one row. ``label`` is 0 real, 1 generated."""

    index: int
    label: int
    generator: str
    dataset: str
    group: str
    name: str


class Manifest:
    """A table of images; immutable, cheap to filter.

    Iterating or indexing gives `ManifestRow`; `image_bytes` gives the encoded image of a row.
    """

    def __init__(self, table: pa.Table, root: Path | None = None) -> None:
        """Wrap a pyarrow table.

        Raises ManifestError where a required column is missing, a label is neither 0 nor 1, or
        there is no way to find the images.
        """
        missing = [c for c in REQUIRED if c not in table.column_names]
        if missing:
            raise ManifestError(
                f"manifest lacks the columns {missing}; it has {table.column_names}, "
                f"needed are {list(REQUIRED)} and one of 'path', 'image'"
            )
        if "path" not in table.column_names and "image" not in table.column_names:
            raise ManifestError("manifest has neither a 'path' nor an 'image' column")
        self.table = table
        self.root = root or Path()
        if table["label"].null_count or not str(table["label"].type).startswith(("int", "uint")):
            raise ManifestError("every label must be the integer 0 (real) or 1 (generated)")
        self.labels: NDArray[np.int8] = table["label"].to_numpy().astype(np.int8)
        wrong = set(np.unique(self.labels).tolist()) - {0, 1}
        if wrong:
            raise ManifestError(f"labels must be 0 (real) or 1 (generated), found {sorted(wrong)}")
        self._stores: dict[tuple[int, str], ImageStore] = {}

    @classmethod
    def read(cls, path: Path | str) -> Manifest:
        """Read a manifest from a Parquet file. Raises ManifestError where it cannot be read.

        Images that stand in the file itself stay there and are read a row group at a time.
        """
        file = open_parquet(path)
        source = Path(path).resolve()
        own = file.schema_arrow.names
        try:
            table = file.read([name for name in own if name != "image"])
            if "image" in own:
                table = pointing_at(table, file, source.name)
        except (OSError, ValueError) as error:
            raise ManifestError(f"{path} is no readable Parquet table: {error}") from error
        return cls(table, source.parent)

    def write(self, path: Path | str) -> None:
        """Write the manifest as Parquet (zstd), replacing the file only once it is whole.

        Its paths are rewritten so that they hold from there. Raises UsageError where the file is
        one that the images lie in.
        """
        pq = pyarrow_parquet()
        target = Path(path)
        moved = self._moved_to(target.absolute().parent)
        known = {**(moved.table.schema.metadata or {}), b"made_by": MARK}
        with whole_path(target, inputs=self.files()) as partial:
            table = moved.table.replace_schema_metadata(known)
            pq.write_table(table, partial, compression="zstd")

    def _moved_to(self, folder: Path) -> Manifest:
        import pyarrow as pa

        known = self.root != Path()  # a table made by hand lies nowhere yet: its paths stay
        if "path" not in self.table.column_names or not known or folder == self.root.absolute():
            return self
        coded = self.table["path"].combine_chunks().dictionary_encode()
        moved = [
            None if old is None else manifest_path(self.place(old), folder)
            for old in coded.dictionary.to_pylist()
        ]
        paths = pa.array(moved, pa.string()).take(coded.indices)
        return Manifest(with_column(self.table, "path", paths), folder)

    def place(self, path: str) -> Path:
        """Where a file lies that the manifest names ``path``."""
        named = self.root / path
        return named if "\\x" not in path or is_there(named) else self.root / with_bytes(path)

    def files(self) -> Iterator[Path]:
        """Every file that images lie in: tables, archives and single images; each once."""
        if "path" in self.table.column_names:
            for path in self.table["path"].unique().to_pylist():
                if path:
                    yield self.place(path)

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __getitem__(self, index: int) -> ManifestRow:
        row = (
            self.table.slice(index, 1)
            .select(
                [
                    c
                    for c in ("label", "generator", "dataset", "group", "path", "row", "name")
                    if c in self.table.column_names
                ]
            )
            .to_pylist()[0]
        )
        name = row.get("name") or row.get("path") or f"row {index}"
        if row.get("row") is not None and not row.get("name"):
            name = f"{row['path']}#{row['row']}"
        return ManifestRow(
            index=index,
            label=row["label"],
            generator=row["generator"],
            dataset=row["dataset"],
            group=row["group"],
            name=name,
        )

    def __iter__(self) -> Iterator[ManifestRow]:
        return (self[i] for i in range(len(self)))

    def column(self, name: str) -> list[Any]:
        """Values of one column; a list of None where the manifest does not have it."""
        if name not in self.table.column_names:
            return [None] * len(self)
        return list(self.table[name].to_pylist())

    def image_bytes(self, index: int) -> bytes:
        """Encoded bytes of the image in row ``index``; ManifestError where they are not there."""
        names = self.table.column_names
        if "image" in names:
            value = self.table["image"][index].as_py()
            if value is not None:
                return bytes(value)
        path = self.place(str(self.table["path"][index].as_py()))
        row = self.table["row"][index].as_py() if "row" in names else None
        if row is not None:
            key = (os.getpid(), str(path))  # a forked process must not share a file's position
            if key not in self._stores:
                self._stores[key] = open_store(path)
            return self._stores[key].read(int(row))
        try:
            return path.read_bytes()
        except OSError as error:
            raise ManifestError(f"row {index}: cannot read {path}: {error.strerror}") from error

    def images(
        self, rows: Iterable[int] | None = None
    ) -> Iterator[tuple[int, bytes | AuthentiscanError]]:
        """(row, encoded image or why there is none) of ``rows``, by default of all.

        In the order in which the images lie, so that every table is read once.
        """
        paths, places = self.column("path"), self.column("row")
        wanted = range(len(self)) if rows is None else rows
        for index in sorted(wanted, key=lambda i: (paths[i] or "", places[i] or 0, i)):
            try:
                yield index, self.image_bytes(index)
            except AuthentiscanError as error:
                yield index, error

    def take(self, indices: Sequence[int] | NDArray[np.integer]) -> Manifest:
        """The rows at ``indices``, in that order."""
        return self._with(self.table.take(np.asarray(indices, dtype=np.int64)))

    def where(self, **equal: str | int | Sequence[str | int]) -> Manifest:
        """The rows whose columns equal the given value or one of the given values."""
        keep = np.ones(len(self), dtype=bool)
        for name, wanted in equal.items():
            values = [wanted] if isinstance(wanted, str | int) else list(wanted)
            keep &= np.asarray([v in values for v in self.column(name)], dtype=bool)
        return self.take(np.flatnonzero(keep))

    def with_column(self, name: str, values: Sequence[object]) -> Manifest:
        """A copy in which column ``name`` holds ``values`` (one a row)."""
        import pyarrow as pa

        kind = pa.type_for_alias(COLUMNS[name]) if name in COLUMNS else None
        return self._with(with_column(self.table, name, pa.array(values, type=kind)))

    def codes(self, name: str) -> tuple[NDArray[np.int64], list[Any]]:
        """Column ``name`` as whole numbers (N,) and the values they stand for; null is -1."""
        if name not in self.table.column_names:
            return np.full(len(self), -1, dtype=np.int64), []
        coded = self.table[name].combine_chunks().dictionary_encode()
        numbers = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
        return numbers, coded.dictionary.to_pylist()

    def sha256(self) -> str:
        """Hash of what the rows say: labels, groups, splits and images, not where they lie.

        Images count by their own hash where every row has one, else by their paths.
        """
        names = set(self.table.column_names) & (set(COLUMNS) | {"name"})
        if "sha256" in names and all(self.column("sha256")):
            names -= {"path", "row"}
        digest = hashlib.sha256()
        for name in sorted(names):
            digest.update(name.encode() + b"\x1e")
            for value in self.column(name):
                digest.update(repr(value).encode() + b"\x1f")
        return digest.hexdigest()

    def __getstate__(self) -> JsonObject:
        return {**self.__dict__, "_stores": {}}  # open files cannot be sent to another process

    def _with(self, table: pa.Table) -> Manifest:
        other = Manifest(table, self.root)
        other._stores = self._stores
        return other


def manifest_path(source: Path, manifest_folder: Path) -> str:
    """How a manifest in ``manifest_folder`` names the file ``source``.

    Relative where both lie below one folder other than the root, so that they can move together;
    absolute otherwise. With forward slashes; bytes that are no UTF-8 are escaped (see
    `Manifest.place`).
    """
    source, folder = source.absolute(), manifest_folder.absolute()
    try:
        shared = Path(os.path.commonpath([source, folder]))
    except ValueError:  # different drives
        return escaped_bytes(source.as_posix())
    if shared == Path(shared.anchor):
        return escaped_bytes(source.as_posix())
    return escaped_bytes(Path(os.path.relpath(source, folder)).as_posix())
