"""Which images to scan: files, folders, globs, lists of paths, archives, standard input.

photo.jpg            that file, whatever it is called
folder               every image in it (and below), by its ending or its first bytes, sorted
'photos/**/*.jpg'    a glob, where no file has that very name
list.txt             one path a line, relative to the list's folder, see `authentiscan.scan.lists`
photos.zip, .tar.gz  the images inside, see `authentiscan.scan.archives`
table.parquet        the images of a table or a manifest, see `authentiscan.scan.tables`
s3://bucket/photos   every image below that address of an object store, see `core.buckets`
-                    standard input: one path a line, relative to the working directory

What cannot be read is an item with an error. What is no image is counted, by reason.
"""

from __future__ import annotations

import glob
import io
import os
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from authentiscan.core import buckets
from authentiscan.core.errors import ImageLimitError, UnreadableFileError
from authentiscan.images.decode import DEFAULT_LIMITS, Limits
from authentiscan.images.endings import IMAGE_ENDINGS, ending
from authentiscan.scan import archives, items, kinds, lists, tables
from authentiscan.scan.items import Item, LeftOut

STDIN = "-"
LIST_ENDINGS = frozenset({".txt", ".lst", ".list"})
_NOTHING_FETCHED = "an address, not a file: nothing is fetched"


def find(
    paths: Sequence[str],
    *,
    recursive: bool = True,
    stdin: lists.Readable | None = None,
    limits: Limits = DEFAULT_LIMITS,
    left_out: LeftOut | None = None,
    notify: Callable[[str], None] | None = None,
) -> Generator[Item, None, None]:
    """The images that ``paths`` name, lazily, in the order given; see the module's own text.

    A path that does not exist is an item too: reading it then gives its error a row of its own.
    recursive: also look into the folders of a folder; hidden ones are left out, links to folders
    not followed. stdin: for ``-``. limits: the largest member and object read. left_out: takes the
    count of what is left out. notify: takes a line now and then while a large archive is read.
    """
    search = _Search(recursive, limits, LeftOut() if left_out is None else left_out, notify)
    for path in paths:
        if path == STDIN:
            found = search.listed(stdin or lists.standard_input(), None, "standard input")
        else:
            found = search.named(path)
        for item in found:
            yield replace(item, most=limits.bytes) if item.address else item


def count(paths: Sequence[str], *, recursive: bool = True) -> int | None:
    """How many images `find` will give, None where only reading would tell."""
    search = _Search(recursive, DEFAULT_LIMITS)
    total = 0
    unknown = LIST_ENDINGS | tables.TABLE_ENDINGS
    for path in paths:
        if path == STDIN or kinds.named_archive(path) or ending(path) in unknown:
            return None
        if buckets.is_bucket(path) and not os.path.lexists(path):
            return None
        total += sum(1 for _ in search.named(path))
    return total


