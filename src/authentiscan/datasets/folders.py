"""Folders and zip archives as sources: which layout they have, and their images in chunks."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from authentiscan.core.errors import AuthentiscanError, DatasetError, UsageError
from authentiscan.core.text import escaped_bytes
from authentiscan.datasets.catalog import CATALOG, DataSet
from authentiscan.datasets.catalog.base import Place, Placer
from authentiscan.datasets.facts import DigestedChunk, Entry, Failure
from authentiscan.datasets.foldernames import FolderNames, Parts
from authentiscan.datasets.listing import Beside, Found, walk
from authentiscan.images.decode import read_source
from authentiscan.images.endings import IMAGE_ENDINGS
from authentiscan.manifest.stores import ZipImages

if TYPE_CHECKING:
    import pyarrow as pa

CHUNK_IMAGES = 2000
CHUNK_BYTES = 64 * 2**20  # large photographs: a part is half a minute's work, not minutes


@dataclass(frozen=True, slots=True)
class FolderSet:
    """A folder or zip of images: one image's path of every folder, and what lies beside them."""

    root: Path
    samples: Mapping[Parts, Parts]
    beside: Beside

    @classmethod
    def look(cls, root: Path) -> FolderSet:
        """Look through ``root``. Raises DatasetError where it cannot be read."""
        beside = Beside()
        samples: dict[Parts, Parts] = {}
        for found in walk(root, beside):
            samples.setdefault(found.parts[:-1], found.parts)
        return cls(root, samples, beside)

    def names(self, labels: Mapping[str, int] | None = None) -> FolderNames:
        """The folders, with the user's own words for real (0) and generated (1)."""
        return FolderNames(self.samples, labels)


def placer_in(entry: DataSet, root: Path, names: FolderNames) -> Placer:
    """What paths below ``root`` say; where the entry is ``rooted``, with the root's own name.

    So one generator's folder of a data set can be organized alone. Other layouts must not look
    there: a root called ``ai`` would make everything below it generated.
    """
    place = entry.placer(names)
    if not entry.rooted:
        return place
    return lambda parts: place(parts) or place((root.stem, *parts))


def recognize(found: FolderSet, names: FolderNames | None = None) -> DataSet:
    """The catalog entry whose layout fits most of the folders (first in the catalog on a tie).

    Raises DatasetError where none fits, saying what was found and what would fit; UsageError where
    two folders of one path contradict each other.
    """
    names = names or found.names()
    if not found.samples:
        endings = ", ".join(sorted(IMAGE_ENDINGS))
        raise DatasetError(f"{found.root} holds no image files ({endings})")
    best, most = None, 0
    both_named = {s.label for folder in names.folders for s in names.signs(folder)[:1]} == {0, 1}
    for entry in CATALOG.values():
        if not entry.of_folders or (entry.name == "generators" and both_named):
            continue
        placer = placer_in(entry, found.root, names)
        places = [p for parts in found.samples.values() if (p := placer(parts)) is not None]
        one_class = len({p.label for p in places}) < 2
        if len(places) > most and not (entry.name == "generators" and one_class):
            best, most = entry, len(places)
    if best is None:
        named = sorted({"/".join(folder) for folder in found.samples} - {""})[:6]
        shown = ", ".join(named) or "no folders of their own"
        raise DatasetError(
            f"cannot tell real from generated in {found.root}: its images lie in {shown}. "
            f"Call the folders real and fake, say --label FOLDER=real and --label "
            f"FOLDER=generated, or name the layout with --as "
            f"({', '.join(n for n, e in CATALOG.items() if e.of_folders)})"
        )
    refuse_contradictions(found.root, names)
    return best


def refuse_contradictions(root: Path, names: FolderNames) -> None:
    """Raise UsageError where a folder lies in one that says the opposite, naming both."""
    contradictions = names.contradictions()
    if not contradictions:
        return
    first = contradictions[0]
    words = ("real", "generated")
    more = len(contradictions) - 1
    raise UsageError(
        f'{root}: in {first.path} the folder "{first.outer.folder}" says '
        f'{words[first.outer.label]} and "{first.inner.folder}" in it '
        f"{words[first.inner.label]}" + (f" ({more} more such folders)" if more else "") + ". "
        f"Say which one counts: --label {first.outer.folder}={words[first.outer.label]} or "
        f"--label {first.inner.folder}={words[first.inner.label]}; or name a published layout "
        "with --as"
    )


@dataclass(frozen=True, slots=True)
class FilesChunk(DigestedChunk):
    """Some images of a folder or a zip, with what their paths say of them.

    root: the folder or zip. prefix: how the manifest names it. generator: in place of ``unknown``.
    """

    root: str
    prefix: str
    dataset: str
    layout: str
    generator: str | None
    licence: str | None
    found: tuple[tuple[Found, Place], ...]
    misplaced: tuple[Parts, ...] = ()

    def extra_types(self) -> dict[str, pa.DataType]:
        """Folders have no columns of their own."""
        return {}

    def entries(self, *, read: bool = True) -> Iterator[Entry | Failure]:
        """The images in the order of their paths, then those that the layout has no place for."""
        for found, place in self.found:
            name = "/".join(found.parts)
            archived = found.member is not None
            yield Entry(
                path=self.prefix if archived else f"{self.prefix}/{escaped_bytes(name)}",
                row=found.member,
                name=name,
                label=place.label,
                generator=_generator(place.generator, self.generator),
                dataset=self.dataset,
                data=self._read(found) if read else None,
                because=place.because or f"its place in the layout {self.layout}",
                split=place.split,
                group=place.group,
                licence=self.licence,
            )
        for parts in self.misplaced:
            name = "/".join(parts)
            path = f"{self.prefix}/{escaped_bytes(name)}"
            yield Failure(path, None, "the layout has no place for this path")

    def _read(self, found: Found) -> bytes | AuthentiscanError:
        try:
            if found.member is not None:
                return _archive(self.root, os.getpid()).read(found.member)
            return read_source(Path(self.root, *found.parts))
        except AuthentiscanError as error:
            return error


@lru_cache(maxsize=2)
def _archive(path: str, _process: int) -> ZipImages:
    return ZipImages(Path(path))


def folder_chunks(
    found: FolderSet,
    entry: DataSet,
    names: FolderNames,
    prefix: str,
    dataset: str,
    *,
    generator: str | None = None,
    licence: str | None = None,
) -> Iterator[FilesChunk]:
    """The images of a folder or zip in ``entry``'s layout, some 2,000 or 64 MiB at a time."""
    placer = placer_in(entry, found.root, names)
    for batch in _batches(walk(found.root)):
        places = [(image, placer(image.parts)) for image in batch]
        yield FilesChunk(
            root=str(found.root),
            prefix=prefix,
            dataset=dataset,
            layout=entry.name,
            generator=generator,
            licence=licence,
            found=tuple((f, p) for f, p in places if p is not None),
            misplaced=tuple(f.parts for f, p in places if p is None),
        )


def _batches(files: Iterable[Found]) -> Iterator[list[Found]]:
    batch: list[Found] = []
    size = 0
    for found in files:
        batch.append(found)
        size += found.size
        if len(batch) >= CHUNK_IMAGES or size >= CHUNK_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _generator(named: str, given: str | None) -> str:
    return given if given and named == "unknown" else named
