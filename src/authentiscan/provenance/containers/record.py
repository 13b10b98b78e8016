"""What the container readers collect, and the budgets that bound them."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

MAX_ITEMS = 4096
"""Most chunks, segments, boxes or directory entries looked at in one file."""

MAX_BLOCK = 8 * 2**20
"""Largest single metadata block kept, in bytes, also after decompression."""

MAX_TOTAL = 32 * 2**20
"""Most metadata bytes kept of one file."""

MAX_PROBLEMS = 16


@dataclass(frozen=True, slots=True)
class Text:
    """A named text of a container: a PNG text chunk, a JPEG or GIF comment.

    where: the place in words, as ``PNG text 'parameters'``.
    """

    key: str
    value: str
    where: str


@dataclass(frozen=True, slots=True)
class Metadata:
    """Raw metadata blocks of one file, in the order found.

    exif: TIFF structures, without the ``Exif`` mark. xmp: XML packets. iptc: IIM records.
    c2pa_bytes: size of the embedded C2PA manifest store, None without one.
    width, height: as the container states them where the walk meets them, else None.
    problems: what was broken or over budget.
    """

    format: str
    width: int | None = None
    height: int | None = None
    exif: tuple[bytes, ...] = ()
    xmp: tuple[bytes, ...] = ()
    iptc: tuple[bytes, ...] = ()
    texts: tuple[Text, ...] = ()
    c2pa_bytes: int | None = None
    problems: tuple[str, ...] = ()


class BudgetError(ValueError):
    """A budget of this module is used up; the walk ends and keeps what it has."""


class Collector:
    """Gathers blocks within the budgets; readers write to it, `metadata` ends it."""

    def __init__(self, name: str) -> None:
        self.format = name
        self.width: int | None = None
        self.height: int | None = None
        self._exif: list[bytes] = []
        self._xmp: list[bytes] = []
        self._iptc: list[bytes] = []
        self._texts: list[Text] = []
        self._c2pa: int | None = None
        self._problems: list[str] = []
        self._items = 0
        self._total = 0

    def step(self) -> None:
        """Count one structural item. Raises BudgetError where there are too many."""
        self._items += 1
        if self._items > MAX_ITEMS:
            raise BudgetError(f"more than {MAX_ITEMS} parts, the rest was not read")

    def exif(self, block: bytes | memoryview) -> None:
        """Keep a TIFF structure, with or without its ``Exif`` mark."""
        content = bytes(block[: MAX_BLOCK + 1])
        if content.startswith(b"Exif\0\0"):
            content = content[6:]
        if self._room(content, "EXIF"):
            self._exif.append(content)

    def xmp(self, block: bytes | memoryview) -> None:
        """Keep an XMP packet."""
        content = bytes(block[: MAX_BLOCK + 1])
        if self._room(content, "XMP"):
            self._xmp.append(content)

    def iptc(self, block: bytes | memoryview) -> None:
        """Keep an IPTC IIM record."""
        content = bytes(block[: MAX_BLOCK + 1])
        if self._room(content, "IPTC"):
            self._iptc.append(content)

    def text(self, key: str, value: str, where: str) -> None:
        """Keep a named text."""
        if self._room(value, where):
            self._texts.append(Text(key[:100], value, where[:140]))

    def c2pa(self, size: int) -> None:
        """Note ``size`` bytes of an embedded C2PA manifest store."""
        self._c2pa = (self._c2pa or 0) + size

    def problem(self, what: str) -> None:
        """Note something broken or left out."""
        if len(self._problems) < MAX_PROBLEMS:
            self._problems.append(what)

    def metadata(self) -> Metadata:
        """Everything collected."""
        return Metadata(
            format=self.format,
            width=self.width,
            height=self.height,
            exif=tuple(self._exif),
            xmp=tuple(self._xmp),
            iptc=tuple(self._iptc),
            texts=tuple(self._texts),
            c2pa_bytes=self._c2pa,
            problems=tuple(self._problems),
        )

    def _room(self, content: bytes | str, what: str) -> bool:
        if len(content) > MAX_BLOCK:
            self.problem(f"{what} is over {MAX_BLOCK // 2**20} MB and was not read")
            return False
        if self._total + len(content) > MAX_TOTAL:
            self.problem(f"metadata over {MAX_TOTAL // 2**20} MB, the rest was not read")
            return False
        self._total += len(content)
        return True


def number(data: bytes | memoryview, at: int, size: int, order: str = "big") -> int:
    """Unsigned integer of ``size`` bytes at ``at``. Raises ValueError beyond the end."""
    block = data[at : at + size]
    if at < 0 or len(block) < size:
        raise ValueError("it ends too early")
    return int.from_bytes(block, "little" if order == "little" else "big")


def inflate(block: bytes | memoryview, limit: int = MAX_BLOCK) -> bytes:
    """Unpack zlib data to at most ``limit`` bytes. Raises ValueError where broken or larger."""
    engine = zlib.decompressobj()
    try:
        content = engine.decompress(block, limit)
    except zlib.error as error:
        raise ValueError(f"compressed data broken ({error})") from error
    if engine.unconsumed_tail:
        raise ValueError(f"compressed data unpacks to over {limit // 2**20} MB")
    return content


def photoshop(block: bytes | memoryview, into: Collector) -> None:
    """Walk Photoshop resources (``8BIM``) for IPTC (0x0404), XMP (0x0424), EXIF (0x0422)."""
    at = 0
    while at + 12 <= len(block):
        into.step()
        if bytes(block[at : at + 4]) != b"8BIM":
            return
        kind = number(block, at + 4, 2)
        at += 6
        at += (1 + number(block, at, 1) + 1) // 2 * 2  # Pascal string, padded to an even length
        size = number(block, at, 4)
        content = block[at + 4 : at + 4 + size]
        if kind == 0x0404:
            into.iptc(content)
        elif kind == 0x0424:
            into.xmp(content)
        elif kind == 0x0422:
            into.exif(content)
        at += 4 + (size + 1) // 2 * 2
