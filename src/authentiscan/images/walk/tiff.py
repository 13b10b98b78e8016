"""TIFF directories, the structure of TIFF and raw files and of every EXIF block."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from authentiscan.core.errors import CorruptImageError, ImageLimitError, UnsupportedFormatError
from authentiscan.images.walk.photoshop import resources
from authentiscan.images.walk.record import MAX_PARTS, Note, Walk, number

MAX_DIRECTORIES = 64
MAX_ENTRIES = 1024
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_SIZES |= {16: 8, 17: 8, 18: 8}  # of BigTIFF
_WHOLE = (1, 3, 4, 13, 16)
_MAKE, _ORIENTATION = 271, 274
_XMP, _IPTC, _PHOTOSHOP, _ICC, _C2PA = 700, 33723, 34377, 34675, 52545
_LAYOUT = frozenset({273, 279, 288, 289, 324, 325})  # where strips and tiles lie: not metadata
_SUB_DIRECTORIES = {330: "sub", 34665: "exif", 34853: "gps"}
BYTE_ORDERS = {b"II*\0": "little", b"MM\0*": "big", b"II+\0": "little", b"MM\0+": "big"}
"""Of TIFF and BigTIFF, and of raw files built like a TIFF."""
BYTE_ORDERS |= {b"IIRO": "little", b"IIRS": "little", b"MMOR": "big", b"IIU\0": "little"}


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

    def whole(self) -> int:
        """The first value as a whole number; 0 where it is none."""
        size = _SIZES[self.kind]
        if self.kind not in _WHOLE or len(self.content) < size:
            return 0
        return number(self.content, 0, size, self.order)

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


@dataclass(frozen=True, slots=True)
class _Form:
    """How directories are written: byte order, and the field widths of TIFF or BigTIFF."""

    view: memoryview
    order: str
    big: bool

    @property
    def wide(self) -> int:
        """Bytes of an offset or a count of values."""
        return 8 if self.big else 4

    def number(self, at: int, size: int) -> int:
        return number(self.view, at, size, self.order)

    def first(self) -> int:
        """Where the first directory lies."""
        return self.number(8 if self.big else 4, self.wide)

    def entries(self, at: int) -> tuple[int, int]:
        """How many entries the directory at ``at`` has, and where they begin."""
        head = 8 if self.big else 2
        return min(self.number(at, head), 65_535), at + head

    @property
    def entry(self) -> int:
        """Bytes of one directory entry."""
        return 20 if self.big else 12

    def next(self, at: int) -> int:
        """Where the directory after that at ``at`` lies; 0 for none."""
        count, first = self.entries(at)
        after = first + self.entry * count
        return self.number(after, self.wide) if after + self.wide <= len(self.view) else 0


def _form(data: bytes | memoryview) -> _Form | None:
    head = bytes(data[:4])
    order = BYTE_ORDERS.get(head)
    return _Form(memoryview(data), order, b"+" in head) if order else None


def walk(into: Walk) -> None:
    """Collect facts and metadata tags; the file's own directories count as EXIF.

    Raises CorruptImageError where the first directory is missing. Refuses camera raw files (their
    first image is a preview) and tiles far larger than the image. ValueError on a directory cut
    short.
    """
    form = _form(into.data)
    marked = (
        "a Canon CR2" if bytes(into.data[8:10]) == b"CR" else _RAW_HEADS.get(bytes(into.data[:4]))
    )
    if marked:
        into.refuse(_refused(marked))
    if form is None or form.first() + 8 > len(into.data):
        raise CorruptImageError("TIFF whose first directory lies beyond its end: truncated")
    into.frames = _directories(form)
    for tag in tags(into.data, into.problem):
        _metadata(tag, into)
    # Offsets count from the file's start, so the block is the file itself.
    into.keep("exif", into.data, "TIFF directories")
    _judge(form, into)


def _directories(form: _Form) -> int:
    """Length of the chain of directories; loops end it."""
    seen: set[int] = set()
    at = form.first()
    while at and at not in seen and at + 8 <= len(form.view) and len(seen) <= MAX_PARTS:
        seen.add(at)
        at = form.next(at)
    return len(seen)


def _metadata(tag: Tag, into: Walk) -> None:
    if tag.number == _XMP:
        into.keep("xmp", tag.content, "TIFF tag")
    elif tag.number == _IPTC:
        into.keep("iptc", tag.content, "TIFF tag")
    elif tag.number == _PHOTOSHOP:
        resources(tag.content, into)
    elif tag.number == _C2PA:
        into.keep("c2pa", tag.content, "TIFF tag")


def _judge(form: _Form, into: Walk) -> None:
    """What the first directory says to the decoder."""
    first: dict[int, Tag] = {}
    count, begin = form.entries(form.first())
    for at in range(begin, begin + count * form.entry, form.entry):
        tag, kind = form.number(at, 2), form.number(at + 2, 2)
        if tag not in _LAYOUT:
            into.metadata += form.number(at + 4, form.wide) * _SIZES.get(kind, 0)
        entry = _entry(form, at, "main", into.problem)
        if entry is not None:
            first.setdefault(tag, entry)
    value = {tag: entry.whole() for tag, entry in first.items()}
    into.width, into.height = value.get(256, 0), value.get(257, 0)
    raw = _raw(value, first)
    if raw:
        into.refuse(_refused(raw))
    tile = value.get(322, 0) * value.get(323, 0)
    if tile > max(4 * into.width * into.height, 1 << 24):
        into.refuse(
            ImageLimitError(
                f"TIFF with tiles of {tile:,} pixels for an image of {into.width}x{into.height}"
            )
        )
    if _ICC in first:
        into.keep("icc", first[_ICC].content, "TIFF tag")
    into.variant = _variant(value)


_RAW_HEADS = {
    b"IIRO": "an Olympus ORF",
    b"IIRS": "an Olympus ORF",
    b"MMOR": "an Olympus ORF",
    b"IIU\0": "a Panasonic RW2",
}
_RAW_MAKES = {
    "canon": "a Canon CR2",
    "nikon": "a Nikon NEF",
    "sony": "a Sony ARW",
    "pentax": "a Pentax PEF",
    "samsung": "a Samsung SRW",
    "olympus": "an Olympus ORF",
    "leica": "a Leica RWL",
    "hasselblad": "a Hasselblad 3FR",
    "phase one": "a Phase One IIQ",
    "mamiya": "a Mamiya MEF",
    "kodak": "a Kodak DCR",
    "eastman kodak": "a Kodak DCR",
    "epson": "an Epson ERF",
}
_RAW_CODINGS = frozenset({32767, 32769, 32770, 34713, 65000, 65535})
_RAW_COLOURS = frozenset({32803, 34892})
_DNG_VERSION = 50706


def _refused(kind: str) -> UnsupportedFormatError:
    return UnsupportedFormatError(
        f"{kind} camera raw file: not supported; export it as JPEG or TIFF"
    )


def _raw(value: dict[int, int], first: dict[int, Tag]) -> str | None:
    """What kind of camera raw file this is, by its first directory; None for other TIFFs."""
    if _DNG_VERSION in first:
        return "a DNG"
    preview = value.get(254, 0) & 1
    if not (preview or value.get(259) in _RAW_CODINGS or value.get(262) in _RAW_COLOURS):
        return None
    make = first[_MAKE].text().lower() if _MAKE in first else ""
    return next((name for key, name in _RAW_MAKES.items() if make.startswith(key)), "a")


_COLOURS = {0: "grey", 1: "grey", 2: "RGB", 3: "palette", 5: "CMYK", 6: "YCbCr", 8: "Lab"}
_RARE_COLOURS = {9: "Lab", 10: "Lab", 32844: "LogL", 32845: "LogLuv"}
_RARE_NUMBERS = {2: "signed ", 3: "floating-point ", 5: "complex ", 6: "complex "}
_RARE_CODINGS = {34887: "LERC", 34925: "LZMA", 50000: "Zstandard", 50001: "WebP", 50002: "JPEG XL"}
_RARE_CODINGS |= {33003: "JPEG 2000", 33005: "JPEG 2000", 34712: "JPEG 2000", 52546: "JPEG XL"}


def _variant(value: dict[int, int]) -> str:
    """How pixels are stored, in words, where that is valid but rare; empty for anything else."""
    bits, samples, colour = value.get(258, 1), value.get(277, 1), value.get(262, 0)
    if not (value.get(256) and value.get(257) and 0 < bits <= 64 and 0 < samples <= 8):
        return ""
    kind, coding = _RARE_NUMBERS.get(value.get(339, 1)), _RARE_CODINGS.get(value.get(259, 1))
    named = _RARE_COLOURS.get(colour)
    if not (kind or coding or named or bits not in (1, 8, 16) or (bits == 1 and samples > 1)):
        return ""
    if named is None and colour not in _COLOURS:
        return ""
    planes = ", separate planes" if value.get(284) == 2 else ""
    text = f"TIFF of {kind or ''}{bits}-bit {named or _COLOURS[colour]}"
    return f"{text}, {samples} samples a pixel{planes}{f', {coding}' if coding else ''}"


def orientation(exif: bytes | memoryview) -> int:
    """Orientation 1..8 in the first directory; 1 where there is none or it cannot be read."""
    form = _form(exif)
    if form is None:
        return 1
    try:
        count, begin = form.entries(form.first())
        for at in range(begin, begin + count * form.entry, form.entry):
            if form.number(at, 2) == _ORIENTATION:
                tag = _entry(form, at, "main", lambda _: None)
                value = tag.whole() if tag else 1
                return value if 1 <= value <= 8 else 1
    except ValueError:  # broken EXIF says nothing about the pixels
        pass
    return 1


def tags(data: bytes | memoryview, note: Note | None = None) -> Iterator[Tag]:
    """Every entry of every directory, each directory once, sub-directories after their parent.

    Broken entries are left out and told to ``note``.
    """
    note = note or (lambda _: None)
    form = _form(data)
    if form is None or len(data) < 16:
        note("EXIF lacks its byte-order mark or its directory")
        return
    todo = [("main", form.first())]
    seen: set[int] = set()
    while todo:
        name, at = todo.pop(0)
        if at in seen or at == 0:
            continue
        if len(seen) >= MAX_DIRECTORIES:
            note(f"more than {MAX_DIRECTORIES} directories, the rest was not read")
            return
        seen.add(at)
        try:
            yield from _directory(form, at, name, todo, note)
        except ValueError as error:
            note(f"{name} directory: {error}")


def _directory(
    form: _Form, at: int, name: str, todo: list[tuple[str, int]], note: Note
) -> Iterator[Tag]:
    """The entries of one directory; what hangs below or follows it is added to ``todo``."""
    count, begin = form.entries(at)
    if count > MAX_ENTRIES:
        note(f"{name} directory has {count:,} fields, only {MAX_ENTRIES:,} were read")
    for index in range(min(count, MAX_ENTRIES)):
        tag = _entry(form, begin + index * form.entry, name, note)
        if tag is None:
            continue
        if tag.number in _SUB_DIRECTORIES and tag.kind in (4, 13, 16, 18):
            size = _SIZES[tag.kind]
            todo += [
                (_SUB_DIRECTORIES[tag.number], number(tag.content, i, size, tag.order))
                for i in range(0, min(len(tag.content), size * 16), size)
            ]
        yield tag
    if name == "main":
        todo.append((name, form.next(at)))


def _entry(form: _Form, at: int, directory: str, note: Note) -> Tag | None:
    """The entry at ``at``; None where its type is unknown or its value lies outside the data."""
    code, kind, count = form.number(at, 2), form.number(at + 2, 2), form.number(at + 4, form.wide)
    if kind not in _SIZES:
        return None
    size = count * _SIZES[kind]
    start = at + 4 + form.wide
    if size > form.wide:
        start = form.number(start, form.wide)
    content = form.view[start : start + size]
    if len(content) < size:
        note(f"{directory} directory: field {code} lies outside the data")
        return None
    return Tag(directory, code, kind, content, form.order)
