"""Files that hold many images: Parquet tables and zip archives, read by row without unpacking."""

from __future__ import annotations

import functools
import os
import threading
import zipfile
import zlib
from collections import OrderedDict
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol

import numpy as np

from authentiscan.core import buckets
from authentiscan.core.errors import ManifestError, MissingExtraError
from authentiscan.core.text import library_words

if TYPE_CHECKING:
    import pyarrow as pa

CACHE_BYTES = 256 * 2**20
MEMBER_LIMIT = 128 * 2**20
_ZIP_ENDINGS = frozenset({".zip"})
_UNPACKING = (OSError, RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error)


class ImageStore(Protocol):
    """Random access to encoded images by row number."""

    def read(self, row: int) -> bytes:
        """Encoded bytes of the image in ``row``. Raises ManifestError where there is none."""
        ...


def open_store(path: Path) -> ImageStore:
    """The store in a file: a zip archive by its ending, a Parquet table otherwise."""
    return ZipImages(path) if path.suffix.lower() in _ZIP_ENDINGS else ParquetImages(path)


def read_row(place: Path | str, row: int) -> bytes:
    """The encoded image in ``row`` of a table or a zip: a file, or a table in an object store.

    The last few that were read stay open. Raises ManifestError, DecodeError.
    """
    store, lock = _open_store(os.fspath(place), os.getpid())
    with lock:  # one file, one place in it
        return store.read(row)


@functools.lru_cache(maxsize=4)
def _open_store(place: str, _process: int) -> tuple[ImageStore, threading.Lock]:
    """An open table or zip; of this process, since a forked one must not share a file's place."""
    if buckets.is_bucket(place):
        return ParquetImages(place, stream=buckets.opened(place)), threading.Lock()
    return open_store(Path(place)), threading.Lock()


class ParquetImages:
    """Random access to the image column of a Parquet table.

    Row groups stay in memory, the least recently used are dropped beyond ``cache_bytes``; at least
    one is always held.
    """

    def __init__(
        self, path: Path | str, cache_bytes: int = CACHE_BYTES, *, stream: IO[bytes] | None = None
    ) -> None:
        """Open ``path``; stream: the open file where it is an object in a store."""
        try:
            import pyarrow.parquet as pq
        except ImportError as error:
            raise MissingExtraError("reading Parquet tables", "data") from error
        try:
            self._file = pq.ParquetFile(stream or path, memory_map=stream is None)
        except (OSError, ValueError) as error:
            raise ManifestError(f"cannot open the table {path}: {library_words(error)}") from error
        meta = self._file.metadata
        sizes = [meta.row_group(i).num_rows for i in range(self._file.num_row_groups)]
        self._ends = np.cumsum(sizes, dtype=np.int64)
        self._column = image_column(self._file.schema_arrow)
        if self._column is None:
            raise ManifestError(
                f"{path} has no image column (binary, or a struct with 'bytes'); "
                f"it has {self._file.schema_arrow.names}"
            )
        self._limit = cache_bytes
        self._cache: OrderedDict[int, pa.ChunkedArray] = OrderedDict()
        self._held = 0

    def read(self, row: int) -> bytes:
        """Encoded bytes of the image in ``row``, counted from 0 over the whole table."""
        rows = int(self._ends[-1]) if len(self._ends) else 0
        if not 0 <= row < rows:
            raise ManifestError(f"row {row} is outside the table's {rows} rows")
        group = int(np.searchsorted(self._ends, row, side="right"))
        images = self._row_group(group)
        value = images[row - (int(self._ends[group - 1]) if group else 0)].as_py()
        if isinstance(value, dict):
            value = value.get("bytes")
        if value is None:
            raise ManifestError(f"row {row} holds no image")
        return bytes(value)

    def _row_group(self, group: int) -> pa.ChunkedArray:
        if group in self._cache:
            self._cache.move_to_end(group)
            return self._cache[group]
        try:
            images = self._file.read_row_group(group, columns=[self._column])[self._column]
        except (OSError, ValueError) as error:
            raise ManifestError(
                f"row group {group} of the table is damaged: {library_words(error)}"
            ) from error
        self._cache[group] = images
        self._held += images.nbytes
        while self._held > self._limit and len(self._cache) > 1:
            self._held -= self._cache.popitem(last=False)[1].nbytes
        return images


class ZipImages:
    """Random access to the members of a zip; the row is the member's place in its directory."""

    def __init__(self, path: Path) -> None:
        if path.with_suffix(".z01").exists():
            raise ManifestError(
                f"{path} is the last part of an archive in parts, which cannot be read in place; "
                f"join them first: zip -s 0 {path.name} --out whole.zip"
            )
        try:
            self._archive = zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile) as error:
            raise ManifestError(f"cannot open the archive {path}: {error}") from error
        self.members = self._archive.infolist()

    def read(self, row: int) -> bytes:
        """Bytes of one member, checked against its checksum and never more than 128 MiB."""
        data = self.head(row, MEMBER_LIMIT + 1)
        if len(data) > MEMBER_LIMIT:
            name = self.members[row].filename
            raise ManifestError(f"{name}: unpacks to more than {MEMBER_LIMIT} bytes")
        return data

    def head(self, row: int, count: int) -> bytes:
        """The first bytes of one member, ``count`` at most."""
        if not 0 <= row < len(self.members):
            raise ManifestError(f"row {row} is outside the archive's {len(self.members)} members")
        member = self.members[row]
        try:
            with self._archive.open(member) as stream:
                return stream.read(count)
        except _UNPACKING as error:
            raise ManifestError(f"{member.filename}: cannot be unpacked: {error}") from error


def image_column(schema: pa.Schema) -> str | None:
    """The column with encoded images: ``image``, else the only one that can be, else None."""
    import pyarrow as pa

    def holds_bytes(kind: pa.DataType) -> bool:
        if pa.types.is_struct(kind):
            return "bytes" in [kind.field(i).name for i in range(kind.num_fields)]
        return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))

    names = [field.name for field in schema if holds_bytes(field.type)]
    preferred = [n for n in ("image", "img", "jpg", "png", "webp", "bytes") if n in names]
    if preferred:
        return preferred[0]
    return str(names[0]) if len(names) == 1 else None
