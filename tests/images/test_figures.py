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


def test_noise_is_that_of_the_filter_whatever_the_height() -> None:
    """Immerkær's filter by a plain convolution, blocks by a plain loop."""
    rng = np.random.default_rng(3)
    mask = np.asarray([[1, -2, 1], [-2, 4, -2], [1, -2, 1]])
    for height in (16, 64, 80, 200):
        green = rng.integers(60, 180, (height, 48))
        padded = np.pad(green, 1, mode="edge")
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3))
        squares = (windows * mask).sum(axis=(2, 3)) ** 2
        blocks = [
            np.sqrt(squares[y : y + 16, x : x + 16].sum() / (36 * 256))
            for y in range(0, height // 16 * 16, 16)
            for x in range(0, 48, 16)
        ]
        pixels = np.repeat(green[..., None], 3, axis=2).astype(np.uint8)
        assert measure(pixels)["noise"] == pytest.approx(np.percentile(blocks, 10), rel=1e-9)


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


def test_noise_is_the_deviation_of_the_filtered_blocks() -> None:
    """Against the plain sum over one block: Immerkær's 3×3 filter, edges repeated."""
    block = np.random.default_rng(3).integers(40, 200, (16, 16)).astype(np.uint8)
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]])
    wide = np.pad(block.astype(int), 1, mode="edge")
    filtered = [
        (wide[y : y + 3, x : x + 3] * kernel).sum() / 6 for y in range(16) for x in range(16)
    ]
    expected = np.sqrt(np.mean(np.square(filtered)))
    found = measure(np.repeat(block[:, :, None], 3, axis=2))["noise"]
    assert found == pytest.approx(expected, rel=1e-6)
