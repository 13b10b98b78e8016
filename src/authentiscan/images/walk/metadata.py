"""A file's metadata blocks as bytes and texts, within budgets, for those who interpret them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from authentiscan.images.walk.jpeg import XMP_MARK
from authentiscan.images.walk.photoshop import MARK, resources
from authentiscan.images.walk.record import Block, Walk

MAX_BLOCKS = 4096
"""Most blocks read of one file."""

MAX_TOTAL = 32 * 2**20
"""Most metadata bytes kept of one file."""

_NAMES = {"exif": "EXIF", "xmp": "XMP", "iptc": "IPTC", "photoshop": "IPTC", "app1": "EXIF or XMP"}


@dataclass(frozen=True, slots=True)
class Text:
    """A named text of a container: a PNG text chunk, a JPEG or GIF comment.

    where: the place in words, as ``PNG text 'parameters'``.
    """

    key: str
    value: str
    where: str


@dataclass(slots=True)
class Metadata:
    """Raw metadata blocks of one file, in the order found.

    exif: TIFF structures, without the ``Exif`` mark. xmp: XML packets. iptc: IIM records.
    c2pa_bytes: size of the embedded C2PA manifest store, None without one.
    width, height: as the container states them where the walk meets them, else None.
    problems: what was broken, cut short or over budget: what they name could not be looked at.
    """

    format: str
    width: int | None = None
    height: int | None = None
    exif: list[bytes | memoryview] = field(default_factory=list)
    xmp: list[bytes] = field(default_factory=list)
    iptc: list[bytes] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)
    c2pa_bytes: int | None = None
    problems: list[str] = field(default_factory=list)


def gather(found: Walk) -> Metadata:
    """Read the blocks of a walk, which is left as it is; never raises.

    Whatever cannot be read becomes a line of `Metadata.problems`.
    """
    walked = replace(found, blocks=list(found.blocks), problems=list(found.problems))
    name = "JPEG" if walked.format == "MPO" else walked.format
    into = Metadata(name, walked.width or None, walked.height or None)
    stores = [len(block.content) for block in walked.blocks if block.kind == "c2pa"]
    into.c2pa_bytes = sum(stores) if stores else None
    total = count = 0
    for block in walked.blocks:  # resources inside a block join the line
        if block.kind in ("icc", "c2pa"):
            continue
        count += 1
        if count > MAX_BLOCKS:
            walked.problem(f"more than {MAX_BLOCKS} metadata blocks, the rest was not read")
            break
        content = _content(block, walked)
        total += len(content) if isinstance(content, bytes) else 0
        if total > MAX_TOTAL:
            walked.problem(f"metadata over {MAX_TOTAL // 2**20} MB, the rest was not read")
            break
        if content is not None:
            _file(content, block, into, walked)
    into.problems = walked.problems
    return into


def _content(block: Block, walked: Walk) -> bytes | memoryview | None:
    """The block's bytes; the whole file, uncopied, where that is the block (TIFF)."""
    if len(block.content) == len(walked.data):
        return walked.data
    name = _NAMES.get(block.kind)
    where = f"{name} ({block.where})" if name else block.where
    try:
        return block.read(lambda what: walked.problem(f"{where} {what}"))
    except ValueError as error:
        walked.problem(f"{where} {error}")
        return None


def _file(content: bytes | memoryview, block: Block, into: Metadata, walked: Walk) -> None:
    """Put a block that was read where it belongs, by its kind and by marks in front of it."""
    head = bytes(content[: len(XMP_MARK)])
    if block.kind == "text":
        into.texts.append(Text(block.key[:100], _text(bytes(content)), block.where[:140]))
    elif head.startswith(MARK) and block.kind in ("iptc", "photoshop"):
        resources(memoryview(content), walked)
    elif block.kind in ("iptc", "photoshop"):
        into.iptc.append(bytes(content))
    elif head.startswith(b"Exif\0\0"):
        into.exif.append(content[6:])
    elif block.kind == "exif":
        into.exif.append(content)
    else:
        packet = bytes(content).removeprefix(XMP_MARK)
        into.xmp.append(packet[max(0, packet.find(b"<")) :] if block.profile else packet)


def _text(value: bytes) -> str:
    """UTF-8, which generators write even where the standard says Latin-1; else Latin-1."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")
