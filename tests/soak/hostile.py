"""Small files of every kind that comes in, and the ways to damage them; the same in every run."""

from __future__ import annotations

import copy
import gzip
import io
import json
import re
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st
from PIL import Image

from authentiscan.core.errors import AuthentiscanError

Edit = tuple[int, int, bytes]
"""Where, how many bytes go, and what comes in their place."""

PIECES = (
    b"", b"\0", b"\xff" * 4, b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\0" * 64, b"\n", b",", b'"',
    b"-1", b"1e999", b"NaN", b"null", b"{}", b"[" * 3000, b"\xef\xbb\xbf", b"\xff\xfe",
    b"\xed\xa0\x80", b"\\ud800", b"\x1b[31m", b"../../etc/passwd", b"&a [*a]", b": ", b"!!x ",
    b"99999999999999999999", b"https://example.org/a.jpg",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 2**70, 1e308, "", "x", "\0", "\x1b[31m", "../..", "NaN", "9" * 400, [], {},
    [[]], {"": None}, ["x"] * 50, {"kind": {}}, "\ud800",
)  # fmt: skip

# An address, a class or a traceback tells the reader of a message nothing. Names of files such as
# `detector.json` and words such as `error` do.
_INNARDS = re.compile(
    r"\b0x[0-9a-f]{6,}| object at |Traceback|<class|<[\w.]+ object|NoneType|"
    r"\b[A-Z][A-Za-z]+(?:Error|Exception|Warning)\b|unexpected error|instance of [A-Z]|"
    r"validation errors? for "
)
_SECONDS = 5.0  # of processor time for one small file; most take some milliseconds


@dataclass(frozen=True)
class Seed:
    """A whole file. packed: makes the file of its content, where that is compressed."""

    name: str
    content: bytes
    packed: Callable[[bytes], bytes] = bytes

    def damaged(self, edits: list[Edit]) -> bytes:
        """The file after ``edits``; half of the places lie in the first bytes."""
        content = bytearray(self.content)
        for number, (place, count, piece) in enumerate(edits):
            reach = len(content) if number % 2 else min(len(content), 200)
            at = place % (reach + 1)
            content[at : at + count] = piece
        return self.packed(bytes(content))


def _repeatable(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


def picture(kind: str = "JPEG", seed: int = 1, **options: Any) -> bytes:
    """A picture of 35 by 36 pixels."""
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 7, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels.repeat(6, 0).repeat(5, 1)).save(buffer, kind, **options)
    return buffer.getvalue()


