"""Packing a manifest's images into Parquet files, shuffled, for sequential reading.

The shuffle is external: images are read once, in the order in which they lie, into one spool file
for each row group to come; memory holds one row group at a time.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from authentiscan.core.errors import ManifestError, UsageError
from authentiscan.manifest.table import SPLITS, Manifest

if TYPE_CHECKING:
    import pyarrow as pa

Progress = Callable[[int, int | None], None]

_WINDOW = 32  # row groups spooled at once: 2 GB of disk for groups of 64 MB
_GUESS = 100_000  # bytes of an image whose manifest does not say
MANIFEST_NAME = "manifest.parquet"


@dataclass(frozen=True, slots=True)
class Packed:
    """What `pack` made: the manifest of the shards, their number, and the images in them."""

    manifest: Path
    files: int
    rows: int


@dataclass(frozen=True, slots=True)
class _Group:
    """One row group to come: its file, and its images' rows in the manifest, shuffled."""

    file: str
    number: int
    rows: NDArray[np.int64]


def pack(
    manifest: Manifest,
    folder: Path | str,
    *,
    row_group_bytes: int = 64_000_000,
    groups_per_file: int = 8,
    seed: int = 0,
    progress: Progress | None = None,
) -> Packed:
    """Write the images and all their columns into ``folder``: ``train-00000.parquet`` and so on.

    Each split has its own files, each file ``groups_per_file`` row groups of about
    ``row_group_bytes``. ``manifest.parquet`` beside them is a manifest in the order of the files,
    with ``shard_group``, the number of each image's row group, for `epoch_order`.

    Raises UsageError where the folder is not empty, ManifestError where an image cannot be read or
    has changed since its manifest was made.
    """
    target = Path(folder)
    if target.exists() and any(target.iterdir()):
        raise UsageError(f"{target} is not empty; give a new folder")
    partial = target.with_name(target.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    groups = _plan(manifest, row_group_bytes, groups_per_file, seed)
    done = 0
    with _Writers(partial, manifest) as writers:
        for first in range(0, len(groups), _WINDOW):
            window = groups[first : first + _WINDOW]
            for group, images in _spooled(manifest, window, partial):
                writers.write(group, images)
                done += len(group.rows)
                if progress:
                    progress(done, len(manifest))
    index = _index(manifest, groups)
    index.write(partial / MANIFEST_NAME)
    if target.exists():
        target.rmdir()
    partial.rename(target)
    return Packed(target / MANIFEST_NAME, len({g.file for g in groups}), len(manifest))


def epoch_order(manifest: Manifest, seed: int, *, buffer: int = 2) -> NDArray[np.int64]:
    """Rows of a packed manifest for one epoch: random row groups, ``buffer`` of them mixed.

    Reading in this order touches each row group once, as long as ``buffer`` row groups fit in
    memory. Raises ManifestError for a manifest without ``shard_group``.
    """
    if "shard_group" not in manifest.table.column_names:
        raise ManifestError(
            "this manifest is not of shards; make them with: authentiscan data shard"
        )
    rng = np.random.default_rng(seed)
    group = manifest.table["shard_group"].to_numpy()
    order = np.argsort(group, kind="stable")
    pieces = np.split(order, np.flatnonzero(np.diff(group[order])) + 1)
    turn = rng.permutation(len(pieces))
    mixed = [
        rng.permutation(np.concatenate([pieces[i] for i in turn[at : at + buffer]]))
        for at in range(0, len(turn), buffer)
    ]
    return np.concatenate(mixed).astype(np.int64) if mixed else np.zeros(0, dtype=np.int64)


def stream(
    folder: Path | str, *, split: str | None = None, columns: Sequence[str] = ("label",)
) -> Iterator[dict[str, Any]]:
    """The rows of all shards (or of one split's) in file order: ``image`` bytes and ``columns``.

    Reads sequentially, some hundred images in memory. Raises ManifestError where there are no
    shards.
    """
    import pyarrow.parquet as pq

    files = sorted(Path(folder).glob(f"{split or '*'}-[0-9]*.parquet"))
    if not files:
        raise ManifestError(f"{folder} holds no shards of split {split or 'any'}")
    for path in files:
        file = pq.ParquetFile(path)
        for batch in file.iter_batches(128, columns=["image", *columns], use_threads=False):
            yield from batch.to_pylist()


def _plan(
    manifest: Manifest, row_group_bytes: int, groups_per_file: int, seed: int
) -> list[_Group]:
    rng = np.random.default_rng(seed)
    sizes = np.array([b or _GUESS for b in manifest.column("bytes")], dtype=np.int64)
    splits = np.array([s or "all" for s in manifest.column("split")], dtype=object)
    groups: list[_Group] = []
    for split in (*SPLITS, "all"):
        rows = rng.permutation(np.flatnonzero(splits == split)).astype(np.int64)
        if not len(rows):
            continue
        ends = np.cumsum(sizes[rows])
        number = (ends - sizes[rows]) // row_group_bytes
        pieces = np.split(rows, np.flatnonzero(np.diff(number)) + 1)
        for i, piece in enumerate(pieces):
            file = f"{split}-{i // groups_per_file:05d}.parquet"
            groups.append(_Group(file, len(groups), piece))
    return groups


def _spooled(
    manifest: Manifest, window: Sequence[_Group], folder: Path
) -> Iterator[tuple[_Group, list[bytes]]]:
    """Read the window's images in the order in which they lie; give them group by group."""
    owner = np.concatenate([np.full(len(g.rows), i) for i, g in enumerate(window)])
    rows = np.concatenate([g.rows for g in window])
    hashes = manifest.column("sha256")
    spans: dict[int, tuple[int, int]] = {}
    with ExitStack() as stack:
        spools = [stack.enter_context(tempfile.TemporaryFile(dir=folder)) for _ in window]
        for at in _reading_order(manifest, rows):
            row = int(rows[at])
            data = manifest.image_bytes(row)
            if hashes[row] is not None and sha256(data).hexdigest() != hashes[row]:
                raise ManifestError(f"row {row}: the image changed since the manifest was made")
            spool = spools[int(owner[at])]
            spans[row] = (spool.tell(), len(data))
            spool.write(data)
        for group, spool in zip(window, spools, strict=True):
            spool.seek(0)
            content = memoryview(spool.read())
            cut = [spans[int(r)] for r in group.rows]
            yield group, [bytes(content[start : start + size]) for start, size in cut]


def _reading_order(manifest: Manifest, rows: NDArray[np.int64]) -> list[int]:
    """Places in ``rows``, sorted by file and by row in it."""
    taken = manifest.take(rows)
    paths, inner = taken.column("path"), taken.column("row")
    return sorted(range(len(rows)), key=lambda i: (paths[i] or "", inner[i] or 0, i))


class _Writers:
    """One Parquet file open at a time; a new one where the file's name changes."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self._folder = folder
        self._table = _without_places(manifest)
        self._name = ""
        self._writer: Any = None

    def __enter__(self) -> _Writers:
        return self

    def __exit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()

    def write(self, group: _Group, images: list[bytes]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = self._table.take(group.rows).append_column("image", pa.array(images, pa.binary()))
        if group.file != self._name:
            self.__exit__()
            # Images are compressed already, and dictionaries of them would only cost memory.
            self._writer = pq.ParquetWriter(
                self._folder / group.file,
                table.schema,
                compression={n: "none" if n == "image" else "zstd" for n in table.column_names},
                use_dictionary=[n for n in table.column_names if n != "image"],
            )
            self._name = group.file
        self._writer.write_table(table, row_group_size=len(images))


def _index(manifest: Manifest, groups: Sequence[_Group]) -> Manifest:
    """The manifest of the shards, in the order of the files."""
    import pyarrow as pa

    rows = [g.rows for g in groups]
    table = _without_places(manifest).take(np.concatenate(rows))
    within: dict[str, int] = {}
    places: list[NDArray[np.int64]] = []
    for group in groups:
        start = within.get(group.file, 0)
        places.append(np.arange(start, start + len(group.rows), dtype=np.int64))
        within[group.file] = start + len(group.rows)
    files = np.repeat([g.file for g in groups], [len(r) for r in rows])
    numbers = np.repeat([g.number for g in groups], [len(r) for r in rows])
    table = table.add_column(0, "path", pa.array(files.tolist(), pa.string()))
    table = table.add_column(1, "row", pa.array(np.concatenate(places)))
    return Manifest(table.append_column("shard_group", pa.array(numbers, pa.int32())))


def _without_places(manifest: Manifest) -> pa.Table:
    drop = {"path", "row", "image", "shard_group"}
    return manifest.table.select([n for n in manifest.table.column_names if n not in drop])
