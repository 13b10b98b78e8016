"""One input of any kind as chunks of images: which kind it is, and what it leaves out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from authentiscan.core.errors import DatasetError
from authentiscan.core.files import expanded, is_there
from authentiscan.datasets import catalog
from authentiscan.datasets.facts import Chunk
from authentiscan.datasets.folders import (
    FolderSet,
    folder_chunks,
    recognize,
    refuse_contradictions,
)
from authentiscan.datasets.listing import Beside
from authentiscan.datasets.tables import is_table, lists_images, table_chunks
from authentiscan.manifest.table import manifest_path


@dataclass(frozen=True, slots=True)
class Input:
    """A folder, zip, Parquet table, CSV list or manifest to organize.

    layout: a catalog name; None: found out from the folder names. dataset: in place of the data
    set's or the folder's name. generator: for generated images whose generator nothing tells.
    labels: label values of a table, or names of folders -> 0 real, 1 generated, where they do not
    say it themselves.
    """

    path: Path
    layout: str | None = None
    dataset: str | None = None
    generator: str | None = None
    labels: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str, **options: Any) -> Input:
        """Read ``PATH`` or ``NAME=PATH``, NAME being a catalog name."""
        name, equals, path = text.partition("=")
        if equals and name in catalog.CATALOG:
            return cls(Path(path), **{**options, "layout": name})
        return cls(Path(text), **options)


def chunks_of(
    source: Input, manifest_folder: Path, beside: Beside | None = None, *, facts: bool = False
) -> Iterator[Chunk]:
    """The chunks of one input; what it leaves out is entered into ``beside``.

    facts: keep what a table says of width, format and so on. Raises DatasetError where the input is
    absent or nothing recognizes it, UsageError where it contradicts itself.
    """
    beside = Beside() if beside is None else beside
    path = expanded(source.path)
    if not is_there(path):
        raise DatasetError(f"there is no {path}; give a folder, zip, Parquet table or CSV list")
    path = path.resolve()
    if path.is_file() and is_table(path):
        yield from _rows(source, path, manifest_folder, facts=facts)
        return
    found = FolderSet.look(path)
    beside.unreadable += found.beside.unreadable
    beside.left_out += found.beside.left_out
    entry = _layout(source, found)
    if entry is not None:
        _leave_out(beside, "table beside the images", found.beside.tables)
        _leave_out(beside, "archive beside the images", found.beside.archives)
        yield from _files(source, found, entry, manifest_folder)
        return
    if found.samples:
        beside.left_out["folder of images beside the tables or archives"] += len(found.samples)
    held = _held(found, source.layout)
    rest = set(found.beside.tables + found.beside.archives) - set(held)
    _leave_out(beside, "other table or archive", sorted(rest))
    for inner in held:
        name = source.dataset or (None if source.layout else path.name)
        layout = source.layout if is_table(inner) else None
        one = Input(inner, layout, name, source.generator, source.labels)
        yield from chunks_of(one, manifest_folder, beside, facts=facts)


def _layout(source: Input, found: FolderSet) -> catalog.DataSet | None:
    """The layout in which to read the images of a folder; None where its tables are to be read."""
    names = found.names(source.labels)
    entry = catalog.find(source.layout) if source.layout else None
    if entry is not None and not entry.of_folders:
        return None
    if not found.samples and (found.beside.tables or found.beside.archives):
        return None
    if entry is None:
        try:
            return recognize(found, names)
        except DatasetError:
            if not _held(found, None, required=False):
                raise
            return None
    if entry.layout:
        refuse_contradictions(found.root, names)
    return entry


def _held(found: FolderSet, layout: str | None, *, required: bool = True) -> list[Path]:
    """What to read in a folder whose images tell nothing: Parquet tables, else lists, else zips."""
    beside = found.beside
    kinds = {
        "parquet": [p for p in beside.tables if p.suffix.lower() == ".parquet"],
        "csv": [p for p in beside.tables if p.suffix.lower() == ".csv" and lists_images(p)],
        "zip": [p for p in beside.archives if p.suffix.lower() == ".zip"],
    }
    if layout in ("huggingface", "parquet", "csv"):
        kinds = {k: v for k, v in kinds.items() if (k == "csv") == (layout == "csv") and k != "zip"}
    held = next((sorted(paths) for paths in kinds.values() if paths), [])
    if not held and required:
        wanted = f"{layout} tables" if layout else "image files, Parquet tables or zip archives"
        raise DatasetError(f"{found.root} holds no {wanted}")
    return held


def _leave_out(beside: Beside, reason: str, paths: list[Path]) -> None:
    if paths:
        shown = ", ".join(p.name for p in paths[:3]) + (" ..." if len(paths) > 3 else "")
        beside.left_out[f"{reason} ({shown}; give it as an input of its own)"] += len(paths)


def _files(
    source: Input, found: FolderSet, entry: catalog.DataSet, manifest_folder: Path
) -> Iterator[Chunk]:
    only = entry.generators[0] if len(entry.generators) == 1 else None
    yield from folder_chunks(
        found,
        entry,
        found.names(source.labels),
        manifest_path(found.root, manifest_folder),
        source.dataset or (found.root.stem if entry.layout else entry.name),
        generator=source.generator or (only if source.layout else None),
        licence=None if entry.layout else entry.licence,
    )


def _rows(source: Input, path: Path, manifest_folder: Path, *, facts: bool) -> Iterator[Chunk]:
    entry = catalog.find(source.layout) if source.layout else None
    published = entry if entry and not entry.layout else None
    only = published.generators[0] if published and len(published.generators) == 1 else None
    yield from table_chunks(
        path,
        manifest_folder,
        source.dataset or (published.name if published else path.stem),
        generator=source.generator or only,
        licence=published.licence if published else None,
        labels=source.labels,
        facts=facts,
    )
