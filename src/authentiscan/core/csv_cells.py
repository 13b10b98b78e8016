"""Cells of CSV files that spreadsheets must not take for formulas.

Names of files and messages about them are written by strangers. A cell that begins with ``=``,
``+``, ``-``, ``@``, a tab or a line break is run by Excel, LibreOffice and Google Sheets when the
file is opened (OWASP, "CSV Injection"). An apostrophe before it makes it text.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

_TRIGGERS = "=+-@\t\r\n＝＋－＠"  # full-width signs count in some locales
_GUARD = "'"


def defused(value: object) -> object:
    """``value`` as it may stand in a CSV cell: dangerous text with an apostrophe before it.

    Numbers, and text that is a number, stay as they are. `restored` gives the text back.
    """
    if not isinstance(value, str) or not value.lstrip(_GUARD).startswith(tuple(_TRIGGERS)):
        return value
    return value if _is_number(value) else _GUARD + value


def defused_row(values: Iterable[object]) -> list[object]:
    """Every value `defused`."""
    return [defused(value) for value in values]


def restored(text: str) -> str:
    """The text that `defused` was given."""
    if not text.startswith(_GUARD) or not text.lstrip(_GUARD).startswith(tuple(_TRIGGERS)):
        return text
    return text[1:]


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
