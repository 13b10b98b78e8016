"""A version of the data in which the facts of the files are the same for both classes.

Coarsened exact matching (Iacus, King, Porro, Political Analysis 2012): rows fall into cells of
format, size and JPEG setting; of every cell as many rows of each class are kept as the smaller has.
Where the classes share no cells because one is lossless and the other JPEG, the lossless rows are
first compressed with settings drawn from the other class's files, after which their bytes stand in
the manifest itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from authentiscan.checks.audit.features import COLUMN
from authentiscan.core.errors import DatasetError
from authentiscan.core.progress import Progress
from authentiscan.core.types import JsonObject
from authentiscan.images.decode import decode, encode
from authentiscan.images.degrade import image_rng
from authentiscan.manifest.table import Manifest

Matrix = NDArray[np.float32]
Cells = NDArray[np.int64]

LEVELS = ("bands", "exact")
_SETTINGS = ("jpeg_quality", "jpeg_444", "jpeg_422", "jpeg_420", "jpeg_own_tables")


@dataclass(frozen=True, slots=True)
class Plan:
    """Which rows to keep and which of them to compress, with (quality, subsampling) each."""

    rows: NDArray[np.int64]
    recompress: dict[int, tuple[int, str]]
    level: str


def plan(
    values: Matrix, labels: NDArray[np.int8], rows: NDArray[np.int64], *, level: str, seed: int = 0
) -> Plan:
    """A balanced choice among ``rows`` (n,) with facts ``values`` (n, features).

    level: ``bands`` pairs by format, size within a quarter octave, aspect and quality in steps of
    five; ``exact`` by the same width, height, quality and subsampling. Of keeping the files as
    they are and compressing the lossless ones, the way that keeps more rows is taken. Raises
    DatasetError where neither leaves any pair.
    """
    lent, drawn = _lent(values, labels, seed)
    ways: list[tuple[Matrix, dict[int, tuple[int, str]]]] = [(values, {}), (lent, drawn)]
    chosen = [_balanced(_cells(facts, level), labels, seed) for facts, _ in ways]
    best = int(len(chosen[1]) > 1.1 * len(chosen[0]))
    keep = chosen[best]
    if len(keep) == 0:
        raise DatasetError(
            "no matched version exists: no size and quality occurs in both classes "
            f"(matched by {level}); crop the larger class first, or train with augment.history"
        )
    kept = set(keep.tolist())
    settings = {int(rows[i]): v for i, v in ways[best][1].items() if i in kept}
    return Plan(rows[keep], settings, level)


def matched_manifest(
    manifest: Manifest, found: Plan, *, progress: Progress | None = None
) -> Manifest:
    """The rows of ``found``; those to be compressed carry their new bytes in `image`."""
    import pyarrow as pa

    chosen = manifest.take(found.rows)
    if not found.recompress:
        return chosen
    images: list[bytes | None] = []
    changed: dict[str, list[object]] = {n: chosen.column(n) for n in _STALE}
    for i, row in enumerate(found.rows.tolist()):
        setting = found.recompress.get(row)
        images.append(None if setting is None else _compressed(manifest, row, setting))
        if setting is not None:
            for name, value in _facts_of(images[-1] or b"").items():
                changed[name][i] = value
        if progress is not None:
            progress(i + 1, len(found.rows))
    table = chosen.table
    for name, column in changed.items():
        if name in table.column_names:
            kind = table.schema.field(name).type
            at = table.column_names.index(name)
            table = table.set_column(at, name, pa.array(column, type=kind))
    if "image" in table.column_names:
        kept = table["image"].to_pylist()
        images = [new or old for new, old in zip(images, kept, strict=True)]
        table = table.drop_columns(["image"])
    return Manifest(table.append_column("image", pa.array(images, pa.binary())), manifest.root)


_STALE = ("format", "bytes", "sha256", "jpeg_quality", "jpeg_subsampling", "stored")


def _facts_of(data: bytes) -> JsonObject:
    facts = decode(data).facts
    known = {name: getattr(facts, name) for name in _STALE[:-1]}
    return {**known, "stored": "recompressed"}


def _compressed(manifest: Manifest, row: int, setting: tuple[int, str]) -> bytes:
    pixels = decode(manifest.image_bytes(row)).pixels
    return encode(pixels, "JPEG", quality=setting[0], subsampling=setting[1])


def _lent(
    values: Matrix, labels: NDArray[np.int8], seed: int
) -> tuple[Matrix, dict[int, tuple[int, str]]]:
    """Facts after lossless images got JPEG settings of the other class, and these settings."""
    lent = values.copy()
    drawn: dict[int, tuple[int, str]] = {}
    quality = values[:, COLUMN["jpeg_quality"]]
    known = np.isfinite(quality) & (values[:, COLUMN["jpeg_own_tables"]] == 0)
    known &= values[:, [COLUMN["jpeg_444"], COLUMN["jpeg_422"], COLUMN["jpeg_420"]]].any(axis=1)
    lossless = values[:, COLUMN["format_jpeg"]] == 0
    area = values[:, COLUMN["width"]] * values[:, COLUMN["height"]]
    for label in (0, 1):
        lenders = np.flatnonzero(known & (labels != label))
        if len(lenders) == 0:
            continue
        order = lenders[np.argsort(area[lenders], kind="stable")]
        takers = np.flatnonzero(lossless & (labels == label))
        rng = image_rng(seed, "matching", label)
        places = np.searchsorted(area[order], area[takers])
        for taker, place in zip(takers.tolist(), places.tolist(), strict=True):
            # One of the files nearest in size: quality often goes with size.
            low = max(0, min(place, len(order) - 1) - 25)
            lender = int(order[low + int(rng.integers(min(50, len(order) - low)))])
            for name in _SETTINGS:
                lent[taker, COLUMN[name]] = values[lender, COLUMN[name]]
            for name in ("format_jpeg", "format_png", "format_webp"):
                lent[taker, COLUMN[name]] = name == "format_jpeg"
            drawn[taker] = (int(quality[lender]), _subsampling(values[lender]))
    return lent, drawn


def _subsampling(facts: NDArray[np.float32]) -> str:
    for name, text in (("jpeg_444", "4:4:4"), ("jpeg_422", "4:2:2")):
        if facts[COLUMN[name]]:
            return text
    return "4:2:0"


def _cells(values: Matrix, level: str) -> Cells:
    """(n,) number of the cell of each row."""
    size = values[:, [COLUMN["width"], COLUMN["height"]]].astype(np.float64)
    quality = np.nan_to_num(values[:, COLUMN["jpeg_quality"]], nan=-1)
    kinds = [COLUMN[n] for n in ("format_jpeg", "format_png", "format_webp", *_SETTINGS[1:])]
    if level == "bands":
        longest = np.round(4 * np.log2(np.maximum(size.max(axis=1), 1)))
        aspect = np.round(4 * np.log2(size[:, 0] / size[:, 1]))
        even = values[:, COLUMN["sides_multiple_of_64"]]
        parts = [longest, aspect, even, np.floor(quality / 5)]
    else:
        parts = [size[:, 0], size[:, 1], quality]
    key = np.stack([*parts, *(values[:, k] for k in kinds)], axis=1)
    _, cells = np.unique(key, axis=0, return_inverse=True)
    return cells.reshape(-1).astype(np.int64)


def _balanced(cells: Cells, labels: NDArray[np.int8], seed: int) -> NDArray[np.int64]:
    """Rows such that each cell has as many of either class, drawn without preference."""
    shuffled = np.random.default_rng(seed).permutation(len(cells))
    order = shuffled[np.lexsort((labels[shuffled], cells[shuffled]))]
    key = cells[order] * 2 + labels[order]
    starts = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]]))
    within = np.arange(len(order)) - np.repeat(starts, np.diff([*starts, len(order)]))
    count = np.bincount(key, minlength=2 * (int(cells.max()) + 1)).reshape(-1, 2)
    allowed = count.min(axis=1)[cells[order]]
    return np.sort(order[within < allowed])
