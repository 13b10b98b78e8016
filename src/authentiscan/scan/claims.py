"""What many files say of themselves, a row each: as CSV and as one page."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import IO

from authentiscan.core.csv_cells import defused_row
from authentiscan.core.errors import AuthentiscanError
from authentiscan.core.text import one_line
from authentiscan.provenance import Finding, Provenance
from authentiscan.report.page import Page, Section
from authentiscan.report.tables import Table

COLUMNS = ("path", "container", "c2pa", "claim", "generator", "findings", "notes", "error")


@dataclass(frozen=True)
class FileClaims:
    """One file: what it says, or why it could not be read."""

    path: str
    found: Provenance | None
    error: str | None = None

    @classmethod
    def failed(cls, path: str, error: AuthentiscanError) -> FileClaims:
        """The row of a file that could not be read."""
        return cls(path, None, str(error))

    def cells(self) -> list[str]:
        """In the order of `COLUMNS`; what is not known is empty."""
        found = self.found
        if found is None:
            return [self.path, *[""] * (len(COLUMNS) - 2), self.error or ""]
        makers = dict.fromkeys(f.generator for f in found.findings if f.generator)
        return [
            self.path,
            found.container,
            found.c2pa.value,
            found.claim.value,
            "; ".join(makers),
            "; ".join(map(sentence, found.findings)),
            "; ".join(found.notes),
            "",
        ]


def sentence(finding: Finding) -> str:
    """A finding with where it stands, what it claims and how far it can be believed."""
    weight = finding.state.value if finding.kind == "c2pa" else f"unsigned, {finding.confidence}"
    claim = finding.claim.value.replace("_", " ")
    return f"{finding.summary} [{finding.source}; claims: {claim}; {weight}]"


def write_csv(rows: Iterable[FileClaims], stream: IO[str]) -> None:
    """One row a file, at once where it is there; no cell is a formula to a spreadsheet."""
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow(defused_row(map(one_line, row.cells())))
        stream.flush()


def claims_page(rows: Sequence[FileClaims], trust_list: str) -> Page:
    """Files that claim something first, then those that could not be read, then the silent ones."""
    speaking = [r for r in rows if r.found is not None and r.found.findings]
    silent = [r for r in rows if r.found is not None and not r.found.findings]
    failed = [r for r in rows if r.found is None]
    states = Counter(r.found.c2pa.value for r in rows if r.found is not None)
    counts = ", ".join(f"{count} {state}" for state, count in sorted(states.items())) or "none read"
    head = ["file", "C2PA", "claims", "what it says"]
    sections = [
        Section(title, [text], [Table(head, [_shown(row) for row in part], left=True)])
        for title, text, part in (
            ("Files that say something", "Unsigned notes can be written by anyone.", speaking),
            ("Files that could not be read", "Nobody knows what they say.", failed),
            ("Files that say nothing", "Which is no evidence of anything.", silent),
        )
        if part
    ]
    return Page(
        title=f"What {len(rows)} file{'' if len(rows) == 1 else 's'} say of their origin",
        lead=f"C2PA: {counts}. Trust list: {trust_list}.",
        sections=sections,
        closing="A claim is what the file says. None of this looks at what the picture shows.",
    )


def _shown(row: FileClaims) -> list[str]:
    path, _, c2pa, claim, _, findings, notes, error = row.cells()
    return [
        path,
        c2pa,
        claim.replace("_", " "),
        error or "; ".join(filter(None, (findings, notes))),
    ]
