"""Which rows are held out of training, by rules such as ``generator=flux``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from authentiscan.core.errors import UsageError
from authentiscan.manifest.table import SPLITS

if TYPE_CHECKING:
    from authentiscan.manifest.table import Manifest

UNKNOWN = -1
Codes = NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class HoldOut:
    """All rows whose ``column`` equals ``value`` go to ``split``, with the whole of their groups.

    split: ``test``, so that tests are on sources never seen, or ``val``, so that thresholds are set
    on sources that are neither trained on nor tested on. Test wins where both match.
    """

    column: str
    value: str
    split: str = "test"


def parse_hold_outs(texts: Iterable[str]) -> list[HoldOut]:
    """Read ``[test:|val:]COLUMN=VALUE`` and ``@FILE`` (one such rule a line, ``#`` comments).

    Raises UsageError for anything else.
    """
    found: list[HoldOut] = []
    for text in texts:
        if text.startswith("@"):
            source = Path(text[1:])
            if not source.is_file():
                raise UsageError(f"--hold-out {text}: there is no file {source}")
            lines = (line.strip() for line in source.read_text(encoding="utf-8").splitlines())
            found += parse_hold_outs(line for line in lines if line and not line.startswith("#"))
            continue
        prefix, colon, rule = text.partition(":")
        split = prefix if colon and prefix in ("val", "test") else "test"
        column, equals, value = (rule if colon and prefix == split else text).partition("=")
        if not (column and equals and value):
            raise UsageError(
                f"--hold-out {text!r}: expected COLUMN=VALUE (such as generator=flux), "
                "val:COLUMN=VALUE or @FILE"
            )
        found.append(HoldOut(column.strip(), value.strip(), split))
    return found


def split_code(name: str | None) -> int:
    """0, 1, 2 for train, val, test; -1 for anything else."""
    return SPLITS.index(name) if name in SPLITS else UNKNOWN


def no_match(rule: HoldOut, columns: Iterable[str], values: Iterable[object]) -> UsageError:
    """The error for a hold-out that matches no row: it names the columns or values there are."""
    known = sorted({str(v) for v in values if v is not None})
    if not known:
        return UsageError(
            f"--hold-out {rule.column}={rule.value}: there is no column {rule.column!r}; "
            f"there are: {', '.join(sorted(columns))}"
        )
    shown = ", ".join(known[:20]) + (f" and {len(known) - 20} more" if len(known) > 20 else "")
    return UsageError(
        f"--hold-out {rule.column}={rule.value} matches no image; {rule.column} is one of: {shown}"
    )


def held_codes(
    manifest: Manifest, hold_out: Sequence[HoldOut], among: NDArray[np.bool_] | None = None
) -> Codes:
    """The split (1 val, 2 test) that each row is held out for, -1 where for none.

    among: rows (N,) that the rules are for; by default all. Raises UsageError for a rule that
    matches none of them.
    """
    held = np.full(len(manifest), UNKNOWN, dtype=np.int8)
    for rule in hold_out:
        values = manifest.column(rule.column)
        match = np.array([str(v) == rule.value for v in values], dtype=bool)
        match &= True if among is None else among
        if not match.any():
            raise no_match(rule, manifest.table.column_names, values)
        held[match] = np.maximum(held[match], split_code(rule.split))
    return held
