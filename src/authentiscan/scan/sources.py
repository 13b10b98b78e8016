"""Which images to scan: files, folders, globs, lists of paths, archives, standard input.

photo.jpg            that file, whatever it is called
folder               every file in it (and below) with an image's extension, in sorted order
'photos/**/*.jpg'    a glob, where no file has that very name
list.txt             one path a line, relative to the list's folder
photos.zip, .tar.gz  the images inside, see `authentiscan.scan.archives`
-                    standard input: one path a line, relative to the working directory
"""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from authentiscan.images.decode import DEFAULT_LIMITS, Limits

STDIN = "-"
IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".avif", ".tif", ".tiff"}
    | {".bmp", ".gif", ".heic", ".heif", ".hif"}
)
LIST_SUFFIXES = frozenset({".txt", ".lst", ".list"})
ARCHIVE_SUFFIXES = (".zip", ".cbz", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz")


@dataclass(frozen=True, slots=True)
class Item:
    """One image to scan: its name in the results, and where its bytes are.

    One of ``path``, ``content`` and ``error`` is set; ``error`` says why there are no bytes.
    """

    name: str
    path: Path | None = None
    content: bytes | None = None
    error: Exception | None = None


def find(
    paths: Sequence[str],
    *,
    recursive: bool = True,
    stdin: TextIO | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Iterator[Item]:
    """The images that ``paths`` name, lazily, in the order given; see the module's own text.

    A path that does not exist is an item too: reading it then gives its error a row of its own.
    recursive: also look into the folders of a folder; hidden ones are left out, links to folders
    not followed. limits: the largest member read from an archive.
    """
    for path in paths:
        if path == STDIN:
            yield from _lines(stdin or sys.stdin, None, limits)
        else:
            yield from _expand(path, recursive, limits)


def count(paths: Sequence[str], *, recursive: bool = True) -> int | None:
    """How many images `find` will give, None where only reading would tell."""
    total = 0
    for path in paths:
        if path == STDIN or is_archive(path) or Path(path).suffix.lower() in LIST_SUFFIXES:
            return None
        total += sum(1 for _ in _expand(path, recursive, DEFAULT_LIMITS))
    return total


def shown(path: str | os.PathLike[str]) -> str:
    """A path as text that any output can hold; bytes that are no UTF-8 become escapes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def is_archive(path: str | os.PathLike[str]) -> bool:
    """Whether the name is that of an archive that can be scanned."""
    return os.fspath(path).lower().endswith(ARCHIVE_SUFFIXES)


def _expand(path: str, recursive: bool, limits: Limits) -> Iterator[Item]:
    place = Path(path)
    if not path:  # as an unset shell variable gives; as a path it would be the working directory
        yield Item(path, error=FileNotFoundError("the path is empty"))
    elif _is_folder(place):
        yield from (_item(file) for file in _walk(place, recursive))
    elif is_archive(path) and _is_file(place):
        from authentiscan.scan import archives

        yield from archives.members(place, limits)
    elif place.suffix.lower() in LIST_SUFFIXES and _is_file(place):
        with place.open(encoding="utf-8", errors="surrogateescape") as lines:
            yield from _lines(lines, place.parent, limits)
    elif glob.has_magic(path) and not _exists(place):
        matches = sorted(glob.glob(path, recursive=True))  # noqa: PTH207 - absolute globs too
        yield from (
            _item(file)
            for match in matches
            for file in (_walk(Path(match), recursive) if _is_folder(Path(match)) else (match,))
        )
        if not matches:
            yield Item(shown(path), error=FileNotFoundError(f"no file matches {shown(path)}"))
    else:
        yield _item(path)


def _lines(lines: Iterable[str], root: Path | None, limits: Limits) -> Iterator[Item]:
    """Paths from a list; a folder or an archive in it is expanded, a list in a list is not."""
    for line in lines:
        path = line.rstrip("\r\n")
        if not path.strip():
            continue
        place = path if root is None else os.fspath(root / path)
        if _is_folder(Path(place)) or (is_archive(place) and _is_file(Path(place))):
            yield from _expand(place, True, limits)
        else:
            yield _item(place)


def _item(path: str | os.PathLike[str]) -> Item:
    return Item(shown(path), path=Path(path))


def _walk(folder: Path, recursive: bool) -> Iterator[Path]:
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if Path(name).suffix.lower() in IMAGE_SUFFIXES and not name.startswith("."):
                yield Path(here) / name
        if not recursive:
            return


# `Path.is_dir` and the like raise on names with NUL bytes or beyond the system's length.
def _is_folder(path: Path) -> bool:
    return os.path.isdir(path)  # noqa: PTH112


def _is_file(path: Path) -> bool:
    return os.path.isfile(path)  # noqa: PTH113


def _exists(path: Path) -> bool:
    return os.path.lexists(path)