@dataclass(frozen=True, slots=True)
class _Search:
    """How to look, and the count of what was left out on the way."""

    recursive: bool
    limits: Limits
    left_out: LeftOut = field(default_factory=LeftOut)
    notify: Callable[[str], None] | None = None

    def named(self, path: str) -> Iterator[Item]:
        """The images of one path as a user gives it."""
        place = Path(path)
        if not path:  # as an unset shell variable gives; as a path it would be the working folder
            yield items.unreadable(path, "the path is empty")
        elif os.path.lexists(place):
            yield from self._present(place)
        elif buckets.is_bucket(path):
            yield from self._bucket(path)
        elif lists.is_address(path):
            yield items.unreadable(path, _no_file(path))
        elif glob.has_magic(path):
            matches = sorted(glob.glob(path, recursive=True))  # noqa: PTH207 - absolute globs too
            for match in matches:
                yield from self._present(Path(match))
            if not matches:
                yield items.unreadable(path, f"no file matches {items.shown(path)}")
        else:
            yield items.file(place)

    def listed(self, stream: lists.Readable, root: Path | None, name: str) -> Iterator[Item]:
        """The images of a list, relative to ``root``; a list in it is not read.

        Lines that are no paths are one row together: a text is not as many failures as it has
        lines.
        """
        paths, prose, first = 0, 0, ""
        try:
            for entry in lists.entries(stream):
                place = lists.place_of(entry, root)
                there = os.path.lexists(place)
                if not there and entry.startswith("#"):
                    continue
                if there or lists.like_path(entry):
                    paths += 1
                    yield from self._entry(entry, Path(place), there=there)
                else:
                    prose, first = prose + 1, first or items.shown(entry)[:60]
        except (OSError, UnreadableFileError) as error:
            yield items.unreadable(name, str(error))
        if prose and not paths:
            yield items.unreadable(
                name, f"a text, not a list of paths: no line names a file (it begins {first!r})"
            )
        elif prose:
            reason = f"{prose:,} lines are no paths" if prose > 1 else "a line is no path"
            yield items.unreadable(name, f"{reason} ({first!r}); put # before a comment")

    def _entry(self, entry: str, place: Path, *, there: bool) -> Iterator[Item]:
        if not there and buckets.is_bucket(entry):
            yield Item(items.shown(entry), address=entry)
        elif not there and lists.is_address(entry):
            yield items.unreadable(entry, _no_file(entry))
        elif there:
            yield from self._present(place, lists_too=False)
        else:
            yield items.file(place)

    def _present(self, place: Path, *, lists_too: bool = True) -> Iterator[Item]:
        """The images of a folder or a file that was named itself."""
        if _is_folder(place):
            yield from self._folder(place)
            return
        kind = ending(place)
        if kind in IMAGE_ENDINGS:
            yield items.file(place)
        elif kinds.named_archive(place) and _is_file(place) and not _has_image(place):
            yield from self._archive(place)
        elif kind in tables.TABLE_ENDINGS and lists_too and _is_file(place):
            yield from tables.rows(os.fspath(place))
        elif kind in LIST_ENDINGS and lists_too and _is_file(place) and not _has_image(place):
            yield from self._list(place)
        elif _has_archive(place):
            yield from self._archive(place)
        else:
            yield items.file(place)

    def _bucket(self, address: str) -> Iterator[Item]:
        """The images of an address of an object store: an object, a table, a list or a folder."""
        kind = ending(address)
        try:
            if kind in tables.TABLE_ENDINGS:
                yield from tables.rows(address)
            elif kind in LIST_ENDINGS:
                content = buckets.read(address, self.limits.bytes)
                yield from self.listed(io.BytesIO(content), None, address)
            elif buckets.is_file(address):
                yield Item(items.shown(address), address=address)
            else:
                yield from self._below(address)
        except (UnreadableFileError, ImageLimitError) as error:
            yield Item(items.shown(address), error=error)

    def _below(self, address: str) -> Iterator[Item]:
        found = False
        for name in buckets.walk(address, recursive=self.recursive):
            found = True
            if ending(name) in IMAGE_ENDINGS:
                yield Item(items.shown(name), address=name)
            else:  # looking at its first bytes would be one request more for every object
                self.left_out["an object not called like an image"] += 1
        if not found:
            yield items.unreadable(address, "nothing lies below this address")

    def _archive(self, place: Path) -> Iterator[Item]:
        return archives.members(place, self.limits, left_out=self.left_out, notify=self.notify)

    def _list(self, place: Path) -> Iterator[Item]:
        try:
            with place.open("rb") as stream:
                yield from self.listed(stream, place.parent, os.fspath(place))
        except OSError as error:
            yield items.unreadable(place, f"the list cannot be read: {error.strerror}")

    def _folder(self, folder: Path) -> Iterator[Item]:
        waiting = [folder]
        while waiting:
            here = waiting.pop()
            try:
                with os.scandir(here) as listing:
                    found = sorted(listing, key=lambda entry: entry.name)
            except OSError as error:
                yield items.unreadable(here, f"the folder cannot be read: {error.strerror}")
                continue
            below: list[Path] = []
            for entry in found:
                yield from self._beside(entry, below)
            waiting += reversed(below)

    def _beside(self, entry: os.DirEntry[str], below: list[Path]) -> Iterator[Item]:
        """What one name in a folder gives; a folder is put into ``below``."""
        place = Path(entry.path)
        if entry.name.startswith("."):
            self.left_out["hidden"] += 1
        elif entry.is_dir(follow_symlinks=False):
            if self.recursive:
                below.append(place)
            else:
                self.left_out["a folder below (--no-recursive)"] += 1
        elif _is_folder(place):
            self.left_out["a link to a folder"] += 1
        elif ending(entry.name) in IMAGE_ENDINGS or not _is_file(place):
            yield items.file(place)
        else:
            try:
                head = kinds.head_of(place)
            except OSError:
                yield items.file(place)  # reading it says why
                return
            if kinds.is_image(head, entry.name):
                yield items.file(place)
            else:
                self.left_out[kinds.reason(head, entry.name)] += 1


def _no_file(address: str) -> str:
    local = address.lower().startswith("file:")
    advice = "name a file of this machine by its path, without file://"
    return f"{_NOTHING_FETCHED}; {advice if local else 'save the image and name the file'}"


def _has_image(place: Path) -> bool:
    try:
        return kinds.is_image(kinds.head_of(place), "")
    except OSError:
        return False


def _has_archive(place: Path) -> bool:
    try:
        return kinds.is_archive(kinds.head_of(place))
    except OSError:
        return False


# `Path.is_dir` and the like raise on names with NUL bytes or beyond the system's length.
def _is_folder(path: Path) -> bool:
    return os.path.isdir(path)  # noqa: PTH112


def _is_file(path: Path) -> bool:
    return os.path.isfile(path)  # noqa: PTH113
