"""Opening what is to be checked: manifests, and tables of images that are not manifests yet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from authentiscan.core.errors import ManifestError, MissingExtraError
from authentiscan.core.types import CAMERA
from authentiscan.datasets.facts import manifest_path
from authentiscan.manifest.stores import image_column
from authentiscan.manifest.table import Manifest

if TYPE_CHECKING:
    import pyarrow as pa


def open_manifest(path: Path | str) -> Manifest:
    """A manifest, or a Parquet table of images with at least a ``label`` column, ready to be read.

    Images stored in the table itself are left there and read a row group at a time, so memory does
    not grow with them. Columns a manifest must have are filled in where the table lacks them:
    the file's name as `dataset`, `camera` or `unknown` as `generator`, every row its own `group`.
    Raises ManifestError where it cannot be read or has no labels.
    """
    try:
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingExtraError("reading manifests", "data") from error
    source = Path(path).resolve()
    if not source.is_file():
        raise ManifestError(f"no manifest at {path}; make one with: authentiscan data organize")
    try:
        file = pq.ParquetFile(source)
        images = image_column(file.schema_arrow)
        rest = [name for name in file.schema_arrow.names if name != images]
        table = pq.read_table(source, columns=rest)
    except Exception as error:
        raise ManifestError(f"{path} is no readable Parquet table: {error}") from error
    if "label" not in rest:
        raise ManifestError(f"{path} has no 'label' column; it has {file.schema_arrow.names}")
    if images is not None:
        table = _set(table, "path", [source.name] * len(table), "string")
        table = _set(table, "row", list(range(len(table))), "int64")
    return Manifest(_completed(table, source), source.parent)


def write_manifest(manifest: Manifest, target: Path | str) -> None:
    """Write ``manifest`` to ``target``; its paths are rewritten so that they hold from there."""
    import pyarrow as pa

    folder = Path(target).absolute().parent
    if "path" in manifest.table.column_names and folder != manifest.root.absolute():
        coded = manifest.table["path"].combine_chunks().dictionary_encode()
        moved = [
            None if old is None else manifest_path(manifest.root / old, folder)
            for old in coded.dictionary.to_pylist()
        ]
        paths = pa.array(moved, pa.string()).take(coded.indices)
        at = manifest.table.column_names.index("path")
        manifest = Manifest(manifest.table.set_column(at, "path", paths), folder)
    manifest.write(target)


def codes(manifest: Manifest, name: str) -> tuple[NDArray[np.int64], list[Any]]:
    """Column ``name`` as whole numbers (n,) and the values they stand for; null is -1."""
    if name not in manifest.table.column_names:
        return np.full(len(manifest), -1, dtype=np.int64), []
    coded = manifest.table[name].combine_chunks().dictionary_encode()
    numbers = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return numbers, coded.dictionary.to_pylist()


def _completed(table: pa.Table, source: Path) -> pa.Table:
    n = len(table)
    if "dataset" not in table.column_names:
        table = _set(table, "dataset", [source.stem] * n, "string")
    if "generator" not in table.column_names:
        labels = table["label"].to_pylist()
        table = _set(table, "generator", ["unknown" if v else CAMERA for v in labels], "string")
    if "group" not in table.column_names:
        table = _set(table, "group", [f"row-{i}" for i in range(n)], "string")
    return table


def _set(table: pa.Table, name: str, values: list[Any], kind: str) -> pa.Table:
    import pyarrow as pa

    column = pa.array(values, type=pa.type_for_alias(kind))
    if name in table.column_names:
        return table.set_column(table.column_names.index(name), name, column)
    return table.append_column(name, column)
