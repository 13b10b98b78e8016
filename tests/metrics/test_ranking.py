"""Every metric against scikit-learn or torchmetrics, ties included."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from authentiscan.core.errors import MetricError
from authentiscan.metrics import ranking as metrics

# Few distinct scores, so that ties are common; 0, 0.5 and 1 among them.
tied = st.integers(2, 60).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(0, 1), min_size=n, max_size=n),
        st.lists(st.integers(0, 12).map(lambda k: k / 12), min_size=n, max_size=n),
        st.lists(st.integers(0, 3), min_size=n, max_size=n),
    )
)


def reference(y: np.ndarray, s: np.ndarray, w: np.ndarray, threshold: float) -> dict[str, float]:
    called = s >= threshold
    options = {"sample_weight": w}
    return {
        "accuracy": sk.accuracy_score(y, called, **options),
        "balanced_accuracy": sk.balanced_accuracy_score(y, called, **options),
        "precision": sk.precision_score(y, called, zero_division=0, **options),
        "recall": sk.recall_score(y, called, **options),
        "generated_accuracy": sk.recall_score(y, called, **options),
        "real_accuracy": sk.recall_score(y, called, pos_label=0, **options),
        "f1": sk.f1_score(y, called, **options),
        "roc_auc": sk.roc_auc_score(y, s, **options),
        "partial_auc": sk.roc_auc_score(y, s, max_fpr=0.1, **options),
        "average_precision": sk.average_precision_score(y, s, **options),
        "brier": sk.brier_score_loss(y, s, **options),
    }


@given(tied, st.sampled_from([0.25, 0.5, 0.5 + 1e-9, 11 / 12]))
@settings(max_examples=150, deadline=None)
def test_equal_to_scikit_learn(data, threshold) -> None:
    y, s, w = (np.asarray(part) for part in data)
    assume(w[y == 0].sum() > 0 and w[y == 1].sum() > 0)
    found = metrics.measure(y, s, threshold=threshold, weights=w)
    for name, value in reference(y, s, w, threshold).items():
        assert found[name] == pytest.approx(value, abs=1e-9), name


@given(tied)
@settings(max_examples=100, deadline=None)
def test_tpr_at_fpr_is_the_best_allowed_point_of_the_roc_curve(data) -> None:
    y, s, _ = (np.asarray(part) for part in data)
    assume(0 < y.sum() < len(y))
    x, t, _ = sk.roc_curve(y, s, drop_intermediate=False)
    found = metrics.measure(y, s)
    for name, fpr in metrics.FPR_LEVELS.items():
        assert found[name] == pytest.approx(t[x <= fpr + 1e-12].max())


def test_tpr_at_fpr_and_calibration_error_equal_to_torchmetrics() -> None:
    torch = pytest.importorskip("torch")
    from torchmetrics.functional.classification import (
        binary_calibration_error,
        binary_sensitivity_at_specificity,
    )

    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 500)
    s = np.clip(rng.normal(0.4 + 0.2 * y, 0.2), 0, 0.999)
    target, scores = torch.from_numpy(y), torch.from_numpy(s)
    found = metrics.measure(y, s)
    ece = binary_calibration_error(scores, target, n_bins=15, norm="l1")
    assert found["ece"] == pytest.approx(float(ece), abs=1e-6)
    for name, fpr in metrics.FPR_LEVELS.items():
        value, _ = binary_sensitivity_at_specificity(scores, target, min_specificity=1 - fpr)
        assert found[name] == pytest.approx(float(value), abs=1e-6)


def test_score_at_the_threshold_is_called_generated() -> None:
    assert metrics.measure([1], [0.5])["accuracy"] == 1.0
    assert metrics.measure([0], [0.5])["accuracy"] == 0.0


def test_weights_equal_repeated_rows() -> None:
    rng = np.random.default_rng(1)
    y, s, w = rng.integers(0, 2, 40), rng.integers(0, 9, 40) / 9, rng.integers(0, 4, 40)
    once = metrics.measure(y, s, weights=w)
    repeated = metrics.measure(np.repeat(y, w), np.repeat(s, w))
    assert once == pytest.approx(repeated)


def test_one_class_leaves_ranking_metrics_undefined_and_the_others_defined() -> None:
    found = metrics.measure([0, 0, 0], [0.1, 0.2, 0.9])
    assert found["real_accuracy"] == pytest.approx(2 / 3)
    assert found["brier"] == pytest.approx((0.01 + 0.04 + 0.81) / 3)
    for name in ("roc_auc", "partial_auc", "average_precision", "tpr_at_fpr_5", "recall"):
        assert np.isnan(found[name]), name
    with pytest.raises(MetricError, match="all 3 images are real"):
        metrics.roc_auc([0, 0, 0], [0.1, 0.2, 0.9])
    with pytest.raises(MetricError, match="weight on both"):
        metrics.roc_auc([0, 1], [0.1, 0.2], weights=[1, 0])
    assert metrics.roc_auc([0, 0, 1, 1], [0.1, 0.4, 0.4, 0.9]) == 0.875


def test_logits_rank_but_have_no_calibration() -> None:
    found = metrics.measure([0, 1], [-3.0, 7.0], threshold=0.0)
    assert found["roc_auc"] == 1.0
    assert np.isnan(found["brier"])
    assert np.isnan(found["ece"])


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        ([], [], "no scores"),
        ([0, 1], [0.1], "two \\(N,\\) arrays"),
        ([0, 1], [0.1, float("nan")], "1 of 2 scores are NaN"),
        ([0, 1], [0.1, float("inf")], "infinite"),
        ([0, 2], [0.1, 0.2], "labels must be 0 or 1"),
        ([[0, 1]], [[0.1, 0.2]], "arrays"),
    ],
)
def test_unmeasurable_inputs_are_clear_errors(labels, scores, message) -> None:
    with pytest.raises(MetricError, match=message):
        metrics.measure(labels, scores)


@pytest.mark.parametrize("weights", [[1.0], [-1.0, 1.0], [float("nan"), 1.0], [0.0, 0.0]])
def test_bad_weights_are_errors(weights) -> None:
    with pytest.raises(MetricError, match="weights"):
        metrics.measure([0, 1], [0.1, 0.2], weights=weights)


def test_constant_scores_are_chance() -> None:
    found = metrics.measure([0, 1, 0, 1], [0.3] * 4)
    assert found["roc_auc"] == 0.5
    assert found["partial_auc"] == pytest.approx(0.5)
    assert found["tpr_at_fpr_5"] == 0.0
    assert found["average_precision"] == 0.5
