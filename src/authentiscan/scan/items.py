"""One image to scan, and the count of what is left out."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from authentiscan.core import buckets
from authentiscan.core.errors import UnreadableFileError
from authentiscan.images.decode import DEFAULT_LIMITS

LeftOut: TypeAlias = Counter[str]
"""How many files were left out, by reason: a noun with its article, such as ``a text file``."""

ARCHIVE = "an archive (name it to scan what it holds)"
TABLE = "a Parquet table (name it to scan what it holds)"
HOLDERS = frozenset({ARCHIVE, TABLE})
"""Reasons of files that may hold images of their own."""

_NAME_LIMIT = 4096  # longest path of the system; text given as a path may be of any length


@dataclass(frozen=True, slots=True)
class Item:
    """One image to scan: its name in the results, and where its bytes are.

    One of ``path``, ``content``, ``address`` and ``error`` is set. address: in an object store.
    row: the image's row, where ``path`` or ``address`` is a table or a zip that holds it. error:
    why there are no bytes. most: that are read of an object.
    """

    name: str
    path: Path | None = None
    content: bytes | None = None
    error: Exception | None = None
    address: str | None = None
    row: int | None = None
    most: int = DEFAULT_LIMITS.bytes

    @property
    def source(self) -> Path | bytes:
        """What to read; raises ``error`` where there is nothing to read, and what reading an
        object or a table's row raises.
        """
        if self.error is not None:
            raise self.error
        if self.row is not None:
            from authentiscan.manifest.stores import read_row

            return read_row(self.address or self.path or "", self.row)
        if self.address is not None:
            return buckets.read(self.address, self.most)
        return self.path or self.content or b""


def shown(path: str | os.PathLike[str]) -> str:
    """A path as text that any output can hold; bytes that are no UTF-8 become escapes."""
    text = os.fspath(path)
    if isinstance(text, str) and len(text) > _NAME_LIMIT:
        text = text[:_NAME_LIMIT] + "…"
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def file(path: str | os.PathLike[str]) -> Item:
    """The item of a file, whatever it is: reading it tells."""
    place = Path(path)
    # These never raise, whatever the name is.
    if os.path.islink(place) and not os.path.exists(place):  # noqa: PTH110, PTH114
        return unreadable(path, "a link to a file that does not exist")
    return Item(shown(path), path=place)


def unreadable(name: str | os.PathLike[str], why: str) -> Item:
    """A row that only says why there is nothing to read."""
    return Item(shown(name), error=UnreadableFileError(why))


def summary(left_out: Mapping[str, int]) -> str:
    """``left out 3: a text file 2, hidden 1``; empty where nothing was left out."""
    return f"left out {sum(left_out.values())}: {_counted(left_out)}" if left_out else ""


def not_read(left_out: Mapping[str, int]) -> str:
    """A warning of what may hold images and was left out; empty where there is none."""
    held = {reason: number for reason, number in left_out.items() if reason in HOLDERS}
    return f"not read, though images may be in there: {_counted(held)}" if held else ""


def _counted(left_out: Mapping[str, int]) -> str:
    by_number = sorted(left_out.items(), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(f"{reason} {number:,}" for reason, number in by_number)
