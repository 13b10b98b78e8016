"""Thresholds keep their false-positive rate, intervals respect groups, the band its cost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from authentiscan.core.errors import MetricError
from authentiscan.metrics.decision import Decision, RealThreshold
from authentiscan.metrics.thresholds import (
    Costs,
    Verdicts,
    at_fpr,
    at_miss,
    cheapest_threshold,
    choose_decision,
    conclusive_right,
    describe,
    mean_cost,
    score_interval,
    share_interval,
)


@pytest.fixture
def scored() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 1000)
    return 1 / (1 + np.exp(-rng.normal(-1.5 + 3 * y, 1.5))), y


@given(
    st.lists(st.integers(0, 20).map(lambda k: k / 21), min_size=1, max_size=60),
    st.lists(st.integers(0, 20).map(lambda k: k / 21), min_size=1, max_size=20),
    st.sampled_from([0.001, 0.01, 0.05, 0.1, 0.3, 0.5]),
)
@settings(max_examples=150, deadline=None)
def test_never_flags_more_than_asked_and_no_lower_score_would_do(real, generated, fpr) -> None:
    s, y = np.asarray(real + generated), np.asarray([0] * len(real) + [1] * len(generated))
    found = at_fpr(s, y, fpr)
    assert found.fpr == (np.asarray(real) >= found.score).mean() <= fpr + 1e-12
    assert found.tpr == (np.asarray(generated) >= found.score).mean()
    lower = s[s < found.score]
    if len(lower):
        assert (np.asarray(real) >= lower.max()).mean() > fpr
    assert found.fpr_interval[0] <= found.fpr <= found.fpr_interval[1]


def test_real_photographs_at_one_leave_no_threshold() -> None:
    with pytest.raises(MetricError, match="2 of 3 real photographs score 1"):
        at_fpr([1.0, 1.0, 0.2, 1.0], [0, 0, 0, 1], 0.05)


@pytest.mark.parametrize(
    ("scores", "labels", "fpr", "message"),
    [
        ([0.1, 0.2], [0, 0], 0.05, "needs? real"),
        ([0.1, 1.2], [0, 1], 0.05, "scores in \\[0, 1\\]"),
        ([0.1, 0.2], [0, 1], 0.0, "between 0 and 1"),
        ([0.1], [0, 1], 0.1, "arrays"),
    ],
)
def test_unusable_inputs_are_errors(scores, labels, fpr, message) -> None:
    with pytest.raises(MetricError, match=message):
        at_fpr(scores, labels, fpr)


def test_wilson_interval_and_design_effect() -> None:
    hits = np.zeros(100, dtype=bool)
    hits[:5] = True
    _, low, high = share_interval(hits)
    assert (low, high) == pytest.approx((0.0215, 0.1118), abs=2e-3)
    alike = np.repeat(np.arange(100) < 5, 10)  # ten copies of each image prove nothing more
    assert share_interval(alike, np.repeat(np.arange(100), 10))[1:] == pytest.approx(
        (low, high), abs=2e-3
    )
    none = share_interval(np.zeros(50, dtype=bool), [i // 10 for i in range(50)])
    assert none[0] == 0.0
    assert none[2] > 0.3  # five scenes


def test_score_interval_holds_the_score(scored) -> None:
    s, y = scored
    low, high = score_interval(s, y, 0.05, rounds=300)
    assert low <= at_fpr(s, y, 0.05).score <= high
    assert score_interval(s, y, 0.05, ["one"] * len(y)) is None


def test_band_is_where_an_answer_costs_more_than_none(scored) -> None:
    s, y = scored
    upper = at_fpr(s, y, 0.01)
    costs = Costs(false_alarm=10, miss=5, inconclusive=1)
    decision = choose_decision(s, y, upper, costs)
    assert 0 < decision.real_below < upper.score
    best = mean_cost(s, y, decision, costs)
    for real_below in np.linspace(0, upper.score, 101):
        other = Decision(generated=upper, real=RealThreshold(score=float(real_below)))
        assert best <= mean_cost(s, y, other, costs) + 1e-9


def test_cheap_mistakes_leave_no_band(scored) -> None:
    s, y = scored
    costs = Costs(false_alarm=1.0, miss=1.0, inconclusive=0.9)
    decision = choose_decision(s, y, at_fpr(s, y, 0.2), costs)
    assert decision.real_below == decision.generated.score


def test_cheapest_threshold_is_a_minimum(scored) -> None:
    s, y = scored
    costs = Costs()
    found = cheapest_threshold(s, y, costs=costs)
    best = mean_cost(s, y, Decision(generated=found, real=RealThreshold(score=0.0)), costs)
    for score in np.quantile(s, np.linspace(0, 1, 60)):
        other = describe(s, y, float(score), name="x", measured_on="x")
        assert (
            best
            <= mean_cost(s, y, Decision(generated=other, real=RealThreshold(score=0.0)), costs)
            + 1e-9
        )


def test_at_miss_is_the_mirror_image_of_at_fpr(scored) -> None:
    s, y = scored
    found = at_miss(s, y, 0.05)
    generated = s[y == 1]
    assert found.miss == (generated < found.score).mean() <= 0.05
    higher = generated[generated >= found.score].min()
    assert (generated <= higher).mean() > 0.05
    assert found.tnr == (s[y == 0] < found.score).mean()
    assert found.miss_interval[0] <= found.miss <= found.miss_interval[1]
    assert at_miss(s, y, 0.05, highest=0.01).score == 0.01


def test_costs_must_make_sense() -> None:
    with pytest.raises(ValidationError, match="must cost less"):
        Costs(false_alarm=1, miss=1, inconclusive=2)
    with pytest.raises(ValidationError):
        Costs(miss=-1)


@pytest.mark.parametrize(
    ("real", "generated", "share"),
    [
        ((50, 30, 20), (10, 50, 40), 0.9 / 1.2),
        ((100, 0, 0), (0, 0, 7), 1.0),
        ((0, 100, 0), (0, 7, 0), None),
        ((0, 0, 0), (1, 0, 1), None),
    ],
)
def test_right_of_the_conclusive_verdicts_at_even_shares(real, generated, share) -> None:
    names = ("real", "inconclusive", "generated")
    found = Verdicts(
        real=dict(zip(names, real, strict=True)), generated=dict(zip(names, generated, strict=True))
    )
    assert conclusive_right(found) == (None if share is None else pytest.approx(share))
