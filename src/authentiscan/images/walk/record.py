"""What a walk over a container leaves: facts for the decoder, and metadata blocks still unread."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from authentiscan.core.errors import DecodeError
from authentiscan.images.walk.jpeg_header import JpegHeader

MAX_PARTS = 100_000
"""Most chunks, boxes or directories stepped over in one file."""

MAX_BLOCK = 8 * 2**20
"""Largest single metadata block read, in bytes, also after decompression."""

MAX_PROBLEMS = 16

Kind: TypeAlias = Literal["exif", "xmp", "iptc", "photoshop", "app1", "icc", "text", "c2pa"]
Note: TypeAlias = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Block:
    """One metadata block where it lies; nothing is copied or unpacked before `read`.

    kind: ``app1`` is EXIF or XMP with the mark of a JPEG segment in front.
    where: the place in words, as ``PNG text 'parameters'``. key: the keyword of a text.
    packed: zlib. profile: ImageMagick's lines of name, length and hexadecimal content.
    """

    kind: Kind
    content: memoryview
    where: str
    key: str = ""
    packed: bool = False
    profile: bool = False

    def read(self, note: Note) -> bytes:
        """The block's bytes, at most `MAX_BLOCK`; what is missing of them is told to ``note``.

        Raises ValueError where it is larger or cannot be unpacked.
        """
        if len(self.content) > MAX_BLOCK:
            raise ValueError(f"is over {MAX_BLOCK // 2**20} MB and was not read")
        content = inflate(self.content, note) if self.packed else bytes(self.content)
        return _unfolded(content, note) if self.profile else content


@dataclass(slots=True)
class Walk:
    """One file's structure, found without decoding or unpacking anything.

    format: Pillow's name, ``SVG``, ``JXL``, or ``unknown``.
    width, height: as stored, 0 where only the decoder can tell (AVIF, HEIF).
    metadata: bytes of everything that is not pixels, as stored.
    problems: what was broken, cut short or over budget.
    refusal: why no decoder may see the file; None where one may.
    pixels: what a decoder needs, where that is less than the whole file (PNG).
    apple: a PNG in Apple's own variant (CgBI).
    variant: how pixels are stored, in words, where that is valid but not every decoder reads it.
    """

    format: str
    data: memoryview
    width: int = 0
    height: int = 0
    frames: int = 1
    metadata: int = 0
    blocks: list[Block] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    refusal: DecodeError | None = None
    pixels: list[memoryview] = field(default_factory=list)
    apple: bool = False
    variant: str = ""
    jpeg: JpegHeader | None = None

    def keep(
        self,
        kind: Kind,
        content: bytes | memoryview,
        where: str,
        key: str = "",
        *,
        packed: bool = False,
        profile: bool = False,
    ) -> None:
        """Keep a metadata block, unread."""
        self.blocks.append(Block(kind, memoryview(content), where, key, packed, profile))

    def problem(self, what: str) -> None:
        """Note something broken or left out, once."""
        if len(self.problems) < MAX_PROBLEMS and what not in self.problems:
            self.problems.append(what)

    def refuse(self, reason: DecodeError) -> None:
        """Keep the decoder away, for the first reason given; metadata is still read."""
        self.refusal = self.refusal or reason


def number(data: bytes | memoryview, at: int, size: int, order: str = "big") -> int:
    """Unsigned integer of ``size`` bytes at ``at``. Raises ValueError beyond the end."""
    block = data[at : at + size]
    if at < 0 or len(block) < size:
        raise ValueError("it ends too early")
    return int.from_bytes(block, "little" if order == "little" else "big")


def inflate(block: bytes | memoryview, note: Note, limit: int = MAX_BLOCK) -> bytes:
    """Unpack zlib data to at most ``limit`` bytes; a stream cut short is told to ``note``.

    Raises ValueError where it is broken or larger.
    """
    engine = zlib.decompressobj()
    try:
        content = engine.decompress(block, limit)
    except zlib.error as error:
        raise ValueError("holds broken compressed data") from error
    if engine.unconsumed_tail:
        raise ValueError(f"unpacks to over {limit // 2**20} MB and was not read")
    if not engine.eof:
        note("is compressed data cut short")
    return content


def unpacked_size(block: bytes | memoryview, limit: int) -> int:
    """Bytes that zlib data unpacks to, counted up to ``limit``; 0 where it is broken."""
    try:
        return len(zlib.decompressobj().decompress(block, limit))
    except zlib.error:
        return 0


_NOT_HEXADECIMAL = re.compile(rb"[^0-9a-fA-F]")


def _unfolded(text: bytes, note: Note) -> bytes:
    """The bytes behind three lines: name, length, hexadecimal content."""
    lines = text.strip().split(b"\n", 2)
    if len(lines) < 3 or not lines[1].strip().isdigit():
        raise ValueError("lacks its length or its content")
    digits = b"".join(lines[2].split())
    fault = _NOT_HEXADECIMAL.search(digits)
    digits = digits[: fault.start()] if fault else digits
    content = bytes.fromhex(digits[: len(digits) // 2 * 2].decode())
    if fault or len(content) < int(lines[1][:12]):
        note("is cut short or broken")
    return content
