"""Points of curves, against scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sk

from authentiscan.core.errors import MetricError
from authentiscan.metrics.curves import (
    histogram,
    precision_recall_curve,
    reliability,
    roc_curve,
)


@pytest.fixture
def scored() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 300)
    return y, np.clip(np.round(rng.normal(0.4 + 0.25 * y, 0.2), 2), 0, 1)


def test_roc_curve_is_that_of_scikit_learn(scored) -> None:
    y, s = scored
    x, t, _ = sk.roc_curve(y, s, drop_intermediate=False)
    found = roc_curve(y, s, points=10_000)
    assert found.x == pytest.approx(x, abs=1e-5)
    assert found.y == pytest.approx(t, abs=1e-5)


def test_weights_count_as_repeated_images(scored) -> None:
    y, s = scored
    w = np.random.default_rng(1).integers(0, 3, len(y))
    once = roc_curve(y, s, weights=w, points=10_000)
    again = roc_curve(np.repeat(y, w), np.repeat(s, w), points=10_000)
    assert set(zip(again.x, again.y, strict=True)) <= set(zip(once.x, once.y, strict=True))


def test_precision_recall_ends_at_full_recall_and_the_share_of_generated(scored) -> None:
    y, s = scored
    found = precision_recall_curve(y, s, points=10_000)
    assert (found.x[0], found.x[-1]) == (0.0, 1.0)
    assert found.y[-1] == pytest.approx(y.mean(), abs=1e-5)
    assert list(found.x) == sorted(found.x)


def test_long_curves_are_thinned_and_keep_their_ends_and_area() -> None:
    rng = np.random.default_rng(2)
    y = rng.integers(0, 2, 20_000)
    s = rng.normal(y * 0.8, 1)
    found = roc_curve(y, s, points=200)
    assert len(found.x) <= 200
    assert (found.x[0], found.y[0], found.x[-1], found.y[-1]) == (0, 0, 1, 1)
    area = np.trapezoid(found.y, found.x)
    assert area == pytest.approx(sk.roc_auc_score(y, s), abs=2e-3)


@pytest.mark.parametrize("curve", [roc_curve, precision_recall_curve])
def test_a_curve_needs_both_classes(curve) -> None:
    with pytest.raises(MetricError, match="both real and generated"):
        curve([1, 1], [0.2, 0.7])


def test_reliability_bins_hold_their_images() -> None:
    found = reliability([0, 1, 1, 0], [0.05, 0.07, 1.0, 0.5], bins=10)
    assert [(b.low, b.high) for b in found] == [(0.0, 0.1), (0.5, 0.6), (0.9, 1.0)]
    assert found[0].mean_score == pytest.approx(0.06)
    assert [b.generated_share for b in found] == [0.5, 0.0, 1.0]
    assert [b.weight for b in found] == [2, 1, 1]


def test_histogram_counts_every_image_once(scored) -> None:
    y, s = scored
    found = histogram(y, s, bins=20)
    assert sum(found.real) == (y == 0).sum()
    assert sum(found.generated) == (y == 1).sum()
    assert len(found.edges) == 21
