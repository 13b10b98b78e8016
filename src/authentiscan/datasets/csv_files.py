"""CSV files as people's programs write them: UTF-8, or UTF-16 with its mark; comma, ; or tab."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from authentiscan.core.errors import DatasetError

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_SEPARATORS = ",;\t"
_HEADER_LIMIT = 2**20


def header(path: Path) -> list[str]:
    """The names of the columns. Raises DatasetError where the file is no CSV."""
    with _opened(path) as rows:
        return list(rows.fieldnames or [])


def rows(path: Path, wanted: Collection[str]) -> Iterator[dict[str, str | None]]:
    """The rows, of each the ``wanted`` columns; empty cells are None. Raises DatasetError."""
    with _opened(path) as found:
        for row in found:
            yield {k: v or None for k, v in row.items() if k in wanted}


@contextmanager
def _opened(path: Path) -> Iterator[csv.DictReader[str]]:
    with path.open("rb") as file:
        encoding = "utf-16" if file.read(2) in _UTF16 else "utf-8-sig"
    try:
        with path.open(newline="", encoding=encoding) as stream:
            first = stream.readline(_HEADER_LIMIT)
            stream.seek(0)
            yield csv.DictReader(stream, delimiter=max(_SEPARATORS, key=first.count))
    except UnicodeError as error:
        raise DatasetError(
            f"{path} is no text in UTF-8 or UTF-16; save it as CSV in UTF-8"
        ) from error
    except csv.Error as error:
        raise DatasetError(f"{path} is no CSV: {error}") from error
