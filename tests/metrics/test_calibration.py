"""Calibration against scikit-learn, on separable, reversed and constant logits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from authentiscan.core.errors import MetricError
from authentiscan.metrics.calibration import (
    Calibration,
    apply,
    fit,
    fit_isotonic,
    fit_platt,
    fit_temperature,
)
from authentiscan.metrics.ranking import measure


@pytest.fixture
def overlapping() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = (rng.random(3000) < 0.3).astype(int)
    return rng.normal(-2 + 3 * y, 2.0) * 1.7, y


def test_platt_is_logistic_regression(overlapping) -> None:
    x, y = overlapping
    found = fit_platt(x, y, prior=None)
    model = LogisticRegression(C=1e12).fit(x[:, None], y)
    assert found.slope == pytest.approx(model.coef_[0, 0], rel=0.01)
    assert found.intercept == pytest.approx(model.intercept_[0], abs=0.01)


def test_the_least_logit_of_a_score_is_where_the_score_is_reached() -> None:
    steps = Calibration(kind="isotonic", logits=(-3, 0, 2, 5), scores=(0.1, 0.4, 0.4, 0.9))
    for _ in range(2):  # the second time from memory
        for calibration in (Calibration(slope=0.8, intercept=0.3), steps, Calibration()):
            for score in (0.15, 0.4, 0.7):
                logit = calibration.logit(score)
                assert calibration(logit) >= score > calibration(logit - 1e-6)


def test_balanced_prior_only_moves_the_intercept(overlapping) -> None:
    x, y = overlapping
    own, balanced = fit_platt(x, y, prior=None), fit_platt(x, y)
    share = y.mean()
    assert balanced.intercept - own.intercept == pytest.approx(np.log((1 - share) / share), abs=0.1)
    weights = np.where(y == 1, 0.5 / y.sum(), 0.5 / (1 - y).sum())
    assert measure(y, apply(balanced, x), weights=weights)["ece"] < 0.03


def test_isotonic_is_scikit_learns_at_its_knots(overlapping) -> None:
    x, y = overlapping
    found = fit_isotonic(x, y, prior=None)
    model = IsotonicRegression(out_of_bounds="clip").fit(x, y)
    inner = slice(1, -1)
    knots, scores = np.asarray(found.logits)[inner], np.asarray(found.scores)[inner]
    assert np.allclose(model.predict(knots), scores, atol=0.02)
    assert (np.diff(found.logits) > 0).all()
    assert (np.diff(found.scores) >= 0).all()
    assert 0 < min(found.scores) <= max(found.scores) < 1


def test_temperature_keeps_the_middle(overlapping) -> None:
    x, y = overlapping
    found = fit_temperature(x, y)
    assert found.intercept == 0.0
    assert apply(found, [0.0])[0] == 0.5


@pytest.mark.parametrize("method", ["platt", "temperature", "isotonic"])
def test_separable_logits_stay_finite_and_certain(method) -> None:
    x, y = np.asarray([-3.0, -2.0, 2.0, 3.0] * 20), np.asarray([0, 0, 1, 1] * 20)
    scores = apply(fit(x, y, method=method), x)
    assert np.isfinite(scores).all()
    assert scores[y == 1].min() > 0.85
    assert scores[y == 0].max() < 0.15


def test_a_detector_that_ranks_backwards_is_not_turned_round() -> None:
    x, y = np.asarray([1.0, 2.0, -1.0, -2.0]), np.asarray([0, 0, 1, 1])
    for method in ("platt", "temperature"):
        assert fit(x, y, method=method).slope == 0.0
    assert np.ptp(apply(fit_isotonic(x, y), x)) == 0.0


@pytest.mark.parametrize("method", ["platt", "temperature", "isotonic"])
@given(
    st.lists(
        st.tuples(st.floats(-60, 60, allow_nan=False), st.integers(0, 1)), min_size=4, max_size=40
    )
)
@settings(max_examples=40, deadline=None)
def test_always_scores_in_order_between_0_and_1(method, rows) -> None:
    x, y = np.asarray([r[0] for r in rows]), np.asarray([r[1] for r in rows])
    y[:2] = (0, 1)
    calibration = fit(x, y, method=method)
    scores = apply(calibration, np.sort(x))
    assert ((scores >= 0) & (scores <= 1)).all()
    assert (np.diff(scores) >= -1e-12).all()
    assert scores[0] == pytest.approx(calibration(float(np.sort(x)[0])))


@pytest.mark.parametrize(
    ("logits", "labels", "message"),
    [
        ([1.0, 2.0], [1, 1], "needs real"),
        ([1.0, float("nan")], [0, 1], "NaN"),
        ([1.0], [0, 1], "arrays"),
    ],
)
def test_unusable_inputs_are_errors(logits, labels, message) -> None:
    with pytest.raises(MetricError, match=message):
        fit_platt(logits, labels)


def test_unknown_method_and_prior() -> None:
    with pytest.raises(MetricError, match="unknown calibration"):
        fit([0.0, 1.0], [0, 1], method="magic")  # type: ignore[arg-type]
    with pytest.raises(MetricError, match="prior"):
        fit_platt([0.0, 1.0], [0, 1], prior=1.5)
