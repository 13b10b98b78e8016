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
    assert typical_ranges(measured, outside=0.05)["contrast"] == (5.0, 995.0)
    rng = np.random.default_rng(0)
    other = [dict(zip(FIGURES, row, strict=True)) for row in rng.normal(size=(4000, len(FIGURES)))]
    ranges = typical_ranges(other)
    odd = sum(any(not ranges[n][0] <= m[n] <= ranges[n][1] for n in FIGURES) for m in other)
    assert 0.005 <= odd / len(other) <= 0.0105  # of any figure, not of each


@pytest.mark.parametrize("level", [2, 4, 8])
def test_white_noise_gives_about_its_own_level(photos: dict[str, np.ndarray], level: int) -> None:
    rng = np.random.default_rng(level)
    for name in ("coffee", "china"):
        noisy = np.clip(np.rint(photos[name] + rng.normal(0, level, photos[name].shape)), 0, 255)
        assert measure(noisy.astype(np.uint8))["noise"] == pytest.approx(level, rel=0.35)


def test_noise_is_seen_where_it_is_not_clipped() -> None:
    """Half the picture is white: noise is cut off there, and the other half tells."""
    rng = np.random.default_rng(0)
    page = np.full((128, 256, 3), 255.0)
    page[:, 128:] = 100
    noisy = np.clip(np.rint(page + rng.normal(0, 5, page.shape)), 0, 255).astype(np.uint8)
    assert measure(noisy)["noise"] == pytest.approx(5, rel=0.2)
    assert measure(page.astype(np.uint8))["noise"] == 0.0
