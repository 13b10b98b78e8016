"""What people should look at first."""

from __future__ import annotations

from typing import Any

import pytest

from authentiscan.analysis import Report
from authentiscan.analysis.report import ReportWarning, Stability
from authentiscan.analysis.triage import Attention, attention, order
from authentiscan.core.types import Verdict

CONFLICT = ReportWarning(code="conflict", message="pixels and file disagree")
SMALL = ReportWarning(code="too_small", message="small")
FLIPS = Stability(
    trials=(), flips=("JPEG quality 70",), largest_shift=0.5, complete=True, milliseconds=1
)


def _report(verdict: str | None, score: float | None = 0.5, **more: Any) -> Report:
    return Report(path="a", verdict=verdict and Verdict(verdict), score=score, **more)


@pytest.mark.parametrize(
    ("report", "group"),
    [
        (_report("real", warnings=(CONFLICT,)), Attention.DISAGREEING),
        (_report("inconclusive", stability=FLIPS), Attention.DISAGREEING),
        (_report("generated", warnings=(SMALL,)), Attention.GENERATED),
        (_report("inconclusive", warnings=(SMALL,)), Attention.INCONCLUSIVE),
        (_report(None, None, error="cut off"), Attention.UNJUDGED),
        (_report("real", warnings=(SMALL,)), Attention.REAL_WITH_WARNINGS),
        (_report("real"), Attention.REAL),
    ],
)
def test_groups(report: Report, group: Attention) -> None:
    assert attention(report) is group


def test_higher_scores_come_first_within_a_group_only() -> None:
    reports = [
        _report("real", 0.1, warnings=(SMALL,)),
        _report("generated", 0.93),
        _report("real", 0.15),
        _report("generated", 0.99),
        _report(None, None, error="cut off"),
    ]
    ordered = sorted(reports, key=order)
    assert [report.score for report in ordered] == [0.99, 0.93, None, 0.1, 0.15]
