"""Lists of paths, as files and as streams, in the ways that systems write them.

One path a line (LF or CR LF), or separated by NUL as ``find -print0`` does; in the encoding of the
file system, with a byte order mark or without, or in UTF-16 as Windows shells write. A line that
begins with ``#`` is a comment where no file is called so.
"""

from __future__ import annotations

import codecs
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from authentiscan.core.errors import UnreadableFileError
from authentiscan.images.endings import IMAGE_ENDINGS, VIDEO_ENDINGS, ending
from authentiscan.scan import kinds

MAX_ENTRY = 32_768  # characters; the longest path of any system
_CHUNK = 65_536
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|data:[\w.+-]+/|www\.\w+\.\w", re.ASCII)
_PLACE = re.compile(r"[/\\~]|\.{1,2}[/\\]|[A-Za-z]:[/\\]")


class Readable(Protocol):
    """A stream of bytes whose ``read`` gives what there is, without waiting for all of it."""

    def read(self, size: int, /) -> bytes:
        """Up to ``size`` bytes, none at the end."""
        ...


def standard_input() -> Readable:
    """Standard input without a buffer: a line is there as soon as it is written."""
    if sys.stdin is None:
        raise UnreadableFileError("standard input is closed")
    return open(sys.stdin.fileno(), "rb", buffering=0, closefd=False)


def entries(stream: Readable) -> Iterator[str]:
    """The entries of a list, each as soon as its end has come; empty ones left out.

    Raises UnreadableFileError where the stream is an image or another file that is no text.
    """
    head = _head(stream)
    _check_text(head)
    mark, encoding = _encoding(head)
    errors = "replace" if encoding.startswith("utf-16") else "surrogateescape"
    decoder = codecs.getincrementaldecoder(encoding)(errors)
    waiting, separator = "", ""
    chunk = head[len(mark) :]
    while head:
        waiting += decoder.decode(chunk, final=not head)
        if not separator:
            separator = "\0" if "\0" in waiting else "\n" if "\n" in waiting else ""
        if separator:
            *whole, waiting = waiting.split(separator)
            yield from filter(None, map(_trimmed, whole))
        if len(waiting) > MAX_ENTRY:
            raise UnreadableFileError(
                f"a line of more than {MAX_ENTRY:,} characters: this is no list of paths"
            )
        head = chunk = stream.read(_CHUNK)
    last = waiting + decoder.decode(b"", final=True)
    # Old Macs end a line with CR alone.
    yield from filter(None, map(_trimmed, last.split("\r") if not separator else [last]))


def is_address(text: str) -> bool:
    """Whether the text is the address of something in a network, or data in an address."""
    return _ADDRESS.match(text) is not None


def like_path(text: str) -> bool:
    """Whether the text is meant as a path; a line of prose is not."""
    words = text.split()
    named = ending(text) in IMAGE_ENDINGS | VIDEO_ENDINGS or kinds.named_archive(text)
    if named or is_address(text):
        return True
    return bool(_PLACE.match(text)) or (len(words) == 1 and ("/" in text or "\\" in text))


def place_of(entry: str, root: Path | None) -> str:
    """The path that an entry means: as it stands, or trimmed where only that is there."""
    tried = (entry, entry.strip(), entry.strip().strip("\"'"), entry.strip().replace("\\", "/"))
    places = [text if root is None else os.fspath(root / text) for text in dict.fromkeys(tried)]
    return next((place for place in places if os.path.lexists(place)), places[0])


def _head(stream: Readable) -> bytes:
    """The first bytes: enough of them to see a byte order mark, if there is one."""
    head = stream.read(_CHUNK)
    while head and len(head) < 4 and any(mark.startswith(head[:2]) for mark, _ in _MARKS):
        more = stream.read(_CHUNK)
        if not more:
            break
        head += more
    return head


def _check_text(head: bytes) -> None:
    if kinds.is_image(head, "") or kinds.is_archive(head):
        raise UnreadableFileError(
            f"{kinds.describe(head)}, where a list of paths was expected: name the file itself"
        )


def _encoding(head: bytes) -> tuple[bytes, str]:
    """The byte order mark and the encoding."""
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return mark, encoding
    sample = head[: min(len(head), 4096) // 2 * 2]
    even, odd = sample[::2], sample[1::2]
    if _pairs(even, odd):
        return b"", "utf-16-le"
    if _pairs(odd, even):
        return b"", "utf-16-be"
    return b"", sys.getfilesystemencoding()


def _pairs(low: bytes, high: bytes) -> bool:
    """Whether these are the halves of UTF-16: Latin text alone, or text of any script in lines.

    In a list that NUL separates no end of a line stands before a NUL, and NULs are rare.
    """
    latin = len(low) >= 4 and not any(high[:32]) and all(low[:32])
    line_ends = any(pair == (10, 0) for pair in zip(low, high, strict=True))
    return latin or (line_ends and 5 * high.count(0) >= len(high) and low.count(0) < high.count(0))


def _trimmed(entry: str) -> str:
    """Without the line's end and marks in front of it; empty where nothing is left."""
    entry = entry.removesuffix("\r").removeprefix("\ufeff")
    return entry if entry.strip() else ""
