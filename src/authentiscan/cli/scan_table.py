"""The table that `authentiscan scan` prints: rows as they come, then what the columns mean."""

from __future__ import annotations

from collections import Counter
from pathlib import PurePath
from typing import TYPE_CHECKING

from authentiscan.cli.screen import console, is_verbose, note
from authentiscan.core.text import one_line

if TYPE_CHECKING:
    from rich.table import Table

    from authentiscan.analysis import Report
    from authentiscan.analysis.report import Stability
    from authentiscan.scan import Scanned

_COLOURS = {"generated": "red", "real": "green", "inconclusive": "yellow", "failed": "magenta"}
_TRUTHS = ("real", "generated")  # by label


class VerdictTable:
    """Rows for people, each printed as it comes; widths are those of the screen, not of rows.

    truth: show beside each verdict what the folders' names say, and count how they agree.
    """

    def __init__(self, *, truth: bool = False) -> None:
        self._console = console()
        self._begun = False
        self._truth = truth
        self._agree: Counter[tuple[str, str]] = Counter()

    def write(self, result: Scanned) -> None:
        """Print one row."""
        from rich.text import Text

        report = result.report
        kind = report.verdict.value if report.verdict else "failed"
        truth = truth_of(report.path) if self._truth else ""
        self._agree[truth, kind] += 1
        table = self._empty()
        table.add_row(
            Text(one_line(report.path)),
            *([Text(truth)] if self._truth else []),
            Text(kind, style=_COLOURS[kind]),
            "" if report.score is None else f"{report.score:.3f}",
            "" if report.score is None else f"{report.spread:.2f}",
            Text(one_line(report.error or _details(report))),
            f"{report.timings['total_ms']:.0f}" if "total_ms" in report.timings else "",
        )
        self._console.print(table)

    def close(self) -> None:
        """Nothing is waiting."""

    def discard(self) -> None:
        """Nothing can be taken back."""

    def explain(self, limits: tuple[str, ...]) -> None:
        """What the columns mean, how the verdicts agree with the folders, and one line of limits.

        limits: the detector's own, the most important one first.
        """
        for truth in _TRUTHS if self._truth else ():
            if line := _agreement(truth, self._agree):
                note(line)
        why = "" if is_verbose() else "; -v says why"
        note(f"score: 0 real, 1 generated; spread: how far scores of an image's parts differ{why}")
        if limits:
            note(f"evidence, not proof: {limits[0]} More: authentiscan models info")

    def _empty(self) -> Table:
        from rich.table import Table

        table = Table(
            box=None, pad_edge=False, header_style="bold", expand=True, show_header=not self._begun
        )
        self._begun = True
        table.add_column("file", overflow="fold", ratio=3)
        if self._truth:
            table.add_column("truth", no_wrap=True, width=9)
        table.add_column("verdict", no_wrap=True, width=12)
        for name in ("score", "spread"):
            table.add_column(name, justify="right", no_wrap=True, width=6)
        table.add_column("why" if is_verbose() else "generator, warnings", overflow="fold", ratio=2)
        table.add_column("ms", justify="right", no_wrap=True, width=6)
        return table


def truth_of(path: str) -> str:
    """``real`` or ``generated`` as the names of its folders say, empty where they say nothing.

    Empty too where they say both. Words that may name a subject, such as ``photographs``, count
    where no other word does.
    """
    from authentiscan.datasets.foldernames import label_of, plain_label

    folders = PurePath(path.replace("::", "/").replace("\\", "/")).parts[:-1]
    for reading in (plain_label, label_of):
        labels = {label for folder in folders if (label := reading(folder)) is not None}
        if labels:
            return _TRUTHS[labels.pop()] if len(labels) == 1 else ""
    return ""


def _agreement(truth: str, counts: Counter[tuple[str, str]]) -> str:
    kinds = {kind: counts[truth, kind] for kind in _COLOURS}
    total = sum(kinds.values())
    if not total:
        return ""
    wrong = _TRUTHS[truth == "real"]
    rest = f", {kinds['failed']} failed" if kinds["failed"] else ""
    return (
        f"of {total} that are {truth} by their folders: {kinds[truth]} right, "
        f"{kinds[wrong]} wrong, {kinds['inconclusive']} inconclusive{rest}"
    )


def _details(report: Report) -> str:
    """The last column: reason and warnings in full with -v, else in short."""
    named, stability = report.attribution, report.stability
    if is_verbose():
        found = [report.reason, *(f"{warning.message}." for warning in report.warnings)]
        found += [f"{named.sentence().capitalize()}."] if named else []
        found += [f"Stability: {_stability(stability)}."] if stability else []
        return " ".join(found)
    found = [named.short()] if named else []
    found += [_stability(stability)] if stability else []
    found += [", ".join(warning.code for warning in report.warnings)]
    return "; ".join(filter(None, found))


def _stability(found: Stability) -> str:
    """What the changed copies did to the verdict."""
    tried = "" if found.complete else ", not all copies could be tried"
    if found.flips:
        return f"turns round after {', '.join(found.flips)}{tried}"
    return f"no changed copy turns it round, score moves up to {found.largest_shift:.2f}{tried}"
