"""Which generator a manifest's rows are said to be by, and which of these labels are weak."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from authentiscan.core.errors import UsageError
from authentiscan.core.types import CAMERA, Label
from authentiscan.manifest.table import Manifest

_WEAK = re.compile(r"[()]|mixed|unspecified|unknown|unstated", re.IGNORECASE)


def is_weak(generator: str) -> bool:
    """Whether the name says that nobody knows it exactly: mixed, unspecified, or in parentheses."""
    return _WEAK.search(generator) is not None


def generator_names(
    data: Manifest,
    *,
    column: str = "generator",
    together: Mapping[str, Sequence[str]] | None = None,
) -> list[str]:
    """The generator of each row: `camera` for photographs, empty where none is named.

    together: new name -> names in ``column`` that it joins. Raises UsageError for a column that is
    not there.
    """
    if column not in data.table.column_names:
        there = ", ".join(sorted(data.table.column_names))
        raise UsageError(f"there is no column {column!r}; there are: {there}")
    renamed = {old: new for new, olds in (together or {}).items() for old in olds}
    found = []
    for label, value in zip(data.labels.tolist(), data.column(column), strict=True):
        name = CAMERA if label == Label.REAL else str(value or "")
        found.append(renamed.get(name, name))
    return found
