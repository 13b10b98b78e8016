"""Distances, probabilities and fit, against what can be counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from authentiscan.attribution.prototypes import (
    Prototypes,
    fits,
    nearest,
    probabilities,
    prototype_of,
)
from authentiscan.attribution.spec import Generator, LogitTerm
from authentiscan.core.errors import UsageError


def test_squared_distances() -> None:
    known = Prototypes(("a", "b"), np.array([[0.0, 0.0], [3.0, 4.0]]), np.array([0.0, 5.0]))
    found = known.squared_distances(np.array([[0.0, 0.0], [3.0, 3.0]]))
    assert found.tolist() == [[0.0, 20.0], [18.0, 0.0]]  # 25 - 5, and 1 - 5 is not under 0


def test_a_small_logit_moves_a_generator_away() -> None:
    term = LogitTerm(weight=2.0, own=3.0, top=5.0)
    trained = Generator(name="a", prototype=(0, 0), images=9, logit=(1.0, 0.0, 1.0))
    added = Generator(name="b", prototype=(1, 0), images=9, registered=True)
    known = Prototypes.of((trained, added), term)
    found = known.squared_distances(np.array([[0.0, 0.0], [1.0, 0.0], [9.0, 0.0]]))
    assert found[:, 0].tolist() == [2 * (5 - 1), 1 + 2 * (5 - 2), 81]  # at the top none is missing
    assert found[:, 1].tolist() == [1 + 2 * (5 - 3), 2 * (5 - 3), 64 + 2 * (5 - 3)]
    plain = Prototypes.of((trained, added))
    assert plain.squared_distances(np.array([[1.0, 0.0]])).tolist() == [[1.0, 0.0]]


def test_another_width_is_told() -> None:
    known = Prototypes(("a", "b"), np.zeros((2, 3)), np.zeros(2))
    with pytest.raises(UsageError, match="the prototypes have 3 numbers"):
        known.squared_distances(np.zeros((1, 2)))


def test_probabilities_sum_to_one_and_follow_the_distance() -> None:
    shares = probabilities(np.array([[0.0, 2.0, 1e9]]), 2.0)
    assert shares.sum() == pytest.approx(1)
    assert shares[0, 0] / shares[0, 1] == pytest.approx(np.e)
    assert shares[0, 2] == 0


def test_fit_is_the_share_that_lies_at_least_as_far() -> None:
    found = fits(np.array([0.0, 2.0, 3.5, 99.0]), [1.0, 2.0, 3.0, 4.0])
    assert found.tolist() == [1.0, 0.8, 0.4, 0.2]


def test_few_known_images_fall_under_a_level() -> None:
    """Fit is calibrated: of new images like the held-out ones, 5 % are under 5 %."""
    rng = np.random.default_rng(0)
    held_out, new = np.sort(rng.chisquare(8, 2000)), rng.chisquare(8, 20_000)
    assert (fits(new, held_out.tolist()) < 0.05).mean() == pytest.approx(0.05, abs=0.01)


def test_the_nearest_name() -> None:
    said, fit = nearest(np.array([[4.0, 1.0], [0.0, 9.0]]), ("a", "b"), [0.5, 2.0])
    assert said == ["b", "a"]
    assert fit.tolist() == [pytest.approx(2 / 3), 1.0]


def test_a_prototype_of_few_images_knows_that_it_is_rough() -> None:
    rng = np.random.default_rng(1)
    few, many = rng.normal(0, 1, (4, 50)), rng.normal(0, 1, (400, 50))
    assert prototype_of("x", few).uncertainty == pytest.approx(50 / 4, rel=0.3)
    assert prototype_of("x", many).uncertainty == pytest.approx(50 / 400, rel=0.1)
    # with it, distances to a rough prototype are as large as to a sure one
    new = rng.normal(0, 1, (500, 50))
    rough, sure = (
        Prototypes.of([prototype_of("x", made)]).squared_distances(new).mean()
        for made in (few, many)
    )
    assert rough == pytest.approx(sure, rel=0.15)


def test_one_image_is_too_few() -> None:
    with pytest.raises(UsageError, match="2 images or more, got 1"):
        prototype_of("x", np.zeros((1, 3)))
