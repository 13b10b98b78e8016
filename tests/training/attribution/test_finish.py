"""Prototypes, whitening, temperature and distances from embeddings."""

from __future__ import annotations

import numpy as np
import pytest

from authentiscan.attribution.prototypes import probabilities
from authentiscan.training.attribution.finish import Embedded, finish

SCATTER = np.array([[4.0, 1.5], [1.5, 1.0]])


def drawn(count: int, seed: int) -> Embedded:
    rng = np.random.default_rng(seed)
    codes = np.arange(3 * count) % 3
    centres = np.array([[0.0, 0.0], [6.0, 0.0], [0.0, 6.0]])
    return Embedded(centres[codes] + rng.multivariate_normal([0, 0], SCATTER, len(codes)), codes)


def test_whitened_images_scatter_alike_in_all_directions() -> None:
    made = finish(drawn(400, 0), drawn(400, 1), 3)
    new = drawn(2000, 2)
    centres = np.array([generator.prototype for generator in made.generators])
    apart = made.whitened(new.values) - centres[new.codes]
    low, high = np.linalg.eigvalsh(np.cov(apart, rowvar=False))
    before = np.linalg.eigvalsh(SCATTER)
    assert high / low < 2 < before[1] / before[0] / 4
    assert (low + high) / 2 == pytest.approx(1, abs=0.2)
    assert [generator.images for generator in made.generators] == [400, 400, 400]


def test_distances_and_probabilities_are_calibrated() -> None:
    made = finish(drawn(400, 0), drawn(400, 1), 3)
    new = drawn(2000, 2)
    squared = made.squared(new.values)
    limit = np.quantile(made.distances, 0.95)
    assert (squared.min(axis=1) > limit).mean() == pytest.approx(0.05, abs=0.02)
    shares = probabilities(squared, made.temperature)
    right = squared.argmin(axis=1) == new.codes
    assert shares.max(axis=1).mean() == pytest.approx(right.mean(), abs=0.04)
    assert made.temperature == pytest.approx(2, rel=0.5)  # of equal Gaussians it is 2


def test_many_validation_images_leave_a_thousand_distances() -> None:
    made = finish(drawn(100, 0), drawn(1000, 1), 3)
    assert len(made.distances) == 1000
    assert list(made.distances) == sorted(made.distances)


def test_logits_are_those_of_the_raw_embedding() -> None:
    rng = np.random.default_rng(3)
    linear = (rng.normal(size=(3, 2)), rng.normal(size=3))
    made = finish(drawn(400, 0), drawn(400, 1), 3, linear)
    rows = np.array([generator.logit for generator in made.generators])
    values = drawn(50, 2).values
    found = made.whitened(values) @ rows[:, :-1].T + rows[:, -1]
    assert found == pytest.approx(values @ linear[0].T + linear[1], abs=1e-3)


def test_logits_take_part_where_they_help() -> None:
    """Classes of unlike scatter, which distances with one scatter tell apart badly."""

    def unlike(count: int, seed: int) -> Embedded:
        rng = np.random.default_rng(seed)
        codes = np.arange(2 * count) % 2
        wide = np.where(codes == 0, 0.2, 4.0)[:, None]
        centres = np.array([[0.0, 0.0], [4.0, 0.0]])[codes]
        return Embedded(centres + rng.normal(size=(2 * count, 2)) * wide, codes)

    sure = (np.array([[-8.0, 0.0], [8.0, 0.0]]), np.array([8.0, -8.0]))  # the border lies at 1
    without = finish(unlike(400, 0), unlike(400, 1), 2)
    joined = finish(unlike(400, 0), unlike(400, 1), 2, sure)
    assert joined.logits is not None
    assert joined.logits.top >= joined.logits.own
    new = unlike(4000, 2)
    right = [(m.squared(new.values).argmin(axis=1) == new.codes).mean() for m in (without, joined)]
    assert right[1] > right[0] + 0.02
    useless = finish(drawn(400, 0), drawn(400, 1), 3, (np.zeros((3, 2)), np.zeros(3)))
    assert useless.logits is None
