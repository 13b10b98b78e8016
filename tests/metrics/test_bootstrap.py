"""Intervals: strata, clusters, coverage, degenerate inputs, speed."""

from __future__ import annotations

import time

import numpy as np
import pytest

from authentiscan.core.errors import MetricError
from authentiscan.metrics.bootstrap import Estimate, Resampler, estimates, interval
from authentiscan.metrics.ranking import measure


def test_draws_keep_class_sizes_and_whole_groups() -> None:
    y = np.asarray([0] * 30 + [1] * 20)
    groups = [f"r{i // 3}" for i in range(30)] + [f"g{i // 2}" for i in range(20)]
    for block in Resampler(y, groups, rounds=50).blocks():
        assert np.allclose(block[:, y == 0].sum(axis=1), 30)
        assert np.allclose(block[:, y == 1].sum(axis=1), 20)
        by_group = block[:, :30].reshape(len(block), 10, 3)
        assert (by_group == by_group[..., :1]).all()


def test_same_seed_same_draws_in_any_block_size_and_order() -> None:
    y = np.asarray([0, 1] * 20)
    first = np.concatenate(list(Resampler(y, rounds=7, seed=3).blocks()))
    again = np.concatenate(list(Resampler(y, rounds=7, seed=3).blocks()))
    order = np.arange(len(y))[::-1].copy()
    turned = np.concatenate(list(Resampler(y, rounds=7, seed=3).blocks(order)))
    assert np.array_equal(first, again)
    assert np.array_equal(first[:, order], turned)


def test_rows_without_a_group_are_their_own() -> None:
    assert Resampler([0, 0, 1, 1], [None, None, "a", "a"]).clusters == 3
    # A group called like a row number must not swallow such a row.
    assert Resampler([0, 0, 1], [None, "0", "#0"]).clusters == 3


def test_a_lone_group_of_both_classes_takes_no_intervals_away() -> None:
    """One scene with a photograph and a generated image of it among many others."""
    y = [0] * 20 + [1] * 20 + [0, 1]
    groups = [*range(40), "pair", "pair"]
    resampler = Resampler(y, groups, rounds=400)
    assert resampler.usable
    draws = np.concatenate(list(resampler.blocks()))
    assert np.array_equal(draws[:, 40], draws[:, 41])  # still drawn as one
    assert draws[:, 40].std() > 0.5
    assert estimates(y, np.linspace(0, 1, 42), groups, rounds=100)["roc_auc"].low is not None


def test_a_class_of_one_group_and_a_mixed_one_is_drawn_from_both() -> None:
    y = [0] * 5 + [1] * 20 + [0, 1] * 3
    groups = ["street"] * 5 + list(range(20)) + ["pair"] * 6
    assert Resampler(y, groups, rounds=10).usable
    assert not Resampler(y[:25], groups[:25], rounds=10).usable


def test_interval_of_accuracy_is_close_to_the_binomial_one() -> None:
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 500)
    s = np.where(rng.random(1000) < 0.8, y, 1 - y).astype(float)
    found = estimates(y, s)["accuracy"]
    assert found.high - found.low == pytest.approx(2 * 1.96 * np.sqrt(0.16 / 1000), rel=0.15)


def test_groups_widen_the_interval() -> None:
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 200)
    shift = np.repeat(rng.normal(0, 0.2, 40), 10)
    s = np.clip(0.4 + 0.2 * y + shift, 0, 1)
    groups = np.repeat(np.arange(40), 10)
    alone, grouped = estimates(y, s)["roc_auc"], estimates(y, s, groups)["roc_auc"]
    assert grouped.high - grouped.low > 2 * (alone.high - alone.low)


def test_coverage_is_about_what_is_stated() -> None:
    rng = np.random.default_rng(4)
    hits = 0
    for trial in range(60):
        y = np.repeat([0, 1], 60)
        found = estimates(y, rng.normal(y, 1.0), rounds=200, seed=trial)["roc_auc"]
        hits += found.low <= 0.7602 <= found.high  # Phi(1 / sqrt 2)
    assert hits >= 50


def test_figures_equal_measure_and_lie_in_their_intervals() -> None:
    rng = np.random.default_rng(2)
    y = rng.integers(0, 2, 80)
    s = rng.random(80)
    w = rng.random(80)
    found = estimates(y, s, weights=w, rounds=100)
    for name, value in measure(y, s, weights=w).items():
        assert found[name].value == pytest.approx(value)
        assert found[name].low <= value <= found[name].high


def test_undefined_figures_have_no_interval() -> None:
    found = estimates([0, 0, 0], [0.1, 0.2, 0.3], rounds=50)
    assert found["roc_auc"] == Estimate(None)
    assert found["real_accuracy"].value == 1.0
    one_group = estimates([0, 1, 0, 1], [0.1, 0.2, 0.3, 0.4], ["a", "b", "a", "b"], rounds=50)
    assert one_group["roc_auc"].value is not None
    assert one_group["roc_auc"].low is None


def test_text() -> None:
    assert str(Estimate(0.5, 0.4, 0.6)) == "0.500 [0.400, 0.600]"
    assert Estimate(0.5, 0.4, 0.6).percent() == "50.0 [40.0, 60.0]"
    assert str(Estimate(None)) == Estimate(None).percent() == "–"
    assert str(Estimate(-1e-9)) == "0.000"
    assert Estimate(0.5).as_json() == [0.5, None, None]


def test_wrong_lengths_are_errors() -> None:
    with pytest.raises(MetricError, match="2 groups for 3 labels"):
        Resampler([0, 1, 0], ["a", "b"])
    assert interval(np.asarray([np.nan, 1.0])) is None


@pytest.mark.slow
def test_a_hundred_thousand_scores_in_ten_seconds() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 100_000)
    s = np.clip(rng.normal(0.4 + 0.2 * y, 0.2), 0, 1)
    started = time.process_time()
    estimates(y, s, rng.integers(0, 30_000, 100_000), rounds=1000)
    assert time.process_time() - started < 10
