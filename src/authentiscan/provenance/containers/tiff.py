"""TIFF directories, the structure of TIFF and DNG files and of every EXIF block."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from authentiscan.provenance.containers.record import Collector, number, photoshop

MAX_DIRECTORIES = 64
MAX_ENTRIES = 1024
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_WIDTH, _HEIGHT, _XMP, _IPTC, _PHOTOSHOP, _C2PA = 256, 257, 700, 33723, 34377, 52545
_SUB_DIRECTORIES = {330: "sub", 34665: "exif", 34853: "gps"}


@dataclass(frozen=True, slots=True)
class Tag:
    """One directory entry: ``directory`` is ``main``, ``exif``, ``gps`` or ``sub``.

    kind: the TIFF field type (2 text, 3 and 4 unsigned, 5 fraction, 7 bytes ...).
    content: its raw bytes; order: ``little`` or ``big``.
    """

    directory: str
    number: int
    kind: int
    content: memoryview
    order: str

    def text(self) -> str:
        """The value as text; numbers as decimals, fractions as quotients."""
        if self.kind in (1, 2, 7):
            raw = bytes(self.content).split(b"\0", 1)[0] if self.kind == 2 else bytes(self.content)
            try:
                return raw.decode("utf-8").strip()
            except UnicodeDecodeError:
                return raw.decode("latin-1").strip()
        return ", ".join(self._numbers())

    def _numbers(self) -> Iterator[str]:
        size = _SIZES[self.kind]
        for at in range(0, min(len(self.content), 8 * size) - size + 1, size):
            if self.kind in (5, 10):
                top = number(self.content, at, 4, self.order)
                bottom = number(self.content, at + 4, 4, self.order)
                yield f"{top / bottom:.6g}" if bottom else "0"
            elif self.kind in (11, 12):
                code = ("<" if self.order == "little" else ">") + ("f" if size == 4 else "d")
                yield f"{struct.unpack(code, self.content[at : at + size])[0]:.6g}"
            else:
                yield str(number(self.content, at, size, self.order))


def sniff(data: bytes) -> str | None:
    """``TIFF`` by its byte-order mark."""
    return "TIFF" if data[:4] in (b"II*\0", b"MM\0*") else None


def walk(data: bytes, into: Collector) -> None:
    """Collect the metadata tags of a TIFF or DNG file; its own directories count as EXIF."""
    small = bytearray(data[:8])
    found = False
    for tag in tags(data, into):
        if tag.number == _XMP:
            into.xmp(tag.content)
        elif tag.number == _IPTC:
            into.iptc(tag.content)
        elif tag.number == _PHOTOSHOP:
            photoshop(tag.content, into)
        elif tag.number == _C2PA:
            into.c2pa(len(tag.content))
        elif tag.number == _WIDTH and tag.directory == "main" and into.width is None:
            into.width = number(tag.content, 0, _SIZES[tag.kind], tag.order)
        elif tag.number == _HEIGHT and tag.directory == "main" and into.height is None:
            into.height = number(tag.content, 0, _SIZES[tag.kind], tag.order)
        found = True
    if found and small:
        # Offsets count from the file's start, so the block is the file itself.
        into.exif(memoryview(data))


def tags(data: bytes | memoryview, into: Collector | None = None) -> Iterator[Tag]:
    """Every entry of every directory, each directory once, sub-directories after their parent.

    Broken entries are left out and noted in ``into``.
    """
    view = memoryview(data)
    head = bytes(view[:4])
    if head not in (b"II*\0", b"MM\0*"):
        if into:
            into.problem("EXIF lacks its byte-order mark")
        return
    order = "little" if head[:2] == b"II" else "big"
    todo = [("main", number(view, 4, 4, order))] if len(view) >= 8 else []
    seen: set[int] = set()
    while todo:
        name, at = todo.pop(0)
        if at in seen or at == 0:
            continue
        if len(seen) >= MAX_DIRECTORIES:
            if into:
                into.problem(f"more than {MAX_DIRECTORIES} directories, the rest was not read")
            return
        seen.add(at)
        try:
            count = number(view, at, 2, order)
            for index in range(min(count, MAX_ENTRIES)):
                tag = _entry(view, at + 2 + 12 * index, name, order)
                if tag is None:
                    continue
                if tag.number in _SUB_DIRECTORIES and tag.kind in (4, 13):
                    below = _SUB_DIRECTORIES[tag.number]
                    todo += [
                        (below, number(tag.content, i, 4, order))
                        for i in range(0, min(len(tag.content), 4 * 16), 4)
                    ]
                yield tag
            if name == "main":
                todo.append((name, number(view, at + 2 + 12 * count, 4, order)))
        except ValueError as error:
            if into:
                into.problem(f"{name} directory: {error}")


def _entry(view: memoryview, at: int, directory: str, order: str) -> Tag | None:
    """The entry at ``at``; None where its type is unknown or its value lies outside the data."""
    code, kind = number(view, at, 2, order), number(view, at + 2, 2, order)
    count = number(view, at + 4, 4, order)
    if kind not in _SIZES:
        return None
    size = count * _SIZES[kind]
    start = at + 8 if size <= 4 else number(view, at + 8, 4, order)
    content = view[start : start + size]
    if len(content) < size:
        return None
    return Tag(directory, code, kind, content, order)
