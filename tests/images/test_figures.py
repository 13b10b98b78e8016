"""Plain figures of a picture."""

from __future__ import annotations

import numpy as np
import pytest

from authentiscan.images.figures import FIGURES, measure, typical_ranges


def test_figures_of_a_plain_red_picture() -> None:
    red = np.zeros((32, 48, 3), np.uint8)
    red[..., 0] = 200
    found = measure(red)
    assert found["brightness"] == pytest.approx(200 * 0.299, abs=0.01)
    assert found["contrast"] == pytest.approx(0, abs=1e-3)
    assert found["saturation"] == 200
    assert found["fine detail"] == pytest.approx(np.log(0.01), abs=1e-3)


def test_blur_lowers_detail_and_nothing_else_much(photos: dict[str, np.ndarray]) -> None:
    sharp = photos["coffee"]
    blurred = (sharp[1:].astype(np.uint16) + sharp[:-1]) // 2
    before, after = measure(sharp), measure(blurred.astype(np.uint8))
    assert after["fine detail"] < before["fine detail"] - 0.05
    assert after["brightness"] == pytest.approx(before["brightness"], rel=0.02)


def test_smallest_pictures_are_measured() -> None:
    assert set(measure(np.full((1, 1, 3), 7, np.uint8))) == set(FIGURES)


def test_ranges_leave_out_the_stated_share() -> None:
    measured = [dict.fromkeys(FIGURES, float(i)) for i in range(1001)]
    assert typical_ranges(measured, outside=0.04)["contrast"] == (5.0, 995.0)
    rng = np.random.default_rng(0)
    other = [dict(zip(FIGURES, row, strict=True)) for row in rng.normal(size=(4000, len(FIGURES)))]
    ranges = typical_ranges(other)
    odd = sum(any(not ranges[n][0] <= m[n] <= ranges[n][1] for n in FIGURES) for m in other)
    assert 0.005 <= odd / len(other) <= 0.0105  # of any figure, not of each
