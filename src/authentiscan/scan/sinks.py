"""Where results go: JSON lines, CSV, Parquet; the HTML page is `authentiscan.scan.page`.

A sink is written to in input order and closed once. Files that are only complete at the end
(Parquet, HTML) are written beside their place and moved there on closing.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, TextIO

from authentiscan.analysis import Report
from authentiscan.core.csv_cells import defused
from authentiscan.core.errors import MissingExtraError, UsageError
from authentiscan.scan.engine import Scanned

CSV_COLUMNS = (
    "path",
    "verdict",
    "score",
    "threshold",
    "fpr",
    "spread",
    "crops",
    "warnings",
    "reason",
    "format",
    "width",
    "height",
    "sha256",
    "decode_ms",
    "model_ms",
    "total_ms",
    "error",
)


class Sink(Protocol):
    """Takes results one at a time."""

    def write(self, result: Scanned) -> None:
        """Take one result."""

    def close(self) -> None:
        """Finish; also called when a scan is interrupted."""


class Sinks:
    """Several sinks as one; a context that closes them all, whatever happens to any of them."""

    def __init__(self, sinks: list[Sink]) -> None:
        self._sinks = sinks

    def __enter__(self) -> Sinks:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        first: Exception | None = None
        for sink in self._sinks:
            try:
                sink.close()
            except Exception as problem:
                first = first or problem
        if first is not None and error is None:
            raise first

    def write(self, result: Scanned) -> None:
        """Give one result to all."""
        for sink in self._sinks:
            sink.write(result)


class JsonLines:
    """One report a line, flushed at once, so that an interrupted scan leaves whole lines."""

    def __init__(self, stream: TextIO, *, close: bool) -> None:
        self._stream = stream
        self._close = close

    def write(self, result: Scanned) -> None:
        """Write one line."""
        self._stream.write(result.report.json_line() + "\n")
        self._stream.flush()

    def close(self) -> None:
        """Flush, and close a stream of its own."""
        self._stream.flush()
        if self._close:
            self._stream.close()


class Csv:
    """A table with one row a report; a cell is empty where the report has nothing.

    Text that a spreadsheet would run as a formula is `defused`.
    """

    def __init__(self, stream: TextIO, *, close: bool) -> None:
        self._stream = stream
        self._close = close
        self._writer = csv.DictWriter(stream, CSV_COLUMNS, lineterminator="\n")
        self._writer.writeheader()

    def write(self, result: Scanned) -> None:
        """Write one row."""
        row = flat(result.report)
        row["warnings"] = ";".join(row["warnings"])
        self._writer.writerow({name: defused(value) for name, value in row.items()})
        self._stream.flush()

    def close(self) -> None:
        """Flush, and close a stream of its own."""
        self._stream.flush()
        if self._close:
            self._stream.close()


class Parquet:
    """A Parquet table (zstd): the columns of the CSV, and in ``report`` the whole report as JSON.

    Raises MissingExtraError without pyarrow (the ``data`` extra).
    """

    _ROWS = 1000

    def __init__(self, path: Path) -> None:
        try:
            import pyarrow as pa
            import pyarrow.parquet as pq
        except ImportError as error:
            raise MissingExtraError("writing Parquet", "data") from error
        numbers = {"crops", "width", "height"}
        floats = {"score", "threshold", "fpr", "spread", "decode_ms", "model_ms", "total_ms"}
        kinds = {
            name: pa.int32() if name in numbers else pa.float64() if name in floats else pa.string()
            for name in CSV_COLUMNS
        }
        kinds |= {"warnings": pa.list_(pa.string()), "report": pa.string()}
        self._schema = pa.schema(list(kinds.items()))
        self._table: Callable[..., Any] = pa.Table.from_pylist
        self._path = path
        self._partial = path.with_name(path.name + ".partial")
        self._writer = pq.ParquetWriter(self._partial, self._schema, compression="zstd")
        self._rows: list[dict[str, Any]] = []

    def write(self, result: Scanned) -> None:
        """Keep one row; a thousand are written together."""
        self._rows.append(flat(result.report) | {"report": result.report.json_line()})
        if len(self._rows) >= self._ROWS:
            self._flush()

    def close(self) -> None:
        """Write the rest and move the file to its place."""
        self._flush()
        self._writer.close()
        self._partial.replace(self._path)

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(self._table(self._rows, schema=self._schema))
            self._rows = []


def flat(report: Report) -> dict[str, Any]:
    """The report as a row of `CSV_COLUMNS`; ``crops`` is their number, ``warnings`` their codes."""
    image = report.image
    return {
        "path": report.path,
        "verdict": report.verdict.value if report.verdict else None,
        "score": report.score,
        "threshold": report.threshold,
        "fpr": report.fpr,
        "spread": report.spread if report.error is None else None,
        "crops": len(report.crops),
        "warnings": [warning.code for warning in report.warnings],
        "reason": report.reason,
        "format": image.format if image else None,
        "width": image.width if image else None,
        "height": image.height if image else None,
        "sha256": image.sha256 if image else None,
        **{name: report.timings.get(name) for name in ("decode_ms", "model_ms", "total_ms")},
        "error": report.error,
    }


def open_sink(path: Path, *, append: bool = False) -> Sink:
    """A sink for a file, by its extension: .jsonl, .ndjson, .json, .csv, .html, .htm or .parquet.

    append: add to a JSON lines file instead of replacing it; the others are always written anew.
    Raises UsageError for other extensions and places that cannot be written.
    """
    suffix = path.suffix.lower()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if suffix in JSON_SUFFIXES:
            stream = path.open("a" if append else "w", encoding="utf-8", newline="")
            return JsonLines(stream, close=True)
        if suffix == ".csv":
            return Csv(path.open("w", encoding="utf-8", newline=""), close=True)
        if suffix == ".parquet":
            return Parquet(path)
        if suffix in HTML_SUFFIXES:
            from authentiscan.scan.page import Page

            return Page(path)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from error
    raise UsageError(
        f"cannot tell what to write to {path.name!r}; end it in .jsonl, .csv, .html or .parquet"
    )


JSON_SUFFIXES = frozenset({".jsonl", ".ndjson", ".json"})
HTML_SUFFIXES = frozenset({".html", ".htm"})
