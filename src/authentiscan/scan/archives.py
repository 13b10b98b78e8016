"""Images inside zip and tar archives, read into memory one at a time; nothing is unpacked to disk.

A member's name is only ever shown, never used as a path, so names like ``../../x`` do no harm.
Sizes are bounded while inflating, not by what the archive claims. What is damaged or cannot be
opened is an item with an error: neither Python's `zipfile` nor its `tarfile` says so everywhere.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import struct
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Self, TypeAlias

from authentiscan.core.errors import (
    CorruptImageError,
    DecodeError,
    ImageLimitError,
    UnreadableFileError,
    UnsupportedFormatError,
)
from authentiscan.images.decode import Limits
from authentiscan.scan import kinds
from authentiscan.scan.items import Item, LeftOut, shown

SEPARATOR = "::"
MAX_MEMBERS = 1_000_000
MAX_OTHER_BYTES = 8 * 2**30
"""Inflated from a compressed tar without meeting an image, before it is given up."""

Notify: TypeAlias = Callable[[str], None] | None
_NOTIFY_SECONDS = 5.0
_METHODS = {1: "shrink", 6: "implode", 9: "deflate64", 93: "Zstandard", 95: "xz", 98: "PPMd"}
_STEP = 2**20

_BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    OSError,
    EOFError,
    NotImplementedError,  # a version or a compression that zipfile lacks
    ValueError,
)


def members(
    path: Path, limits: Limits, *, left_out: LeftOut | None = None, notify: Notify = None
) -> Iterator[Item]:
    """The images in the archive, in its own order, named ``archive.zip::folder/photo.jpg``.

    A member or an archive that cannot be read is an item with an error; left_out takes the count of
    what is no image. notify: takes a line now and then while a compressed tar gives no image.
    """
    left = LeftOut() if left_out is None else left_out
    try:
        if kinds.is_tar(kinds.head_of(path), path.name):
            yield from _tar_members(path, limits, left, notify)
        else:
            yield from _zip_members(path, limits, left)
    except DecodeError as error:
        yield Item(shown(path), error=error)
    except PermissionError:
        yield Item(shown(path), error=UnreadableFileError("may not be read (no permission)"))
    except _BROKEN as error:
        reason = _words(error)
        yield Item(shown(path), error=CorruptImageError(f"a damaged archive: {reason}"))


def _zip_members(path: Path, limits: Limits, left: LeftOut) -> Iterator[Item]:
    with path.open("rb") as file, zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        for number, entry in enumerate(entries):
            _bound(number)
            name = _zip_name(entry)
            if entry.is_dir() or _passed_over(name, left):
                continue
            if (entry.external_attr >> 28) == 0o12:
                left["a link in an archive"] += 1
                continue
            item = _zip_item(archive, entry, _member(path, name), limits, left)
            if item is not None:
                yield item
        lost = _lost_in_zip(file, entries, archive.start_dir)
        if lost:
            raise zipfile.BadZipFile(lost)


def _zip_item(
    archive: zipfile.ZipFile, entry: zipfile.ZipInfo, name: str, limits: Limits, left: LeftOut
) -> Item | None:
    try:
        if entry.flag_bits & 0x41:
            raise UnreadableFileError("encrypted; unpack the archive with its password first")
        with archive.open(entry) as member:
            return _item(member, name, limits, left)
    except DecodeError as error:
        return Item(name, error=error)
    except NotImplementedError as error:
        method = _METHODS.get(entry.compress_type) or str(error)
        reason = f"stored in a way that cannot be read here ({method}); unpack the archive first"
        return Item(name, error=UnsupportedFormatError(reason))
    except _BROKEN as error:
        return Item(name, error=CorruptImageError(f"broken archive member: {_words(error)}"))


def _lost_in_zip(file: IO[bytes], entries: list[zipfile.ZipInfo], directory: int) -> str:
    """What of the archive its directory does not tell: `zipfile` believes the directory alone."""
    file.seek(max(0, directory))
    tail = file.read(2**26)  # the directory itself, its end and a comment
    end = tail.rfind(b"PK\x05\x06")
    stated = struct.unpack_from("<H", tail, end + 10)[0] if 0 <= end <= len(tail) - 12 else 0xFFFF
    if stated not in (0xFFFF, len(entries) & 0xFFFF):
        return f"its directory is damaged: {stated:,} members are told, {len(entries):,} are there"
    reached = 0
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        if reached < entry.header_offset and _member_begins(file, reached, entry.header_offset):
            break
        file.seek(entry.header_offset)
        header = file.read(30)
        if len(header) < 30 or not header.startswith(b"PK\x03\x04"):
            return ""  # opening that member has told it
        lengths = sum(struct.unpack_from("<HH", header, 26))
        reached = entry.header_offset + 30 + lengths + entry.compress_size
    else:
        if not _member_begins(file, reached, directory):
            return ""
    return "it holds members that its directory does not list; they were not read"


def _member_begins(file: IO[bytes], start: int, stop: int) -> bool:
    """Whether another member begins at ``start``, or behind the sizes of the member before it."""
    file.seek(start)
    gap = file.read(max(0, min(stop - start, 28)))
    return any(gap.startswith(b"PK\x03\x04", at) for at in (0, 12, 16, 20, 24))


def _zip_name(entry: zipfile.ZipInfo) -> str:
    """A member's name: as its Unicode field says, else as UTF-8 where it is that, else cp437."""
    if entry.flag_bits & 0x800:
        return entry.filename
    raw = entry.orig_filename.encode("cp437")
    extra = entry.extra
    while len(extra) >= 4:
        kind, size = struct.unpack("<HH", extra[:4])
        field, extra = extra[4 : 4 + size], extra[4 + size :]
        if kind == 0x7075 and field[:5] == b"\x01" + struct.pack("<I", zlib.crc32(raw)):
            raw = field[5:]
    with suppress(UnicodeDecodeError):
        return raw.split(b"\0")[0].decode("utf-8")
    return entry.filename


