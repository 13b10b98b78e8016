"""Where results go: JSON lines, CSV, Parquet; the HTML page is `authentiscan.scan.batch_page`.

A sink is written to in input order and ended once. A file is whole or what it was before, whatever
ends the scan; only JSON lines grow in their place, since a scan goes on from them.
"""

from __future__ import annotations

import csv
import json
import tempfile
from collections import defaultdict, deque
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol, TextIO

from authentiscan.analysis import Report
from authentiscan.core.csv_cells import defused
from authentiscan.core.errors import UsageError
from authentiscan.core.files import cannot_write, check_file, whole_file, whole_path
from authentiscan.core.interrupts import uninterrupted
from authentiscan.core.types import JsonObject
from authentiscan.scan.engine import Scanned
from authentiscan.scan.rows import (
    CSV_COLUMNS,
    LISTS,
    flat,
    parquet_row,
    parquet_schema,
    parquet_table,
)

if TYPE_CHECKING:
    pass


class Sink(Protocol):
    """Takes results one at a time; ends with `close` or, to be as if it never was, `discard`."""

    def write(self, result: Scanned) -> None:
        """Take one result."""

    def close(self) -> None:
        """Finish; also called when a scan is interrupted."""

    def discard(self) -> None:
        """Leave what was there before, as far as that is possible."""


class Sinks:
    """Several sinks as one; a context that ends them all, whatever happens to any of them.

    One that failed, and all of a scan that failed before its first result, are discarded.
    """

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self._sinks = sinks
        self._failed: list[Sink] = []
        self._written = False

    def __enter__(self) -> Sinks:
        return self

    def __exit__(self, _: object, error: BaseException | None, trace: object) -> None:
        first: Exception | None = None
        for sink in self._sinks:
            try:
                if sink in self._failed or (error is not None and not self._written):
                    sink.discard()
                else:
                    sink.close()
            except Exception as problem:
                first = first or problem
        if first is not None and error is None:
            raise first

    def write(self, result: Scanned) -> None:
        """Give one result to all; a signal waits until all have it, so that files agree."""
        with uninterrupted():
            self._written = True
            for sink in self._sinks:
                try:
                    sink.write(result)
                except Exception:
                    self._failed.append(sink)
                    raise


class JsonLines:
    """One report a line on a stream of others, flushed at once."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, result: Scanned) -> None:
        """Write one line."""
        self._stream.write(result.report.json_line() + "\n")
        self._stream.flush()

    def close(self) -> None:
        """Flush; the stream stays open."""
        self._stream.flush()

    def discard(self) -> None:
        """Nothing can be taken back."""


class Journal:
    """JSON lines in a file, written in their place, so that a scan killed at any moment leaves what
    `authentiscan.scan.resume` can go on with. An older file stays until the first result.

    again: names whose rows are made anew. These take the old rows' places when the sink is closed,
    all in one step: a scan that is killed before leaves the old ones, to be tried again.
    """

    def __init__(self, path: Path, *, append: bool, again: Container[str] = ()) -> None:
        check_file(path)
        self._path = path
        self._append = append
        self._lines: JsonLines | None = None
        self._stack = ExitStack()
        self._again = again
        self._spool: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - the stack closes it
        self._stack.enter_context(self._spool)
        self._anew: dict[str, deque[tuple[int, int]]] = defaultdict(deque)  # places in it

    def write(self, result: Scanned) -> None:
        """Write one line."""
        with _writing(self._path):
            if result.report.path in self._again:
                line = _encoded(result.report)
                self._anew[result.report.path].append((self._spool.tell(), len(line)))
                self._spool.write(line)
            else:
                self._opened().write(result)

    def close(self) -> None:
        """Close the file; it is empty where there was no result."""
        with _writing(self._path):
            self._opened().close()
            if self._anew:
                self._replace()
            self._stack.close()

    def _replace(self) -> None:
        """Put new rows in the places of the old ones of their names; what is over, at the end."""
        with self._path.open("rb") as old, whole_file(self._path) as new:
            for line in old:
                waiting = self._anew.get(json.loads(line)["path"]) if line.strip() else None
                new.write(self._spooled(*waiting.popleft()) if waiting else line)
            over = [place for places in self._anew.values() for place in places]
            new.writelines(self._spooled(*place) for place in sorted(over))

    def _spooled(self, start: int, size: int) -> bytes:
        self._spool.seek(start)
        return self._spool.read(size)

    def discard(self) -> None:
        """Leave what is there."""
        with suppress(OSError):
            self._stack.close()

    def _opened(self) -> JsonLines:
        if self._lines is None:
            if not self._append:
                self._path.write_bytes(b"")
            stream = self._path.open("a", encoding="utf-8", errors="backslashreplace", newline="")
            self._lines = JsonLines(self._stack.enter_context(stream))
        return self._lines


def _encoded(report: Report) -> bytes:
    return (report.json_line() + "\n").encode(errors="backslashreplace")


class Csv:
    """A table with one row a report; a cell is empty where the report has nothing.

    Text that a spreadsheet would run as a formula is `defused`.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._writer = csv.DictWriter(stream, CSV_COLUMNS, lineterminator="\n")
        self._writer.writeheader()

    def write(self, result: Scanned) -> None:
        """Write one row."""
        row = flat(result.report)
        row |= {name: ";".join(map(str, row[name] or ())) for name in LISTS}
        self._writer.writerow({name: defused(value) for name, value in row.items()})
        self._stream.flush()

    def close(self) -> None:
        """Flush; the stream stays open."""
        self._stream.flush()

    def discard(self) -> None:
        """Nothing can be taken back."""


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """What the system says of a write, with the name of the file."""
    try:
        yield
    except OSError as error:
        raise cannot_write(path, error) from error


