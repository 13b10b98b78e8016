"""In which order people should look at many judged images: where a look is worth most comes first.

The order is of attention, not of guilt. Within a group the higher score comes first.
"""

from __future__ import annotations

from enum import IntEnum

from authentiscan.analysis.report import Report
from authentiscan.core.types import Verdict


class Attention(IntEnum):
    """Groups of reports, the first to be looked at first."""

    DISAGREEING = 0  # pixels against the file's own statements, or the verdict flips
    GENERATED = 1
    INCONCLUSIVE = 2
    UNJUDGED = 3  # nobody looked at it yet
    REAL_WITH_WARNINGS = 4
    REAL = 5


def attention(report: Report) -> Attention:
    """The group of ``report``."""
    codes = {warning.code for warning in report.warnings}
    if "conflict" in codes or (report.stability is not None and report.stability.flips):
        return Attention.DISAGREEING
    if report.verdict is None:
        return Attention.UNJUDGED
    if report.verdict is Verdict.GENERATED:
        return Attention.GENERATED
    if report.verdict is Verdict.INCONCLUSIVE:
        return Attention.INCONCLUSIVE
    return Attention.REAL_WITH_WARNINGS if codes else Attention.REAL


def order(report: Report) -> tuple[int, float]:
    """What to sort reports by, so that the first is to be looked at first."""
    return attention(report), -1.0 if report.score is None else -report.score
