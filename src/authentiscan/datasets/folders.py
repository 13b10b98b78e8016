"""Folders and zip archives as sources: which layout they have, and their images in chunks.

Nothing is copied or unpacked. Names are sorted, so the order never depends on the file system.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from authentiscan.core.errors import AuthentiscanError, DatasetError
from authentiscan.datasets.catalog import CATALOG, DataSet
from authentiscan.datasets.catalog.base import Parts, Place
from authentiscan.datasets.facts import Entry, Failure
from authentiscan.images.decode import read_source
from authentiscan.manifest.stores import ZipImages

if TYPE_CHECKING:
    import pyarrow as pa

IMAGE_ENDINGS = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".avif", ".tif", ".tiff", ".bmp", ".gif",
     ".mpo", ".heic", ".heif"}
)  # fmt: skip
CHUNK_IMAGES = 2000
CHUNK_BYTES = 256 * 2**20
_LOOK_AT_FOLDERS = 2000


@dataclass(frozen=True, slots=True)
class Found:
    """An image file: its path below the root, its size and time, and its place in an archive."""

    parts: Parts
    size: int
    stamp: int
    member: int | None = None


def walk(root: Path) -> Iterator[Found]:
    """The image files below a folder or in a zip, sorted; hidden ones and link loops skipped.

    Raises DatasetError where ``root`` cannot be read.
    """
    if root.is_dir():
        yield from _walk_folder(root, (), set())
    elif zipfile.is_zipfile(root):
        yield from _walk_zip(root)
    else:
        raise DatasetError(f"{root} is neither a folder nor a zip archive")


def _walk_folder(folder: Path, parts: Parts, above: set[tuple[int, int]]) -> Iterator[Found]:
    try:
        with os.scandir(folder) as listing:
            entries = sorted((e for e in listing if e.name[0] != "."), key=lambda e: e.name)
    except OSError as error:
        raise DatasetError(f"cannot list {folder}: {error.strerror}") from error
    below = []
    for entry in entries:
        if os.path.splitext(entry.name)[1].lower() in IMAGE_ENDINGS and not entry.is_dir():  # noqa: PTH122
            try:
                facts = entry.stat()
                yield Found((*parts, entry.name), facts.st_size, facts.st_mtime_ns)
            except OSError:  # a dangling link: the reader will say what is wrong with it
                yield Found((*parts, entry.name), 0, 0)
        elif entry.is_dir():
            below.append(entry.name)
    del entries
    for name in below:
        facts = (folder / name).stat()
        identity = (facts.st_dev, facts.st_ino)
        if identity not in above:
            yield from _walk_folder(folder / name, (*parts, name), above | {identity})


def _walk_zip(archive: Path) -> Iterator[Found]:
    stamp = archive.stat().st_mtime_ns
    members = ZipImages(archive).members
    for index in sorted(range(len(members)), key=lambda i: members[i].filename):
        member = members[index]
        parts = tuple(member.filename.replace("\\", "/").split("/"))
        hidden = any(p.startswith(".") or p == "__MACOSX" for p in parts)
        if Path(parts[-1]).suffix.lower() in IMAGE_ENDINGS and not hidden:
            yield Found(parts, member.file_size, stamp ^ member.CRC, index)


def recognize(root: Path) -> DataSet:
    """The catalog entry whose layout fits most of the folders (first in the catalog on a tie).

    Raises DatasetError where none fits, saying what was found and what would fit.
    """
    samples = list(islice(_first_of_each_folder(root), _LOOK_AT_FOLDERS))
    if not samples:
        raise DatasetError(f"{root} holds no image files ({', '.join(sorted(IMAGE_ENDINGS))})")
    best, most = None, 0
    for entry in CATALOG.values():
        if entry.place is None:
            continue
        places = [p for parts in samples if (p := place_in(entry, root, parts)) is not None]
        one_class = len({p.label for p in places}) < 2
        if len(places) > most and not (entry.name == "generators" and one_class):
            best, most = entry, len(places)
    if best is None:
        shown = ", ".join(sorted({"/".join(parts[:-1]) or "." for parts in samples})[:6])
        raise DatasetError(
            f"cannot tell real from generated in {root}: its images lie in {shown}. "
            f"Call the folders real and fake, or name the layout with --as "
            f"({', '.join(n for n, e in CATALOG.items() if e.place)})"
        )
    return best


def place_in(entry: DataSet, root: Path, parts: Parts) -> Place | None:
    """What a path below ``root`` says; where the entry is ``rooted``, with the root's own name.

    So one generator's folder of a data set can be organized alone. Other layouts must not look
    there: a root called ``ai`` would make everything below it generated.
    """
    if entry.place is None:
        return None
    return entry.place(parts) or (entry.place((root.stem, *parts)) if entry.rooted else None)


def _first_of_each_folder(root: Path) -> Iterator[Parts]:
    """One image path of every folder that has any."""
    if not root.is_dir():
        seen: dict[Parts, Parts] = {}
        for found in walk(root):
            seen.setdefault(found.parts[:-1], found.parts)
        yield from seen.values()
        return
    for folder, below, files in os.walk(root, followlinks=False):
        below[:] = sorted(n for n in below if not n.startswith("."))
        image = next((f for f in files if Path(f).suffix.lower() in IMAGE_ENDINGS), None)
        if image is not None:
            yield (*Path(folder).relative_to(root).parts, image)


@dataclass(frozen=True, slots=True)
class FilesChunk:
    """Some images of a folder or a zip, with what their paths say of them.

    root: the folder or zip. prefix: how the manifest names it. generator: in place of ``unknown``.
    """

    root: str
    prefix: str
    dataset: str
    generator: str | None
    licence: str | None
    found: tuple[tuple[Found, Place], ...]
    misplaced: tuple[Parts, ...] = ()

    @property
    def key(self) -> str:
        """Hash of every path, size, modification time and label."""
        return blake2b(repr(self).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()

    def extra_types(self) -> dict[str, pa.DataType]:
        """Folders have no columns of their own."""
        return {}

    def entries(self) -> Iterator[Entry | Failure]:
        """The images in the order of their paths, then those that the layout has no place for."""
        for found, place in self.found:
            name = "/".join(found.parts)
            if not _is_text(name):
                yield Failure(repr(name), None, "the file's name is not valid UTF-8")
                continue
            archived = found.member is not None
            yield Entry(
                path=self.prefix if archived else f"{self.prefix}/{name}",
                row=found.member,
                name=name,
                label=place.label,
                generator=_generator(place.generator, self.generator),
                dataset=self.dataset,
                data=self._read(found),
                split=place.split,
                group=place.group,
                licence=self.licence,
            )
        for parts in self.misplaced:
            name = "/".join(parts)
            shown = name if _is_text(name) else repr(name)
            yield Failure(f"{self.prefix}/{shown}", None, "the layout has no place for this path")

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
    root: Path,
    entry: DataSet,
    prefix: str,
    dataset: str,
    *,
    generator: str | None = None,
    licence: str | None = None,
) -> Iterator[FilesChunk]:
    """The images of a folder or zip in ``entry``'s layout, some 2,000 or 256 MiB at a time."""
    if entry.place is None:
        raise DatasetError(f"'{entry.name}' is a kind of table, and {root} is a folder")
    for batch in _batches(walk(root)):
        places = [(found, place_in(entry, root, found.parts)) for found in batch]
        yield FilesChunk(
            root=str(root),
            prefix=prefix,
            dataset=dataset,
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


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
