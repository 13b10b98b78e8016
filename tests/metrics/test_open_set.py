"""Closed- and open-set figures, against counting and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from authentiscan.core.errors import MetricError
from authentiscan.metrics.open_set import (
    accepted_share,
    balanced_accuracy,
    confusion,
    oscr,
    unknown_auc,
    with_interval,
)


def test_confusion_counts_other_answers_last() -> None:
    counts = confusion(["a", "a", "b"], ["a", "unknown", "a"], ["a", "b"])
    assert counts.tolist() == [[1, 0, 1], [1, 0, 0]]
    assert balanced_accuracy(counts) == 0.25
    with pytest.raises(MetricError, match="names c"):
        confusion(["c"], ["a"], ["a", "b"])


def test_balanced_accuracy_leaves_out_classes_without_images() -> None:
    assert balanced_accuracy(np.array([[3.0, 1, 0], [0, 0, 0]])) == 0.75
    assert np.isnan(balanced_accuracy(np.zeros((2, 3))))


def test_auc_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    known, unknown = rng.integers(0, 9, 70), rng.integers(-3, 6, 40)
    wanted = roc_auc_score([1] * 70 + [0] * 40, np.concatenate([known, unknown]))
    assert unknown_auc(known, unknown) == pytest.approx(wanted)


def _oscr_by_thresholds(known: np.ndarray, right: np.ndarray, unknown: np.ndarray) -> float:
    """The area as the papers draw it: step by step down the thresholds."""
    thresholds = np.sort(np.concatenate([known, unknown, [np.inf, -np.inf]]))[::-1]
    x = [(unknown >= t).mean() for t in thresholds]
    y = [((known >= t) & right).mean() for t in thresholds]
    return float(np.trapezoid(y, x))


def test_oscr_is_the_area_under_the_curve() -> None:
    rng = np.random.default_rng(1)
    known, unknown = rng.normal(1, 1, 60), rng.normal(0, 1, 50)
    right = rng.random(60) < 0.8
    assert oscr(known, right, unknown) == pytest.approx(_oscr_by_thresholds(known, right, unknown))
    assert oscr(known, np.ones(60), unknown) == pytest.approx(unknown_auc(known, unknown))
    assert oscr(known, np.zeros(60), unknown) == 0
    assert oscr([2, 3], [True, True], [0, 1]) == 1


def test_nothing_to_measure_is_told() -> None:
    with pytest.raises(MetricError, match="known and of unknown"):
        unknown_auc([], [1.0])
    with pytest.raises(MetricError, match="2 images and 1 answers"):
        oscr([1.0, 2.0], [True], [0.0])
    assert accepted_share([0.1, 0.2, 0.3], 0.2) == pytest.approx(2 / 3)
    assert np.isnan(accepted_share([], 0.2))


def test_an_interval_covers_groups_not_images() -> None:
    rng = np.random.default_rng(2)
    values = np.repeat(rng.random(20) < 0.5, 10).astype(float)
    groups = np.repeat(np.arange(20), 10).tolist()
    clustered = with_interval(lambda i: float(values[i].mean()), np.zeros(200), groups, rounds=300)
    single = with_interval(lambda i: float(values[i].mean()), np.zeros(200), None, rounds=300)
    assert clustered.value == single.value == values.mean()
    assert None not in (clustered.low, clustered.high, single.low, single.high)
    assert clustered.high - clustered.low > 2 * (single.high - single.low)  # type: ignore[operator]
    assert with_interval(lambda _: float("nan"), np.zeros(3)).value is None
    assert with_interval(lambda i: float(len(i)), np.zeros(1)).low is None
