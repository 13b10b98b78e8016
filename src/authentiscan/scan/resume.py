"""Going on with a scan that was interrupted: what its JSON lines file already holds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import ValidationError

from authentiscan.analysis import Report
from authentiscan.core.errors import UsageError
from authentiscan.scan.items import Item


def repair(path: Path) -> None:
    """Cut off a last line that is not whole, as a killed process leaves it."""
    if not path.is_file() or path.stat().st_size == 0:
        return
    with path.open("r+b") as file:
        end = file.seek(0, 2)
        while end > 0:
            start = max(0, end - 65_536)
            file.seek(start)
            newline = file.read(end - start).rfind(b"\n")
            if newline >= 0:
                file.truncate(start + newline + 1)
                return
            end = start
        file.truncate(0)


def done(path: Path) -> Iterator[Report]:
    """The reports in the file, in order; nothing where there is no file.

    Raises UsageError where a line is no report of this version.
    """
    if not path.is_file():
        return
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                yield Report.model_validate(json.loads(line))
            except (ValueError, ValidationError) as error:
                raise UsageError(
                    f"cannot resume: line {number} of {path} is no scan report ({_first(error)}); "
                    "name another output file"
                ) from error


def without(items: Iterable[Item], names: set[str]) -> Iterator[Item]:
    """The items whose names are not in ``names``."""
    return (item for item in items if item.name not in names)


def _first(error: Exception) -> str:
    return str(error).splitlines()[0]
