"""The score's scale and its words come from the detector's own thresholds."""

from __future__ import annotations

import re

import pytest

from authentiscan.analysis import Report
from authentiscan.core.errors import CorruptImageError
from authentiscan.core.types import Verdict
from authentiscan.metrics.decision import Decision, RealThreshold, Threshold

pytest.importorskip("streamlit")

from authentiscan.serving.app.html import render
from authentiscan.serving.app.verdict import WORDS, kind_of, zones


def decision(real: float, generated: float) -> Decision:
    high = Threshold(
        name="fpr",
        score=generated,
        measured_on="tests",
        fpr=0.02,
        fpr_interval=(0.01, 0.03),
        tpr=0.5,
    )
    low = RealThreshold(
        name="miss", score=real, measured_on="tests", miss=0.04, miss_interval=(0.02, 0.06), tnr=0.5
    )
    return Decision(generated=high, real=low)


def test_both_thresholds_and_the_band_between_are_on_the_scale() -> None:
    rule = decision(0.2, 0.9)
    found = zones(rule)
    assert [zone.kind for zone in found] == ["real", "inconclusive", "generated"]
    assert [zone.left for zone in found] == pytest.approx([0, 20, 90])
    assert sum(zone.width for zone in found) == pytest.approx(100)
    assert [zone.where for zone in found] == ["below 0.20", "from 0.20 to 0.90", "from 0.90"]
    assert found[0].rate == rule.rate(Verdict.REAL)
    assert "4.0 % (2.0 to 6.0 %)" in found[0].rate
    assert "2.0 % (1.0 to 3.0 %)" in found[2].rate


@pytest.mark.parametrize(
    ("real", "generated", "kinds", "where"),
    [
        (0.0, 0.9, ["inconclusive", "generated"], "below 0.90"),
        (0.2, 1.0, ["real", "inconclusive"], "from 0.20"),
        (0.0, 1.0, ["inconclusive"], "everywhere"),
        (0.5, 0.5, ["real", "generated"], None),
    ],
)
def test_a_verdict_that_is_never_given_has_no_place(
    real: float, generated: float, kinds: list[str], where: str | None
) -> None:
    found = zones(decision(real, generated))
    assert [zone.kind for zone in found] == kinds
    assert [zone.where for zone in found if zone.kind == "inconclusive"] == [where] * bool(where)
    assert sum(zone.width for zone in found) == pytest.approx(100)


def _shown(report: Report, rule: Decision) -> str:
    kind = kind_of(report)
    return render(
        "verdict.html",
        kind=kind,
        words=WORDS[kind],
        report=report,
        zones=zones(rule),
        never=["real"],
    )


def test_a_verdict_is_told_in_words_and_by_a_sign() -> None:
    report = Report(path="a", verdict=Verdict.GENERATED, score=0.95, reason="Because <b>so</b>.")
    shown = _shown(report, decision(0.0, 0.9))
    assert 'data-verdict="generated"' in shown
    assert "Generated" in shown
    assert "▲" in shown
    assert "<b>so" not in shown
    assert "Because &lt;b&gt;so&lt;/" in shown
    assert "This detector never says <b>real</b>" in shown
    label = re.search(r'aria-label="(Score[^"]+)"', shown)
    assert label is not None
    assert label[1] == (
        "Score 0.95 on a scale from 0, real, to 1, generated. "
        "Inconclusive below 0.90. Generated from 0.90."
    )


def test_a_failure_is_told_without_a_scale() -> None:
    report = Report.failed("a", CorruptImageError("JPEG that is <broken>"))
    shown = _shown(report, decision(0.2, 0.9))
    assert 'data-verdict="failed"' in shown
    assert "JPEG that is &lt;broken&gt;" in shown
    assert "as-scale" not in shown


def test_every_verdict_has_words() -> None:
    assert set(WORDS) == {verdict.value for verdict in Verdict} | {"failed"}
    assert len({words.sign for words in WORDS.values()}) == len(WORDS)
