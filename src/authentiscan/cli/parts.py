"""Which rows of a ``--data`` a command takes, and the line that says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from authentiscan.cli.screen import note

if TYPE_CHECKING:
    from pathlib import Path

    from authentiscan.cli.options import Split
    from authentiscan.datasets.open import NamedData


def open_rows(text: Path | str, split: Split | None, wanted: str = "test") -> NamedData:
    """The rows of ``split``; where none is named those of ``wanted`` if there are any, else all.

    The name says which part it is.
    """
    from authentiscan.datasets.open import NamedData, open_part

    found, part = open_part(text, split, wanted)
    if part == "all":
        return found
    if split is None:
        note(
            f"{found.name}: {len(found.manifest):,} images of the split {part}; "
            "--split all takes every row"
        )
    return NamedData(f"{found.name}/{part}", found.manifest)