def images() -> list[Seed]:
    """A file of every format, with metadata where Pillow writes it."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010E], exif[0x0131] = 6, "words" * 10, "Midjourney"
    xmp = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-"
    xmp += b"rdf-syntax-ns#'><rdf:Description Credit='made'/></rdf:RDF></x:xmpmeta>"
    both = {"exif": exif.tobytes(), "xmp": xmp}
    svg = b"<svg xmlns='http://www.w3.org/2000/svg'>" + xmp + b"</svg>"
    return [
        Seed("a.jpg", picture(**both)),
        Seed("b.png", picture("PNG", exif=exif.tobytes(), icc_profile=b"p" * 200)),
        Seed("c.webp", picture("WEBP", lossless=True, **both)),
        Seed("d.tiff", picture("TIFF", compression="tiff_lzw", tiffinfo={270: "w" * 40, 700: xmp})),
        Seed("e.gif", picture("GIF", comment=b"words")),
        Seed("f.bmp", picture("BMP")),
        Seed("g.avif", picture("AVIF", speed=10, **both)),
        Seed("h.svg", svg),
        Seed("i", picture("PNG")),
    ]


def archives() -> list[Seed]:
    """Zips and tars with pictures, texts and folders in them."""
    members = {"a.jpg": picture(), "real/b.png": picture("PNG", 2), "fake/c.jpg": picture(seed=3),
               "notes.txt": b"words", "d": picture("GIF")}  # fmt: skip
    zips = io.BytesIO()
    tar = io.BytesIO()
    with zipfile.ZipFile(zips, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    with tarfile.open(fileobj=tar, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.pax_headers = len(content), {"comment": "words"}
            archive.addfile(entry, io.BytesIO(content))
    return [
        Seed("x.zip", zips.getvalue()),
        Seed("x.tar", tar.getvalue()),
        Seed("x.tar.gz", tar.getvalue(), _repeatable),
        Seed("y.tar.gz", _repeatable(tar.getvalue())),
    ]


def lists() -> list[Seed]:
    """Lists of paths in several encodings."""
    text = "# pictures\ngood.jpg\n./good.jpg\nabsent.png\nhttps://example.org/a.jpg\nprose here\n"
    return [
        Seed("l.txt", text.encode()),
        Seed("m.txt", text.encode("utf-16")),
        Seed("n.lst", text.replace("\n", "\0").encode()),
    ]


def tables() -> list[Seed]:
    """Tables with pictures, or with paths of pictures, and labels."""
    rows = {"image": [{"bytes": picture(seed=n), "path": f"{n}.jpg"} for n in range(4)]}
    buffer = io.BytesIO()
    pq.write_table(pa.table(rows | {"label": ["real", "fake"] * 2}), buffer)
    csv = "path,label,split,generator\ngood.jpg,real,train,\ngood.jpg,fake,test,flux\n"
    return [
        Seed("t.parquet", buffer.getvalue()),
        Seed("t.csv", csv.encode()),
        Seed("u.csv", csv.encode("utf-16")),
    ]


def some_edits(random: Random) -> list[Edit]:
    """From one to six edits, as `edits` draws them."""
    return [
        (
            random.randrange(2**16),
            random.choice((0, 0, 1, 1, 4, 60, 2**16)),
            random.choice((*PIECES, random.randbytes(1), random.randbytes(8))),
        )
        for _ in range(random.randint(1, 6))
    ]


edits = st.lists(
    st.tuples(
        st.integers(0, 2**16),
        st.sampled_from((0, 1, 4, 60, 2**16)),
        st.one_of(st.sampled_from(PIECES), st.binary(max_size=8)),
    ),
    min_size=1,
    max_size=6,
)


Place = tuple[str | int, ...]


def places(values: Any, at: Place = ()) -> Iterator[Place]:
    """Every place of nested mappings and lists, the outermost first."""
    if at:
        yield at
    inner = values.items() if isinstance(values, dict) else ()
    inner = enumerate(values) if isinstance(values, list) else inner
    for key, value in inner:
        yield from places(value, (*at, key))


def with_value(values: Any, place: Place, value: Any) -> Any:
    """A copy with another value at ``place``."""
    changed = copy.deepcopy(values)
    inner = changed
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    return changed


def some_changed(values: Any, random: Random, times: int) -> Iterator[str]:
    """JSON texts of ``values`` with a few hostile values in it."""
    for _ in range(times):
        changed = values
        for _ in range(random.choice((1, 1, 2))):
            changed = with_value(
                changed, random.choice(list(places(changed))), random.choice(VALUES)
            )
        yield json.dumps(changed)


def answer(door: Callable[[], str], where: Path) -> str:
    """What ``door`` says: what it gives, or the message of an error made on purpose.

    Fails where another exception comes out, where it takes long, and where words are not fit for
    people. ``where``: a folder whose name is left out of the comparison.
    """
    started = time.process_time()
    try:
        said = door()
    except AuthentiscanError as error:
        said = str(error)
        assert said
    assert time.process_time() - started < _SECONDS
    said = said.replace(str(where), "")
    for line in said.splitlines():
        assert not _INNARDS.search(line), line
    return said


class Memory:
    """The most memory that this process had since the last look, where the system tells it."""

    _CLEAR, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")

    def __init__(self) -> None:
        try:
            self._CLEAR.write_text("5")
        except OSError:
            self._start = None
        else:
            self._start = self._kilobytes("VmRSS")

    def grown(self) -> float:
        """Megabytes above the start at the highest moment; 0 where that is not told."""
        return 0.0 if self._start is None else (self._kilobytes("VmHWM") - self._start) / 1024

    def _kilobytes(self, name: str) -> int:
        (line,) = re.findall(rf"{name}:\s+(\d+)", self._STATUS.read_text())
        return int(line)
