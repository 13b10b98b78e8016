"""Checking zips that arrived in parts (name.z01, name.z02, ..., name.zip), without joining them.

Python's `zipfile` refuses split archives; this reads just enough of the format (PKWARE APPNOTE 6.3:
end record, zip64, central directory, local headers) to see that every part is there and every file
unpacks to its checksum.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from authentiscan.core.errors import DatasetError

Progress = Callable[[int, int | None], None]
"""Called with the bytes tested so far and their total."""

_PART = re.compile(r"\.z(\d{2,4})", re.IGNORECASE)
_BLOCK = 1 << 20
_END, _LOCATOR, _END64 = b"PK\x05\x06", b"PK\x06\x07", b"PK\x06\x06"
_CENTRAL, _LOCAL = b"PK\x01\x02", b"PK\x03\x04"
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class ArchiveCheck:
    """What was found of one archive. files: None where it was not read. problems: in words."""

    name: str
    parts: int
    bytes: int
    files: int | None
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Member:
    name: str
    disk: int
    offset: int
    packed: int
    size: int
    crc: int
    method: int
    encrypted: bool


@dataclass(slots=True)
class _Parts:
    """The parts of one archive: numbered ones by number, and the last one, the .zip."""

    numbered: dict[int, Path] = field(default_factory=dict)
    last: Path | None = None

    def present(self) -> list[Path]:
        known = [self.numbered[n] for n in sorted(self.numbered)]
        return known + ([self.last] if self.last else [])


def check_archives(
    folder: Path, *, read: bool = True, progress: Progress | None = None
) -> list[ArchiveCheck]:
    """Check all zips below ``folder``, whole or in parts: names, sizes, contents if ``read``.

    Raises DatasetError where the folder is absent or holds no archive.
    """
    if not folder.is_dir():
        raise DatasetError(f"there is no folder {folder}")
    found = _find(folder)
    if not found:
        raise DatasetError(f"{folder} holds no zip archives (name.z01, name.z02, ..., name.zip)")
    total = sum(p.stat().st_size for parts in found.values() for p in parts.present())
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        if progress:
            progress(done, total)

    return [_check(name, parts, read, advance) for name, parts in sorted(found.items())]


def _find(folder: Path) -> dict[str, _Parts]:
    found: dict[str, _Parts] = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        number = _PART.fullmatch(path.suffix)
        if number is None and path.suffix.lower() != ".zip":
            continue
        parts = found.setdefault(path.with_suffix("").relative_to(folder).as_posix(), _Parts())
        if number is None:
            parts.last = path
        else:
            parts.numbered[int(number[1])] = path
    return found


def _check(name: str, parts: _Parts, read: bool, advance: Callable[[int], None]) -> ArchiveCheck:
    present = parts.present()
    size = sum(p.stat().st_size for p in present)
    problems = [f"{p.name} is empty" for p in present if p.stat().st_size == 0]
    files: int | None = None
    if parts.last is None:
        problems.append(f"the last part, {Path(name).name}.zip, is missing")
    elif parts.last.stat().st_size:
        try:
            archive = _SplitArchive(parts)
            problems += archive.wrong_parts()
            if read and not problems:
                files, damaged = _test(archive, advance)
                problems += damaged
        except _FormatError as error:
            problems.append(str(error))
    return ArchiveCheck(name, len(present), size, files, tuple(problems))


class _FormatError(Exception):
    """The archive's structure is broken; the message says where."""


