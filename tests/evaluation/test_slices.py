"""Figures of the whole and of its parts."""

from __future__ import annotations

import numpy as np
import pytest

from authentiscan.evaluation.protocol import matched_weights
from authentiscan.evaluation.scores import ScoreTable
from authentiscan.evaluation.slices import Measuring, Options, count_groups, no_intervals

FAST = Options(rounds=50)


def table(labels: list[int], scores: list[float], **columns: list) -> ScoreTable:
    count = len(labels)
    names = ("name", "generator", "dataset", "source", "group", "style", "split", "format")
    blank: dict[str, list] = {name: [None] * count for name in names}
    blank |= {"width": [100] * count, "height": [100] * count, "jpeg_quality": [None] * count}
    return ScoreTable(
        labels=np.asarray(labels),
        scores=np.asarray(scores, dtype=float),
        logits=np.asarray(scores, dtype=float),
        columns=blank | columns,
        errors=[None] * count,
    )


@pytest.fixture
def two_generators() -> ScoreTable:
    labels = [0] * 6 + [1] * 6
    scores = [0.1, 0.2, 0.3, 0.2, 0.1, 0.6, 0.9, 0.8, 0.9, 0.2, 0.3, 0.1]
    generator = ["camera"] * 6 + ["alpha"] * 3 + ["beta"] * 3
    return table(labels, scores, generator=generator)


def test_generators_are_ranked_against_all_real_images(two_generators) -> None:
    parts = {s.name: s for s in Measuring(False, FAST).slicer(two_generators, 0.5).parts()}
    assert parts["alpha"].compared_with == "all real"
    assert parts["alpha"].metrics["roc_auc"].value == 1.0
    assert parts["alpha"].metrics["generated_accuracy"].value == 1.0
    assert parts["beta"].metrics["roc_auc"].value < 0.6
    assert parts["beta"].metrics["generated_accuracy"].value == 0.0
    assert parts["camera"].metrics["real_accuracy"].value == pytest.approx(5 / 6)
    assert (parts["camera"].real, parts["camera"].generated) == (6, 0)


def test_a_share_of_all_or_nothing_still_has_an_interval(two_generators) -> None:
    parts = {s.name: s for s in Measuring(False, FAST).slicer(two_generators, 0.5).parts()}
    figure = parts["alpha"].metrics["generated_accuracy"]
    assert (figure.high, figure.low < 1.0) == (1.0, True)


def test_sizes_of_one_class_have_no_weight() -> None:
    made = table(
        [0, 0, 1, 1],
        [0.1, 0.2, 0.8, 0.1],
        width=[100, 900, 100, 2000],
        height=[100, 900, 100, 2000],
    )
    overall = Measuring(True, FAST).slicer(made, 0.5).overall()
    assert overall.metrics["roc_auc"].value == 1.0
    weights = matched_weights(made.labels, made.column("size_band"))
    assert weights.tolist() == [1, 0, 1, 0]


def test_weights_give_both_classes_the_same_mix_of_bands() -> None:
    labels = [0] * 6 + [1] * 3
    bands = ["a", "a", "a", "a", "b", "b", "a", "b", "b"]
    weights = matched_weights(labels, bands)
    for band in ("a", "b"):
        at = [i for i, b in enumerate(bands) if b == band]
        real = sum(weights[i] for i in at if labels[i] == 0)
        assert real == pytest.approx(sum(weights[i] for i in at if labels[i] == 1))
    assert matched_weights([0, 1], ["a", "b"]) is None


def test_rows_without_a_group_are_their_own() -> None:
    assert count_groups(["a", "a", None, None, "b"]) == 4


def test_one_group_of_a_class_leaves_no_interval_and_says_so() -> None:
    made = table([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.1], group=["r", "r", "g", "g"])
    overall = Measuring(False, FAST).slicer(made, 0.5).overall()
    assert overall.metrics["roc_auc"].low is None
    assert "no intervals" in no_intervals(overall, FAST)[0]
    assert no_intervals(overall, Options(rounds=0)) == []
