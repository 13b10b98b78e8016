"""A picture as the output of a scan: the timelines of its clips, one under the other."""

from __future__ import annotations

from pathlib import Path

from authentiscan.analysis import Report
from authentiscan.core.errors import UsageError
from authentiscan.core.files import check_file, write_bytes
from authentiscan.report import timeline
from authentiscan.scan.engine import Scanned

MOST = 100
"""Timelines in one picture; those of further clips are on the page alone."""


class Timelines:
    """Collects timelines and writes one PNG on closing. Raises UsageError where there was none."""

    def __init__(self, path: Path) -> None:
        check_file(path)
        self._path = path
        self._drawn: list[bytes] = []

    def write(self, result: Scanned) -> None:
        """Take one result; still images have no timeline."""
        if result.timeline is not None and len(self._drawn) < MOST:
            self._drawn.append(result.timeline)

    def close(self) -> None:
        """Write the picture to its place."""
        if not self._drawn:
            raise UsageError(
                f"nothing to draw in {self._path}: no video among the inputs (animated images are "
                "judged frame by frame with --frames)"
            )
        write_bytes(self._path, timeline.stacked(self._drawn))

    def discard(self) -> None:
        """Leave what is there."""


class Undrawn:
    """In place of an earlier scan's `authentiscan.scan.batch_page.Pictures`: a picture of timelines
    gives none of them back.
    """

    def has(self, report: Report) -> bool:
        """Whether nothing need be drawn of ``report``."""
        return report.clip is None

    def of(self, report: Report) -> Scanned:
        """The report alone."""
        return Scanned(report)