class _SplitArchive:
    """Reads a zip whose parts lie in several files; also one that lies in one."""

    def __init__(self, parts: _Parts) -> None:
        self._parts = parts
        if parts.last is None:
            raise _FormatError("the last part is missing")
        self._last = parts.last
        self._disk, self._start_disk, self._start, self._size, self.count = self._end()

    def wrong_parts(self) -> list[str]:
        """Parts that are missing or surplus, or shorter than the others."""
        stem = self._last.with_suffix("").name
        wanted = set(range(1, self._disk + 1))
        have = set(self._parts.numbered)
        problems = []
        if missing := sorted(wanted - have):
            names = ", ".join(f"{stem}.z{n:02d}" for n in missing)
            problems.append(f"missing: {names} ({self._disk + 1} parts in all)")
        if surplus := sorted(have - wanted):
            names = ", ".join(self._parts.numbered[n].name for n in surplus)
            problems.append(f"not of this archive: {names} (it has {self._disk + 1} parts)")
        sizes = {n: self._parts.numbered[n].stat().st_size for n in sorted(wanted & have)}
        whole = max(sizes.values(), default=0)
        problems += [
            f"{self._parts.numbered[n].name} has {size:,} bytes, its neighbours {whole:,}"
            for n, size in sizes.items()
            if 0 < size < whole
        ]
        return problems

    def read(self, disk: int, offset: int, count: int) -> Iterator[bytes]:
        """``count`` bytes from a place in a part, going on in the next part where it ends."""
        while count:
            path = self._part(disk)
            with path.open("rb") as stream:
                stream.seek(offset)
                while count and (block := stream.read(min(count, _BLOCK))):
                    count -= len(block)
                    yield block
            if count and disk == self._disk:
                raise _FormatError(f"{path.name} ends too early: the download is not complete")
            disk, offset = disk + 1, 0

    def exactly(self, disk: int, offset: int, count: int) -> bytes:
        """The same as one piece."""
        return b"".join(self.read(disk, offset, count))

    def members(self) -> Iterator[_Member]:
        """The files that the central directory lists, folders left out."""
        directory = self.exactly(self._start_disk, self._start, self._size)
        at = 0
        for _ in range(self.count):
            if directory[at : at + 4] != _CENTRAL or len(directory) < at + 46:
                raise _FormatError("the list of files at the end is damaged")
            flags, method = struct.unpack_from("<HH", directory, at + 8)
            crc, packed, size = struct.unpack_from("<III", directory, at + 16)
            names, extras, comments, disk = struct.unpack_from("<HHHH", directory, at + 28)
            (offset,) = struct.unpack_from("<I", directory, at + 42)
            name = directory[at + 46 : at + 46 + names].decode("utf-8", "replace")
            extra = directory[at + 46 + names : at + 46 + names + extras]
            size, packed, offset, disk = _zip64(extra, size, packed, offset, disk)
            at += 46 + names + extras + comments
            if not name.endswith("/"):
                yield _Member(name, disk, offset, packed, size, crc, method, bool(flags & 1))

    def _part(self, disk: int) -> Path:
        if disk == self._disk:
            return self._last
        path = self._parts.numbered.get(disk + 1)
        if path is None:
            raise _FormatError(f"part {disk + 1} is missing")
        return path

    def _end(self) -> tuple[int, int, int, int, int]:
        """Number of the last disk; disk, offset and size of the list of files; and their number."""
        size = self._last.stat().st_size
        with self._last.open("rb") as stream:
            stream.seek(max(0, size - 65_557))  # the end record and its longest comment
            tail = stream.read()
            at = tail.rfind(_END)
            if at < 0 or len(tail) < at + 22:
                raise _FormatError(
                    f"{self._last.name} has no zip end record: it is cut off or no zip"
                )
            disk, start_disk, _, count, length, start = struct.unpack_from("<HHHHII", tail, at + 4)
            if tail[at - 20 : at - 16] != _LOCATOR or at < 20:
                return disk, start_disk, start, length, count
            _, place, disks = struct.unpack_from("<IQI", tail, at - 16)
            stream.seek(place)
            record = stream.read(56)
        if record[:4] != _END64 or len(record) < 56:
            raise _FormatError(f"{self._last.name}: its zip64 end record is damaged")
        start_disk, _, count, length, start = struct.unpack_from("<IQQQQ", record, 20)
        return disks - 1, start_disk, start, length, count


def _zip64(
    extra: bytes, size: int, packed: int, offset: int, disk: int
) -> tuple[int, int, int, int]:
    """Values too large for the directory's own fields stand in an extra field, in this order."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        body = extra[at + 4 : at + 4 + length]
        at += 4 + length
        if kind != 1:
            continue
        values = [size, packed, offset]
        for i, value in enumerate(values):
            if value == 0xFFFFFFFF:
                if len(body) < 8:
                    raise _FormatError("a zip64 field is damaged")
                values[i] = int.from_bytes(body[:8], "little")
                body = body[8:]
        if disk == 0xFFFF and len(body) >= 4:
            disk = int.from_bytes(body[:4], "little")
        size, packed, offset = values
    return size, packed, offset, disk


def _test(archive: _SplitArchive, advance: Callable[[int], None]) -> tuple[int, list[str]]:
    """Unpack everything to nowhere; gives the number of whole files and what is wrong."""
    whole, damaged = 0, []
    for member in archive.members():
        wrong = _wrong(archive, member)
        advance(member.packed)
        if wrong:
            damaged.append(f"{member.name}: {wrong}")
        else:
            whole += 1
    problems: list[str] = [*damaged[:_SHOWN]]
    if len(damaged) > _SHOWN:
        problems.append(f"and {len(damaged) - _SHOWN} more damaged files")
    return whole, problems


def _wrong(archive: _SplitArchive, member: _Member) -> str | None:
    """What is wrong with a file, None where it unpacks to its size and checksum."""
    if member.encrypted:
        return "is encrypted"
    if member.method not in (0, 8):
        return f"is packed with method {member.method}, which is not supported"
    try:
        header = archive.exactly(member.disk, member.offset, 30)
        if header[:4] != _LOCAL:
            return "is not where the list says"
        names, extras = struct.unpack_from("<HH", header, 26)
        start = member.offset + 30 + names + extras
        blocks = archive.read(*_place(archive, member.disk, start), member.packed)
        size, crc = _unpacked(blocks, member)
    except (_FormatError, zlib.error) as error:
        return str(error)
    if size != member.size or crc != member.crc:
        return "does not match its checksum"
    return None


def _place(archive: _SplitArchive, disk: int, offset: int) -> tuple[int, int]:
    """The same place, counted in the part that holds it."""
    while True:
        size = archive._part(disk).stat().st_size
        if offset < size or disk == archive._disk:
            return disk, offset
        disk, offset = disk + 1, offset - size


def _unpacked(blocks: Iterator[bytes], member: _Member) -> tuple[int, int]:
    """Size and CRC-32 of the content; stops as soon as there is more than the list says."""
    size = crc = 0
    unpack = zlib.decompressobj(-15) if member.method == 8 else None
    for block in blocks:
        rest = block
        while rest and size <= member.size:
            piece = unpack.decompress(rest, _BLOCK) if unpack else rest
            rest = unpack.unconsumed_tail if unpack else b""
            size += len(piece)
            crc = zlib.crc32(piece, crc)
            if unpack and unpack.eof:
                break
    if unpack:
        piece = unpack.flush()
        size, crc = size + len(piece), zlib.crc32(piece, crc)
    return size, crc
