"""The image files of a folder or a zip, in order, and what lies beside them and is left out.

An image is what is called so, or begins like one where the name tells nothing: browsers save
``photo.jpg?w=1200`` and ``photo.jpg_large``. Nothing is copied or unpacked. Names are sorted, so
the order never depends on the file system.
"""

from __future__ import annotations

import os
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from authentiscan.core.errors import AuthentiscanError, DatasetError
from authentiscan.datasets.facts import Failure
from authentiscan.datasets.foldernames import Parts
from authentiscan.images.endings import IMAGE_ENDINGS, ending
from authentiscan.images.walk import looks_like_image
from authentiscan.manifest.stores import ZipImages

_TABLE_ENDINGS = frozenset({".parquet", ".csv"})
_ARCHIVE_ENDINGS = frozenset(
    {".zip", ".tar", ".gz", ".tgz", ".bz2", ".tbz2", ".xz", ".txz", ".7z", ".rar"}
)
# Never images, and often as many as there are images: they are not opened.
_OTHER_ENDINGS = frozenset(
    {".txt", ".json", ".jsonl", ".md", ".xml", ".yaml", ".yml", ".html", ".py", ".pdf", ".npy",
     ".npz", ".pt", ".pth", ".log", ".tsv", ".mp4", ".mov", ".avi", ".mkv", ".webm"}
)  # fmt: skip
_HEAD = 512
PARTS_ENDING = ".parts"
"""Of the folder in which `organize` keeps what it has read so far."""


@dataclass(frozen=True, slots=True)
class Found:
    """An image file: its path below the root, its size and time, and its place in an archive."""

    parts: Parts
    size: int
    stamp: int
    member: int | None = None


@dataclass(slots=True)
class Beside:
    """What lies beside the images.

    tables, archives: files that may hold images of their own. left_out: how many files of a kind
    were left out. unreadable: folders and files that could not be looked into.
    """

    tables: list[Path] = field(default_factory=list)
    archives: list[Path] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    unreadable: list[Failure] = field(default_factory=list)


def walk(root: Path, beside: Beside | None = None) -> Iterator[Found]:
    """The image files below a folder or in a zip, sorted; hidden ones and link loops left out.

    What else there is is entered into ``beside``. Raises DatasetError where ``root`` is neither a
    folder nor a zip, or cannot be read.
    """
    beside = Beside() if beside is None else beside
    if root.is_dir():
        before = len(beside.unreadable)
        found = next(walked := _walk_folder(root, (), set(), beside), None)
        if found is None and len(beside.unreadable) > before:
            failed = beside.unreadable[before]
            raise DatasetError(f"{failed.path}: {failed.error}")
        if found is not None:
            yield found
            yield from walked
    elif zipfile.is_zipfile(root):
        yield from _walk_zip(root, beside)
    else:
        raise DatasetError(
            f"{root} is neither a folder nor a zip archive, Parquet table or CSV list; another "
            "archive has to be unpacked first"
        )


def _walk_folder(
    folder: Path, parts: Parts, above: set[tuple[int, int]], beside: Beside
) -> Iterator[Found]:
    try:
        with os.scandir(folder) as listing:
            entries = sorted(listing, key=lambda e: e.name)
            identity = folder.stat()
    except OSError as error:
        beside.unreadable.append(Failure(str(folder), None, f"cannot be listed: {error.strerror}"))
        return
    if (identity.st_dev, identity.st_ino) in above:
        return  # a link that leads back
    above = above | {(identity.st_dev, identity.st_ino)}
    below = []
    for entry in entries:
        if entry.name[0] == ".":
            beside.left_out["hidden"] += 1
        elif entry.is_dir():
            below += [] if entry.name.endswith(f".parquet{PARTS_ENDING}") else [entry.name]
        elif _is_image(Path(entry.path), beside):
            try:
                facts = entry.stat()
                yield Found((*parts, entry.name), facts.st_size, facts.st_mtime_ns)
            except OSError:  # a dangling link: the reader will say what is wrong with it
                yield Found((*parts, entry.name), 0, 0)
    del entries
    for name in below:
        yield from _walk_folder(folder / name, (*parts, name), above, beside)


def _is_image(path: Path, beside: Beside) -> bool:
    """Whether to take a file for an image; where not, it is entered into ``beside``."""
    kind = ending(path)
    if kind in IMAGE_ENDINGS:
        return True
    if kind in _TABLE_ENDINGS:
        beside.tables.append(path)
    elif kind in _ARCHIVE_ENDINGS:
        beside.archives.append(path)
    elif kind in _OTHER_ENDINGS:
        beside.left_out[f"{kind} file"] += 1
    else:
        try:
            with path.open("rb") as stream:
                head = stream.read(_HEAD) if path.is_file() else b""
        except OSError as error:
            beside.unreadable.append(Failure(str(path), None, f"cannot be read: {error.strerror}"))
            return False
        if looks_like_image(head):
            return True
        beside.left_out[f"{kind} file" if kind else "file without an ending"] += 1
    return False


def _walk_zip(archive: Path, beside: Beside) -> Iterator[Found]:
    stamp = archive.stat().st_mtime_ns
    store = ZipImages(archive)
    members = store.members
    for index in sorted(range(len(members)), key=lambda i: members[i].filename):
        member = members[index]
        parts = tuple(member.filename.replace("\\", "/").split("/"))
        if member.is_dir():
            continue
        if any(p.startswith(".") or p == "__MACOSX" for p in parts):
            beside.left_out["hidden"] += 1
        elif _is_image_member(store, index, parts[-1], beside):
            yield Found(parts, member.file_size, stamp ^ member.CRC, index)


def _is_image_member(store: ZipImages, index: int, name: str, beside: Beside) -> bool:
    kind = ending(name)
    if kind in IMAGE_ENDINGS:
        return True
    if kind not in _OTHER_ENDINGS | _TABLE_ENDINGS | _ARCHIVE_ENDINGS:
        try:
            if looks_like_image(store.head(index, _HEAD)):
                return True
        except AuthentiscanError as error:
            beside.unreadable.append(Failure(name, index, str(error)))
            return False
    beside.left_out[f"{kind} file in a zip" if kind else "file without an ending in a zip"] += 1
    return False
