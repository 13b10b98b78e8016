"""How many images a rate needs: the fewest whose interval is narrow enough."""

from __future__ import annotations

import numpy as np
import pytest

from authentiscan.core.errors import MetricError
from authentiscan.metrics.sample_size import half_width, images_for, sentences
from authentiscan.metrics.thresholds import share_interval


@pytest.mark.parametrize(("hits", "images"), [(1, 100), (5, 100), (20, 2000), (50, 100)])
def test_the_width_is_that_of_the_interval_we_report(hits: int, images: int) -> None:
    _, low, high = share_interval(np.arange(images) < hits)
    assert half_width(hits / images, images) == pytest.approx((high - low) / 2, rel=1e-9)


@pytest.mark.parametrize("rate", [0.001, 0.01, 0.05, 0.5])
@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_it_is_the_fewest(rate: float, share: float) -> None:
    within = rate * share
    found = images_for(rate, within)
    assert half_width(rate, found) <= within
    assert found == 1 or half_width(rate, found - 1) > within


def test_the_textbooks_number() -> None:
    # p (1 - p) (1.96 / 0.005)^2 = 1521; Wilson's interval is a little wider.
    assert images_for(0.01, 0.005) == pytest.approx(1521, rel=0.1)


def test_groups_count_once() -> None:
    labels = [0, 0, 0, 0, 1]
    (told,) = sentences((0.05,), labels, ["a", "a", None, None, None])
    assert "here are 3, not enough" in told
    assert "5 % to ±2.5 points" in told
    (told,) = sentences((0.5,), [0] * 100, [None] * 100)
    assert told.endswith("here are 100, enough")


@pytest.mark.parametrize(("rate", "within"), [(0, 0.1), (1, 0.1), (0.1, 0), (0.1, 1)])
def test_rates_and_intervals_lie_between_0_and_1(rate: float, within: float) -> None:
    with pytest.raises(MetricError):
        images_for(rate, within)