class _Whole:
    """A file that takes its place in one step, on closing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stack = ExitStack()
        self._partial = self._stack.enter_context(whole_path(path))

    def close(self) -> None:
        """Put the file in its place."""
        self._stack.close()

    def discard(self) -> None:
        """Leave what is there."""
        unfinished = _UnfinishedError()
        self._stack.__exit__(type(unfinished), unfinished, None)


class _UnfinishedError(Exception):
    """Tells a context that its file is not to be kept."""


class CsvFile(_Whole):
    """A `Csv` in a file."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        stream = self._partial.open("w", encoding="utf-8", errors="backslashreplace", newline="")
        self._csv = Csv(self._stack.enter_context(stream))

    def write(self, result: Scanned) -> None:
        """Write one row."""
        with _writing(self._path):
            self._csv.write(result)


class Parquet(_Whole):
    """A Parquet table (zstd): the columns of the CSV, and in ``report`` the whole report as JSON.

    What was left out of the scan stands in the table's metadata as ``authentiscan.left_out``.
    Raises MissingExtraError without pyarrow (the ``data`` extra).
    """

    _ROWS = 1000

    def __init__(self, path: Path, left_out: Mapping[str, int]) -> None:
        schema = parquet_schema()
        import pyarrow.parquet as pq

        super().__init__(path)
        self._left_out = left_out
        self._schema = schema
        self._writer = self._stack.enter_context(
            pq.ParquetWriter(self._partial, self._schema, compression="zstd")
        )
        self._rows: list[JsonObject] = []

    def write(self, result: Scanned) -> None:
        """Keep one row; a thousand are written together."""
        self._rows.append(parquet_row(result.report))
        if len(self._rows) >= self._ROWS:
            with _writing(self._path):
                self._flush()

    def close(self) -> None:
        """Write the rest and put the file in its place."""
        metadata = {"authentiscan.left_out": json.dumps(self._left_out)}
        with _writing(self._path):
            self._flush()
            self._writer.add_key_value_metadata(metadata)
            super().close()

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(parquet_table(self._rows))
            self._rows = []


def open_sink(
    path: Path,
    *,
    append: bool = False,
    again: Container[str] = (),
    left_out: Mapping[str, int] | None = None,
) -> Sink:
    """A sink for a file, by its extension: .jsonl, .ndjson, .json, .csv, .html, .htm or .parquet;
    .png for the timelines of videos.

    append: add to a JSON lines file instead of replacing it; the others are always written anew,
    and are whole or what they were before. again: names whose rows replace those that a JSON lines
    file has. left_out: counts that a page and a Parquet table tell, read when they are closed.

    Raises UsageError for other extensions, OutputError for places that cannot be written.
    """
    suffix = path.suffix.lower()
    left = {} if left_out is None else left_out
    if suffix in JSON_SUFFIXES:
        return Journal(path, append=append, again=again)
    if suffix == ".csv":
        return CsvFile(path)
    if suffix == ".parquet":
        return Parquet(path, left)
    if suffix in HTML_SUFFIXES:
        from authentiscan.scan.batch_page import BatchPage

        return BatchPage(path, left)
    if suffix == PICTURE_SUFFIX:
        from authentiscan.scan.timelines import Timelines

        return Timelines(path)
    raise UsageError(
        f"cannot tell what to write to {path.name!r}; end it in .jsonl, .csv, .html or .parquet, "
        "or in .png for the timelines of videos"
    )


JSON_SUFFIXES = frozenset({".jsonl", ".ndjson", ".json"})
HTML_SUFFIXES = frozenset({".html", ".htm"})
PICTURE_SUFFIX = ".png"
