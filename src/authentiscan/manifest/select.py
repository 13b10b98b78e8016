"""Part of a manifest: by the values of its columns, or a sample."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from authentiscan.core.errors import UsageError
from authentiscan.manifest.split import exact_counts, name_hash
from authentiscan.manifest.table import Manifest


def parse_wheres(texts: Iterable[str]) -> dict[str, list[str]]:
    """Read ``COLUMN=VALUE`` and ``COLUMN!=VALUE`` rules: column -> the values any of which will do,
    and ``column!`` -> those none of which will.

    Raises UsageError for anything else.
    """
    found: dict[str, list[str]] = {}
    for text in texts:
        column, equals, value = text.partition("=")
        if not (column.rstrip("!") and equals and value):
            raise UsageError(f"--where {text!r}: expected COLUMN=VALUE, such as generator=flux")
        found.setdefault(column.strip(), []).append(value.strip())
    return found


def select(manifest: Manifest, wheres: dict[str, list[str]]) -> Manifest:
    """The rows in which every column named holds one of its values (of ``column!``: none of them),
    compared as text.

    Raises UsageError for a column that is not there, a value that no row has (a slip of the pen
    must not silently shrink a data set), and where no row is left.
    """
    keep = np.ones(len(manifest), dtype=bool)
    for key, wanted in wheres.items():
        column = key.removesuffix("!")
        if column not in manifest.table.column_names:
            there = ", ".join(sorted(manifest.table.column_names))
            raise UsageError(f"--where {column}=...: there is no such column; there are: {there}")
        values = np.asarray([str(v) for v in manifest.column(column)])
        known = set(values.tolist())
        absent = [value for value in wanted if value not in known]
        if absent:
            shown = sorted(known)[:20]
            more = f" and {len(known) - len(shown)} more" if len(known) > len(shown) else ""
            raise UsageError(
                f"--where {column}={absent[0]} matches no image; {column} is one of: "
                f"{', '.join(shown)}{more}"
            )
        keep &= np.isin(values, wanted, invert=key != column)
    if not keep.any():
        raise UsageError(f"no image matches all of --where {wheres}")
    return manifest.take(np.flatnonzero(keep))


def spread(manifest: Manifest, count: int) -> Manifest:
    """``count`` rows evenly over the manifest."""
    return manifest.take(np.unique(np.linspace(0, len(manifest) - 1, count).round().astype(int)))


def sample(manifest: Manifest, count: int, *, seed: int = 0) -> Manifest:
    """``count`` rows, each split, data set, label and generator in its own proportion.

    A row's turn depends on the seed and its group's name alone: groups come whole as far as the
    count allows, whatever the order of the rows. All rows where there are no more than ``count``.
    """
    if count >= len(manifest):
        return manifest
    turns = np.asarray([name_hash(f"{seed}:{group}") for group in manifest.column("group")])
    columns = [manifest.column(name) for name in ("split", "dataset", "label", "generator")]
    strata: dict[tuple[object, ...], list[int]] = {}
    for row, stratum in enumerate(zip(*columns, strict=True)):
        strata.setdefault(stratum, []).append(row)
    sizes = exact_counts([len(rows) for rows in strata.values()], count)
    chosen = [
        row
        for rows, size in zip(strata.values(), sizes, strict=True)
        for row in sorted(rows, key=lambda r: (turns[r], r))[:size]
    ]
    return manifest.take(np.sort(np.asarray(chosen, dtype=np.int64)))
