"""Images inside zip and tar archives, read into memory one at a time; nothing is unpacked to disk.

A member's name is only ever shown, never used as a path, so names like ``../../x`` do no harm.
Sizes are bounded while inflating, not by what the archive claims.
"""

from __future__ import annotations

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from authentiscan.core.errors import CorruptImageError, DecodeError, ImageLimitError
from authentiscan.images.decode import Limits
from authentiscan.scan.sources import IMAGE_SUFFIXES, Item, shown

SEPARATOR = "::"
MAX_MEMBERS = 1_000_000

_BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    OSError,
    EOFError,
    RuntimeError,  # an encrypted member of a zip
    NotImplementedError,  # a compression that zipfile lacks
    ValueError,
)


def members(path: Path, limits: Limits) -> Iterator[Item]:
    """The images in the archive, in its own order, named ``archive.zip::folder/photo.jpg``.

    A member or an archive that cannot be read is an item with an error.
    """
    opened = _zip_members if path.name.lower().endswith((".zip", ".cbz")) else _tar_members
    try:
        yield from opened(path, limits)
    except _BROKEN as error:
        yield Item(shown(path), error=CorruptImageError(f"the archive cannot be read: {error}"))


def _zip_members(path: Path, limits: Limits) -> Iterator[Item]:
    with zipfile.ZipFile(path) as archive:
        for number, entry in enumerate(archive.infolist()):
            _bound(number)
            if entry.is_dir() or not _is_image(entry.filename):
                continue
            name = _name(path, entry.filename)
            try:
                with archive.open(entry) as file:
                    yield Item(name, content=_read(file, limits))
            except DecodeError as error:
                yield Item(name, error=error)
            except _BROKEN as error:
                yield Item(name, error=CorruptImageError(f"broken archive member: {error}"))


def _tar_members(path: Path, limits: Limits) -> Iterator[Item]:
    with tarfile.open(path, "r:*") as archive:
        for number, entry in enumerate(archive):
            _bound(number)
            # Links and devices inside an archive are never followed.
            if not entry.isreg() or not _is_image(entry.name):
                continue
            file = archive.extractfile(entry)
            if file is None:
                continue
            try:
                yield Item(_name(path, entry.name), content=_read(file, limits))
            except DecodeError as error:
                yield Item(_name(path, entry.name), error=error)
            # tarfile keeps every header it has seen, which a large archive makes costly.
            archive.members = []  # type: ignore[attr-defined]


def _read(file: IO[bytes], limits: Limits) -> bytes:
    content = file.read(limits.bytes + 1)
    if len(content) > limits.bytes:
        raise ImageLimitError(f"inflates to more than the {limits.bytes:,} bytes allowed")
    return content


def _bound(number: int) -> None:
    if number >= MAX_MEMBERS:
        raise ValueError(f"it has more than {MAX_MEMBERS:,} members")


def _is_image(name: str) -> bool:
    pure = PurePosixPath(name)
    hidden = pure.name.startswith(".") or "__MACOSX" in pure.parts
    return pure.suffix.lower() in IMAGE_SUFFIXES and not hidden


def _name(path: Path, member: str) -> str:
    return f"{shown(path)}{SEPARATOR}{member.encode('utf-8', 'backslashreplace').decode()}"
