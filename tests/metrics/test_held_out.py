"""Thresholds that keep their rates on sources that did not set them."""

from __future__ import annotations

import numpy as np
import pytest

from authentiscan.core.errors import MetricError
from authentiscan.core.types import Verdict
from authentiscan.metrics.held_out import Promise, Scored, answered, hold, hold_decision


def made(
    shift: float, *, sources: int = 12, images: int = 60, spread: float = 0.5, seed: int = 0
) -> Scored:
    """Two classes ``shift`` apart; every source has a shift of its own."""
    rng = np.random.default_rng(seed)
    scores, labels, names = [], [], []
    for label in (0, 1):
        for k in range(sources):
            own = rng.normal(0, spread)
            scores.append(rng.normal((label - 0.5) * shift + own, 1, images))
            labels += [label] * images
            names += [f"{label}-{k}"] * images
    return Scored.of(1 / (1 + np.exp(-np.concatenate(scores))), labels, names)


def test_rates_hold_on_sources_never_seen() -> None:
    decision = hold_decision({"raw": made(5)}, Promise(fpr=0.02, miss=0.05), measured_on="x")
    fresh = [answered(made(5, seed=s), decision) for s in range(1, 9)]
    assert decision.allows(Verdict.GENERATED)
    assert decision.allows(Verdict.REAL)
    assert np.mean([f["fpr"] for f in fresh]) < 0.03
    assert np.mean([f["miss"] for f in fresh]) < 0.06
    assert np.mean([f["right"] for f in fresh]) > 0.95
    assert decision.generated.fpr <= 0.02
    assert decision.real.miss <= 0.05
    assert decision.generated.how == decision.real.how == "leave-sources-out"
    assert (decision.generated.sources, decision.real.sources) == (12, 12)


def test_scores_that_know_nothing_give_no_verdict() -> None:
    decision = hold_decision({"raw": made(0)}, measured_on="x")
    assert not decision.allows(Verdict.GENERATED)
    assert not decision.allows(Verdict.REAL)
    assert {decision(s) for s in (0.0, 0.5, 1.0)} == {Verdict.INCONCLUSIVE}


def test_one_side_may_hold_where_the_other_does_not() -> None:
    """A third of the generated images score high, the others as photographs do."""
    rng = np.random.default_rng(3)
    tables = made(0, sources=20, spread=0.1)
    scores = tables.scores.copy()
    found = (tables.labels == 1) & (rng.random(len(scores)) < 0.33)
    scores[found] = 0.99
    decision = hold_decision(
        {"raw": Scored.of(scores, tables.labels, tables.sources)}, measured_on="x"
    )
    assert decision.allows(Verdict.GENERATED)
    assert not decision.allows(Verdict.REAL)
    assert decision.generated.tpr == pytest.approx(0.33, abs=0.05)


def test_one_large_source_does_not_decide() -> None:
    """A thousand easy photographs of one source hide nothing of the nine hard sources."""
    hard = made(3, sources=9)
    easy = 1000
    whole = Scored.of(
        np.concatenate([hard.scores, np.full(easy, 0.001)]),
        np.concatenate([hard.labels, np.zeros(easy)]),
        [*hard.sources, *["easy"] * easy],
    )
    with_it = hold([whole], 0.05, 0.5)
    without = hold([hard], 0.05, 0.5)
    assert with_it.score == pytest.approx(without.score, abs=0.08)
    rates = (hard.scores[hard.labels == 0] >= with_it.score).mean()
    assert rates < 0.08  # pooled over images it would be about 0.16


def test_the_worst_source_is_the_one_that_is_wrong_most_often() -> None:
    table = made(5, sources=8, spread=0.2)
    scores = table.scores.copy()
    odd = np.flatnonzero(table.sources == "0-3")[:12]
    scores[odd] = 0.999
    held = hold([Scored.of(scores, table.labels, table.sources)], 0.05, 0.8)
    assert held.worst.source == "0-3"
    assert held.worst.images == 60
    assert held.worst.rate >= 0.2
    assert held.wrong_interval[0] <= held.wrong <= held.wrong_interval[1]


def test_a_rate_holds_under_every_protocol() -> None:
    raw, matched = made(5, seed=4), made(3, seed=4)
    both = hold([raw, matched], 0.05, 0.8)
    alone = hold([raw], 0.05, 0.8)
    assert both.score > alone.score
    assert both.found <= alone.found


def test_no_mistake_at_all_still_has_an_interval() -> None:
    held = hold([made(30, sources=5, spread=0.0)], 0.05, 0.9)
    assert held.wrong == 0.0
    assert held.wrong_interval[1] > 0.3  # five sources prove little


def test_the_same_seed_gives_the_same_figures() -> None:
    table = made(4)
    assert hold([table], 0.05, 0.8, seed=5) == hold([table], 0.05, 0.8, seed=5)


@pytest.mark.parametrize(
    ("scores", "labels", "sources", "message"),
    [
        ([0.1, 0.2, 0.3, 0.4], [0, 0, 1, 1], ["a", "a", "b", "c"], "come from 1 source;"),
        ([0.1, 0.2, 0.3, 0.4], [0, 0, 0, 0], ["a", "b", "c", "d"], "come from 0 sources"),
        ([0.1, 0.2], [0, 1], ["a"], "1 sources"),
        ([0.1, 1.2], [0, 1], ["a", "b"], "scores in"),
        ([0.1, float("nan")], [0, 1], ["a", "b"], "NaN"),
    ],
)
def test_unusable_tables_are_errors(scores, labels, sources, message) -> None:
    with pytest.raises(MetricError, match=message):
        Scored.of(scores, labels, sources)


@pytest.mark.parametrize(("rate", "right"), [(0.0, 0.9), (1.0, 0.9), (0.05, 1.0)])
def test_rates_lie_between_0_and_1(rate, right) -> None:
    with pytest.raises(MetricError, match="between 0 and 1"):
        hold([made(3)], rate, right)


def test_answers_count_every_source_alike() -> None:
    decision = hold_decision({"raw": made(6)}, measured_on="x")
    table = Scored.of(
        [0.999] * 90 + [0.0001] * 10 + [0.999] * 50 + [0.999] * 50,
        [0] * 100 + [1] * 100,
        ["big"] * 90 + ["small"] * 10 + ["g"] * 50 + ["h"] * 50,
    )
    found = answered(table, decision)
    assert (found["fpr"], found["tnr"], found["tpr"], found["miss"]) == (0.5, 0.5, 1.0, 0.0)
    assert found["generated_right"] == pytest.approx(2 / 3)
    assert found["real_right"] == 1.0
