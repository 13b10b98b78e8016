"""Deletion and insertion find maps that are right, and those that are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from authentiscan.core.errors import UsageError
from authentiscan.core.types import Prediction
from authentiscan.explain.base import Heatmap
from authentiscan.explain.faithfulness import Faithfulness, faithfulness, summarise
from authentiscan.explain.sanity import randomised_similarity, rank_correlation
from authentiscan.images.preprocess import Preprocess
from authentiscan.inference import load_detector
from authentiscan.metrics.calibration import sigmoid


class RedDetector:
    """Knows one thing: how much of the picture's upper left is red. Its true map is known."""

    def predict_many(self, sources):
        for pixels in sources:
            red = pixels[:32, :32, 0].astype(np.float32) - pixels[:32, :32, 1]
            score = sigmoid(float(red.mean()) / 16 - 4)
            yield Prediction(score, score, ())


@pytest.fixture
def red():
    image = np.random.default_rng(0).integers(60, 120, (64, 64, 3), dtype=np.uint8)
    image[:32, :32, 0] = 220
    return image


def found(values: np.ndarray) -> Heatmap:
    return Heatmap(values.astype(np.float32), np.ones(values.shape, bool), 0.9, "generated")


def test_the_true_map_beats_random_and_a_wrong_one_does_not(red):
    true = np.zeros((64, 64))
    true[:32, :32] = 1
    arguments = {"cell": 8, "fill": "mean", "random_orders": 4}
    right = faithfulness(RedDetector(), red, found(true), **arguments)
    wrong = faithfulness(RedDetector(), red, found(1 - true), **arguments)
    assert right.cells == 64
    assert right.deletion_gain > 0.2
    assert right.insertion_gain > 0.2
    assert wrong.deletion_gain < 0
    assert wrong.insertion_gain < 0
    assert right.deletion < min(right.random_deletion)
    assert 0 <= right.deletion <= 1
    assert right == faithfulness(RedDetector(), red, found(true), **arguments)


def test_for_real_the_curves_are_of_the_other_probability(red):
    values = found(np.ones((64, 64)))
    generated = faithfulness(RedDetector(), red, values, cell=16, steps=4)
    other = Heatmap(values.raw, values.covered, 0.9, "real")
    real = faithfulness(RedDetector(), red, other, cell=16, steps=4)
    assert generated.deletion + real.deletion == pytest.approx(1)


def test_places_the_detector_did_not_see_are_not_ranked(red):
    covered = np.zeros((64, 64), bool)
    covered[:16] = True
    partly = Heatmap(np.ones((64, 64), np.float32), covered, 0.9, "generated")
    assert faithfulness(RedDetector(), red, partly, cell=16, steps=2).cells == 4


@pytest.mark.parametrize(
    "wrong", [{"steps": 1}, {"cell": 0}, {"random_orders": 0}, {"fill": "noise"}]
)
def test_arguments_out_of_range(red, wrong):
    with pytest.raises(UsageError):
        faithfulness(RedDetector(), red, found(np.ones((64, 64))), **wrong)


def test_summary_speaks_plainly():
    good = Faithfulness(0.2, 0.8, 0.5, 0.5, (0.5, 0.6), (0.4, 0.5), 10)
    bad = Faithfulness(0.6, 0.4, 0.5, 0.5, (0.5, 0.6), (0.4, 0.5), 10)
    assert summarise([good] * 5).better_than_chance
    assert "more faithful" in summarise([good] * 5).sentence
    mixed = summarise([good, bad, bad])
    assert not mixed.better_than_chance
    assert "not shown to be better than chance" in mixed.sentence
    assert mixed.deletion_gain[1] <= mixed.deletion_gain[0] <= mixed.deletion_gain[2]
    with pytest.raises(UsageError):
        summarise([])


def test_random_weights_destroy_the_maps(tiny_bundle: Path, photos):
    detector = load_detector(tiny_bundle, backend="torch", threads=1)
    before = {
        name: value.clone() for name, value in detector.network.backend.model.state_dict().items()
    }
    crops, _ = Preprocess(size=64, max_crops=16).crops(photos["astronaut"])
    stages = randomised_similarity(detector.network, crops, stages=3)
    assert [stage.share for stage in stages] == sorted(stage.share for stage in stages)
    assert stages[-1].share == 1.0
    assert abs(stages[-1].similarity) < 0.8
    assert stages == randomised_similarity(detector.network, crops, stages=3)
    many = randomised_similarity(detector.network, crops, stages=60)
    assert len({stage.layers for stage in many}) == len(many) < 60
    after = detector.network.backend.model.state_dict()
    assert all((after[name] == value).all() for name, value in before.items())


def test_the_sanity_check_needs_torch(tiny_bundle, photos):
    detector = load_detector(tiny_bundle)
    with pytest.raises(UsageError, match="torch backend"):
        randomised_similarity(detector.network, photos["coffee"][None, :64, :64])
    with pytest.raises(UsageError, match="at least 2 stages"):
        randomised_similarity(detector.network, photos["coffee"][None, :64, :64], stages=1)


def test_rank_correlation_is_spearmans():
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 9, (2, 8, 8)).astype(np.float32)
    assert rank_correlation(a, b) == pytest.approx(stats.spearmanr(a.ravel(), b.ravel())[0])
    assert rank_correlation(a, np.zeros_like(a)) == 0
