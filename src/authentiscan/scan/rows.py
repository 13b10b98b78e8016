"""A report as one row of a table: the columns of CSV and Parquet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from authentiscan.analysis import Report
from authentiscan.core.errors import MissingExtraError
from authentiscan.core.types import JsonObject

if TYPE_CHECKING:
    import pyarrow as pa

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
    "frame_seconds",
    "frame_scores",
    "generator",
)
LISTS = ("warnings", "frame_seconds", "frame_scores")


def parquet_schema() -> pa.Schema:
    """The columns of a Parquet table of results. Raises MissingExtraError without pyarrow."""
    try:
        import pyarrow as pa
    except ImportError as error:
        raise MissingExtraError("writing Parquet", "data") from error
    numbers = {"crops", "width", "height"}
    floats = {"score", "threshold", "fpr", "spread", "decode_ms", "model_ms", "total_ms"}
    kinds = {
        name: pa.int32() if name in numbers else pa.float64() if name in floats else pa.string()
        for name in CSV_COLUMNS
    }
    kinds |= {name: pa.list_(pa.float64()) for name in LISTS}
    kinds |= {"warnings": pa.list_(pa.string()), "report": pa.string()}
    return pa.schema(list(kinds.items()))


def parquet_row(report: Report) -> JsonObject:
    """The report as a row of `parquet_schema`."""
    return flat(report) | {"report": report.json_line()}


def parquet_table(rows: Sequence[JsonObject]) -> pa.Table:
    """Rows as `parquet_row` makes them, as a table."""
    import pyarrow as pa

    return pa.Table.from_pylist(rows, schema=parquet_schema())


def flat(report: Report) -> JsonObject:
    """The report as a row of `CSV_COLUMNS`; ``crops`` is their number, ``warnings`` their codes.

    Of a video or an animation ``frame_seconds`` and ``frame_scores`` are lists of one length.
    """
    image, clip = report.image, report.clip
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
        "frame_seconds": [frame.seconds for frame in clip.frames] if clip else None,
        "frame_scores": [round(frame.score, 6) for frame in clip.frames] if clip else None,
        "generator": report.attribution.generator if report.attribution else None,
    }
