"""One table for all reports: on a page, as Markdown, CSV or LaTeX."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from authentiscan.core.csv_cells import defused_row
from authentiscan.core.files import PathLike, write_text

_LATEX = {
    **{c: f"\\{c}" for c in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "–": "--",
    "−": "$-$",
    "±": r"$\pm$",
    "≤": r"$\le$",
    "≥": r"$\ge$",
    "→": r"$\to$",
    "·": r"$\cdot$",
}


@dataclass(frozen=True)
class Table:
    """Text cells; the first column names the row, the others are set to the right.

    left: all columns hold words, not figures, and are set to the left. note: stands below it.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""
    left: bool = False

    def markdown(self) -> str:
        """Bars and line breaks in cells are made harmless."""

        def line(cells: Sequence[str]) -> str:
            return "| " + " | ".join(" ".join(c.split()).replace("|", "\\|") for c in cells) + " |"

        rule = ["---"] + ["---" if self.left else "---:"] * (len(self.head) - 1)
        lines = [line(self.head), line(rule), *(line(r) for r in self.rows)]
        return "\n".join(lines) + (f"\n\n{self.note}" if self.note else "")

    def csv(self) -> str:
        """Comma-separated, the head first; no cell is a formula to a spreadsheet."""
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerows(defused_row(row) for row in (self.head, *self.rows))
        return buffer.getvalue()

    def latex(self) -> str:
        """A ``tabular`` of the package booktabs, for papers."""
        columns = "l" * len(self.head) if self.left else "l" + "r" * (len(self.head) - 1)
        lines = [" & ".join(map(_latex, row)) + r" \\" for row in (self.head, *self.rows)]
        body = [r"\toprule", lines[0], r"\midrule", *lines[1:], r"\bottomrule"]
        return "\n".join([rf"\begin{{tabular}}{{{columns}}}", *body, r"\end{tabular}"])


def write_latex(
    path: Path, tables: Sequence[tuple[str, Table]], *, inputs: Iterable[PathLike]
) -> None:
    """Write ``tables``, each with its title as a comment, to ``path``, for a paper to read in."""
    parts = [f"% {' '.join(title.split())}\n{table.latex()}\n" for title, table in tables]
    head = "% Made by authentiscan; needs \\usepackage{booktabs}.\n"
    write_text(path, "\n".join([head, *parts]), inputs=inputs)


def _latex(cell: str) -> str:
    return re.sub(r".", lambda m: _LATEX.get(m[0], m[0]), " ".join(cell.split()))