class _Header(tarfile.TarInfo):
    """A header; tells its archive of damage, which `tarfile` takes for the archive's end."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> Self:
        assert isinstance(archive, _Tar)
        try:
            header = super().fromtarfile(archive)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            archive.ended = True
            archive.zeros += 1
            raise
        except tarfile.EmptyHeaderError:  # type: ignore[attr-defined]
            raise  # the end of the file: fine behind the end of the archive
        except tarfile.HeaderError:
            if archive.offset == 0:
                raise tarfile.ReadError("it is no tar archive") from None
            archive.damaged = archive.damaged or not archive.ended or archive.zeros == 1
            raise
        # One archive may follow another, but two blocks of zeros end one: a single block was once
        # the header of a member.
        archive.damaged = archive.damaged or archive.zeros == 1
        archive.ended, archive.zeros = False, 0
        return header


class _Tar(tarfile.TarFile):
    """A tar archive that is read past damage, to the true end of its file."""

    ended = damaged = False
    zeros = 0  # blocks of them since the last header
    tarinfo = _Header
    ignore_zeros = True


def _tar_members(path: Path, limits: Limits, left: LeftOut, notify: Notify) -> Iterator[Item]:
    with (
        path.open("rb") as file,
        _Inflating(file, path, limits, notify) as stream,
        _Tar(fileobj=stream) as archive,  # type: ignore[arg-type]
    ):
        number = 0
        while (entry := archive.next()) is not None:
            _bound(number)
            number += 1
            # tarfile keeps every header it has seen, which a large archive makes costly.
            archive.members = []  # type: ignore[attr-defined]
            if entry.isdir() or _passed_over(entry.name, left):
                continue
            # Links and devices inside an archive are never followed.
            member = archive.extractfile(entry) if entry.isreg() else None
            if member is None:
                left["a link in an archive"] += 1
                continue
            try:
                item = _item(member, _member(path, entry.name), limits, left)
            except DecodeError as error:
                item = Item(_member(path, entry.name), error=error)
            if item is not None:
                yield item
                stream.useful()
        if archive.damaged:
            raise tarfile.ReadError("a header is damaged: members are missing")
        if not archive.ended:
            raise tarfile.ReadError("it ends without its end mark: members may be missing")


class _Inflating:
    """The content of a tar, inflated, read forwards; bounded, and never silent for long."""

    def __init__(self, file: IO[bytes], path: Path, limits: Limits, notify: Notify) -> None:
        inflating = _inflating(file)
        self._stream = inflating or file
        self._compressed = inflating is not None
        self._name, self._notify, self._largest = path.name, notify, limits.bytes + _STEP
        self._place = self._useful = 0
        self._notified = time.monotonic()

    def __enter__(self) -> _Inflating:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def read(self, size: int) -> bytes:
        """The next ``size`` bytes, fewer at the end."""
        if size > self._largest:
            raise ImageLimitError(f"a header of the archive announces {size:,} bytes")
        content = self._stream.read(size)
        self._place += len(content)
        self._watch()
        return content

    def seek(self, place: int) -> None:
        """Go forwards; a compressed stream is inflated on the way."""
        if not self._compressed:
            self._place = self._stream.seek(place)
            return
        if place < self._place:
            self._place = self._stream.seek(place)
        while self._place < place and self.read(min(_STEP, place - self._place)):
            pass

    def tell(self) -> int:
        """Bytes from the beginning, inflated."""
        return self._place

    def useful(self) -> None:
        """An image was found here: from now on other data is counted anew."""
        self._useful = self._place

    def _watch(self) -> None:
        other = self._place - self._useful
        if self._compressed and other > MAX_OTHER_BYTES:
            raise ImageLimitError(
                f"inflates to more than {MAX_OTHER_BYTES:,} bytes without an image among them; "
                "unpack it first"
            )
        if self._notify is not None and time.monotonic() - self._notified > _NOTIFY_SECONDS:
            self._notified = time.monotonic()
            self._notify(f"{shown(self._name)}: {self._place / 2**30:.1f} GiB read")


def _inflating(file: IO[bytes]) -> gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile | None:
    """A reader of what ``file`` holds compressed; None where it is not compressed."""
    head = file.read(6)
    file.seek(0)
    if head.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=file)
    if head.startswith(b"BZh"):
        return bz2.BZ2File(file)
    return lzma.LZMAFile(file) if head.startswith(b"\xfd7zXZ\0") else None


def _item(member: IO[bytes], name: str, limits: Limits, left: LeftOut) -> Item | None:
    """The item of an opened member; None where it is no image, which is counted."""
    head = member.read(kinds.HEAD_BYTES)
    if not kinds.is_image(head, name):
        inside = kinds.is_archive(head) and kinds.named_archive(name)
        left["an archive in an archive" if inside else kinds.reason(head, name)] += 1
        return None
    content = head + member.read(limits.bytes + 1 - len(head))
    if len(content) > limits.bytes:
        raise ImageLimitError.of_bytes(limits.bytes)
    return Item(name, content=content)


def _passed_over(name: str, left: LeftOut) -> bool:
    parts = name.replace("\\", "/").split("/")
    hidden = "__MACOSX" in parts or parts[-1].startswith(".")
    if hidden:
        left["hidden"] += 1
    return hidden


def _bound(number: int) -> None:
    if number >= MAX_MEMBERS:
        raise ValueError(f"it has more than {MAX_MEMBERS:,} members")


def _member(path: Path, name: str) -> str:
    return f"{shown(path)}{SEPARATOR}{shown(name)}"


def _words(error: BaseException) -> str:
    """What a library says of damage, without its objects."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return re.sub(r"<[^>]*>", "", str(error)).strip() or "it ends too early"
