"""The score table: what a detector said of every image, and what was known of each."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from authentiscan.core.csv_cells import defused_row
from authentiscan.core.errors import MetricError, MissingExtraError
from authentiscan.core.files import whole_path, whole_text
from authentiscan.core.types import JsonObject
from authentiscan.manifest.table import Manifest
from authentiscan.metrics.calibration import Calibration, apply
from authentiscan.metrics.ranking import Floats

SIZE_EDGES = (64, 128, 256, 512, 1024, 2048)
QUALITY_EDGES = (60, 75, 85, 90, 95, 98)
_META = b"authentiscan_scores"
_TEXT = ("name", "generator", "dataset", "source", "group", "style", "split", "format", "sha256")
_NUMBER = ("width", "height", "jpeg_quality")


@dataclass(frozen=True, eq=False)
class ScoreTable:
    """One row per image, in the manifest's order; rows that failed have score NaN and an error.

    labels: 0 real, 1 generated. scores: calibrated P(generated) in [0, 1]. logits: the pooled,
    uncalibrated logits. columns: ``name``, ``generator``, ``dataset``, ``source``, ``group``,
    ``style``, ``split``, ``format``, ``sha256`` of the encoded image (text or None) and ``width``,
    ``height``, ``jpeg_quality`` (numbers or None; of the image as found, before any protocol).
    seconds: wall time of the run.
    """

    labels: NDArray[np.int64]
    scores: Floats
    logits: Floats
    columns: dict[str, list[Any]]
    errors: list[str | None]
    protocol: str = "raw"
    detector: str = ""
    manifest_sha256: str = ""
    seconds: float = 0.0
    meta: JsonObject = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def groups(self) -> list[object]:
        """Groups (N,), the units that intervals resample."""
        return self.columns["group"]

    @property
    def failed(self) -> int:
        """Number of rows without a score."""
        return int(np.isnan(self.scores).sum())

    def column(self, name: str) -> list[Any]:
        """A column, or one of the bands ``size_band`` and ``jpeg_band``."""
        if name == "size_band":
            pairs = zip(self.columns["width"], self.columns["height"], strict=True)
            return [None if not w or not h else size_band(min(w, h)) for w, h in pairs]
        if name == "jpeg_band":
            pairs = zip(self.columns["format"], self.columns["jpeg_quality"], strict=True)
            return [quality_band(f, q) for f, q in pairs]
        return self.columns.get(name, [None] * len(self))

    def take(self, rows: NDArray[np.bool_] | NDArray[np.integer] | Sequence[int]) -> ScoreTable:
        """The rows of a boolean mask (N,) or at given positions."""
        at = np.asarray(rows)
        at = np.flatnonzero(at) if at.dtype == bool else at
        return replace(
            self,
            labels=self.labels[at],
            scores=self.scores[at],
            logits=self.logits[at],
            columns={k: [v[i] for i in at] for k, v in self.columns.items()},
            errors=[self.errors[i] for i in at],
        )

    def scored(self) -> ScoreTable:
        """Only the rows that have a score. Raises MetricError where none has."""
        good = ~np.isnan(self.scores)
        if not good.any():
            first = next((e for e in self.errors if e), "the table is empty")
            raise MetricError(f"none of {len(self)} images was scored; the first error: {first}")
        return self if good.all() else self.take(good)

    def recalibrated(self, calibration: Calibration) -> ScoreTable:
        """The same logits under another calibration."""
        scores = np.where(np.isnan(self.logits), np.nan, apply(calibration, self.logits))
        return replace(self, scores=scores)

    def write(self, path: Path) -> None:
        """Save as Parquet, or as CSV where the name ends so; appears whole or not at all."""
        if path.suffix == ".csv":
            self._write_csv(path)
            return
        pa, pq = _pyarrow()
        table = pa.table(self._fields())
        about = {
            "protocol": self.protocol,
            "detector": self.detector,
            "manifest": self.manifest_sha256,
            "seconds": self.seconds,
            **self.meta,
        }
        table = table.replace_schema_metadata({_META: json.dumps(about)})
        with whole_path(path) as partial:
            pq.write_table(table, partial, compression="zstd")

    @classmethod
    def read(cls, path: Path) -> ScoreTable:
        """Read what `write` saved as Parquet. Raises MetricError for other files."""
        _, pq = _pyarrow()
        try:
            table = pq.read_table(path)
            about = json.loads((table.schema.metadata or {})[_META])
        except Exception as error:
            raise MetricError(f"{path} is no score table of this package: {error}") from error
        names = [c for c in table.column_names if c not in ("label", "score", "logit", "error")]
        about["protocol"] = about.pop("treatment", about.get("protocol"))  # its name once
        known = {k: about.pop(k) for k in ("protocol", "detector", "manifest", "seconds")}
        return cls(
            labels=table["label"].to_numpy().astype(np.int64),
            scores=np.asarray(table["score"].to_numpy(), dtype=np.float64),
            logits=np.asarray(table["logit"].to_numpy(), dtype=np.float64),
            columns={c: table[c].to_pylist() for c in names},
            errors=table["error"].to_pylist(),
            protocol=known["protocol"],
            detector=known["detector"],
            manifest_sha256=known["manifest"],
            seconds=known["seconds"],
            meta=about,
        )

    def _fields(self) -> dict[str, Sequence[object] | NDArray[np.generic]]:
        return {
            "label": self.labels,
            "score": self.scores,
            "logit": self.logits,
            **self.columns,
            "error": self.errors,
        }

    def _write_csv(self, path: Path) -> None:
        fields = self._fields()
        with whole_text(path) as file:
            writer = csv.writer(file)
            writer.writerow(fields)
            writer.writerows(defused_row(row) for row in zip(*fields.values(), strict=True))


def blank_columns(manifest: Manifest) -> dict[str, list[Any]]:
    """The columns of a `ScoreTable` as far as the manifest knows them."""
    columns = {name: manifest.column(name) for name in _TEXT + _NUMBER}
    if all(name is None for name in columns["name"]):
        paths, rows = manifest.column("path"), manifest.column("row")
        columns["name"] = [
            f"row {i}" if p is None else (p if r is None else f"{p}#{r}")
            for i, (p, r) in enumerate(zip(paths, rows, strict=True))
        ]
    return columns


def size_band(short_side: int) -> str:
    """The band of an image's shorter side in pixels: ``<64``, ``64-127``, ... ``>=2048``."""
    return _band(short_side, SIZE_EDGES)


def quality_band(format: str | None, quality: int | None) -> str:
    """The band of a JPEG's quality; other formats are their own band."""
    if format not in ("JPEG", "MPO"):
        return "not JPEG"
    return "non-standard tables" if quality is None else _band(quality, QUALITY_EDGES)


def _pyarrow() -> tuple[ModuleType, ModuleType]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingExtraError("reading and writing score tables", "data") from error
    return pa, pq


def _band(value: int, edges: tuple[int, ...]) -> str:
    if value < edges[0]:
        return f"<{edges[0]}"
    if value >= edges[-1]:
        return f">={edges[-1]}"
    k = int(np.searchsorted(edges, value, side="right"))
    return f"{edges[k - 1]}-{edges[k] - 1}"
