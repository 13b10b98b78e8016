"""Verdicts from scores, the rates behind them, and descriptions of earlier releases."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from authentiscan.core.types import Verdict
from authentiscan.metrics.decision import (
    Decision,
    RealThreshold,
    SourceRate,
    Threshold,
    answers,
    rule_words,
    score_words,
    unmeasured_decision,
)


def upper(score: float, **more: object) -> Threshold:
    fields = {
        "name": "fpr_2",
        "fpr": 0.02,
        "fpr_interval": (0.01, 0.04),
        "tpr": 0.3,
        "measured_on": "held-out photographs",
        **more,
    }
    return Threshold(score=score, **fields)


def lower(score: float, **more: object) -> RealThreshold:
    fields = {
        "name": "miss_5",
        "miss": 0.05,
        "miss_interval": (0.03, 0.08),
        "tnr": 0.4,
        "measured_on": "held-out images",
        **more,
    }
    return RealThreshold(score=score, **fields)


@pytest.mark.parametrize(
    ("score", "verdict"),
    [
        (0.0, Verdict.REAL),
        (0.2999, Verdict.REAL),
        (0.3, Verdict.INCONCLUSIVE),
        (0.6999, Verdict.INCONCLUSIVE),
        (0.7, Verdict.GENERATED),
        (1.0, Verdict.GENERATED),
    ],
)
def test_a_score_at_a_threshold_is_on_its_upper_side(score: float, verdict: Verdict) -> None:
    assert Decision(generated=upper(0.7), real=lower(0.3))(score) is verdict


def test_thresholds_at_the_ends_are_never_reached() -> None:
    decision = Decision(generated=upper(1.0), real=lower(0.0))
    assert {decision(s) for s in (0.0, 0.5, 1.0)} == {Verdict.INCONCLUSIVE}
    assert not decision.allows(Verdict.REAL)
    assert not decision.allows(Verdict.GENERATED)
    assert decision.allows(Verdict.INCONCLUSIVE)


def test_no_band_leaves_no_inconclusive() -> None:
    assert not Decision(generated=upper(0.5), real=lower(0.5)).allows(Verdict.INCONCLUSIVE)


def test_answers_of_an_array_agree_with_the_rule_one_by_one() -> None:
    scores = np.linspace(0, 1, 41)
    decision = Decision(generated=upper(0.7), real=lower(0.3))
    names = [Verdict.REAL, Verdict.INCONCLUSIVE, Verdict.GENERATED]
    assert [names[i + 1] for i in answers(scores, 0.7, 0.3)] == [decision(s) for s in scores]
    assert answers([float("nan")], 0.7, 0.3).tolist() == [0]


def test_a_description_of_an_earlier_release_has_no_rate_for_real() -> None:
    old = {"generated": upper(0.7).model_dump(exclude={"how", "sources", "worst"})}
    decision = Decision.model_validate({**old, "real_below": 0.3})
    assert (decision.real.score, decision.real.miss) == (0.3, None)
    assert decision.rate(Verdict.REAL).startswith("no error rate was measured")
    assert Decision.model_validate_json(decision.model_dump_json()) == decision


def test_rates_say_whose_share_and_how_it_was_measured() -> None:
    unseen = Decision(
        generated=upper(0.7, how="validation part"), real=lower(0.3, how="leave-sources-out")
    )
    assert unseen.rate(Verdict.REAL) == (
        "of generated images of unseen sources, 5.0 % (3.0 to 8.0 %) score this low"
    )
    assert unseen.rate(Verdict.GENERATED) == (
        "of real photographs, 2.0 % (1.0 to 4.0 %) score this high, on sources that training may "
        "have seen"
    )
    assert unseen.rate(Verdict.INCONCLUSIVE) == ""
    assert "no error rate" in unmeasured_decision().rate(Verdict.GENERATED)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (Threshold, {"score": float("nan")}),
        (Threshold, {"score": 1.5}),
        (Threshold, {"fpr_interval": (0.4, 0.1)}),
        (Threshold, {"fpr_interval": (-0.1, 0.1)}),
        (Threshold, {"fpr_interval": (0.1, float("nan"))}),
        (RealThreshold, {"miss": 2.0}),
        (RealThreshold, {"miss_interval": (0.4, 0.1)}),
        (RealThreshold, {"how": "by eye"}),
    ],
)
def test_figures_that_cannot_be_are_refused(kind, fields) -> None:
    whole = (upper(0.7) if kind is Threshold else lower(0.3)).model_dump()
    with pytest.raises(ValidationError):
        kind.model_validate({**whole, **fields})


def test_real_above_generated_is_refused() -> None:
    with pytest.raises(ValidationError, match="must not be above"):
        Decision(generated=upper(0.3), real=lower(0.7))


def test_the_worst_source_is_named_with_its_rate() -> None:
    found = upper(0.7, worst=SourceRate(source="phones", rate=0.11, images=90), sources=12)
    assert Threshold.model_validate_json(found.model_dump_json()) == found


@pytest.mark.parametrize(
    ("score", "text"),
    [
        (0.0, "0.0000"),
        (0.3, "0.3000"),
        (3.2e-6, "0.000003"),
        (1 - 2e-7, "0.9999998"),
        (1, "1.0000"),
    ],
)
def test_no_score_is_rounded_to_what_it_is_not(score: float, text: str) -> None:
    assert score_words(score) == text


def test_a_rule_in_words_says_what_it_never_says() -> None:
    assert rule_words(0.9, 0.2) == "generated from 0.9000, real below 0.2000, inconclusive between"
    assert rule_words(0.9, 0.0) == "generated from 0.9000, real never, all else inconclusive"
    assert rule_words(1.0, 0.2) == "generated never, real below 0.2000, all else inconclusive"
