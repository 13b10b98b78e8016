"""Which images lack a JPEG generation, and which one they are given."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from authentiscan.images.decode import decode, encode
from authentiscan.images.history import FEWEST, JpegHistory, needs_history


def stored(pixels: np.ndarray, format: str, **options: object) -> bytes:
    """As Pillow writes it, all formats."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format, **options)
    return buffer.getvalue()


@pytest.fixture
def photo(photos: dict[str, np.ndarray]) -> np.ndarray:
    return np.ascontiguousarray(photos["chelsea"][40:104, 60:140])


@pytest.mark.parametrize(
    ("format", "options", "needs"),
    [
        ("PNG", {}, True),
        ("BMP", {}, True),
        ("TIFF", {}, True),
        ("WEBP", {"lossless": True}, True),
        ("WEBP", {"quality": 80}, False),
        ("JPEG", {"quality": 90}, False),
        ("JPEG", {"quality": 96}, False),
        ("JPEG", {"quality": 97}, True),
        ("JPEG", {"quality": 100, "subsampling": "4:4:4"}, True),
    ],
)
def test_what_was_stored_without_loss_needs_one(
    photo: np.ndarray, format: str, options: dict[str, object], needs: bool
) -> None:
    data = stored(photo, format, **options)
    assert needs_history(data, decode(data).facts) is needs


@pytest.mark.parametrize(("step", "needs"), [(2, True), (12, False)])
def test_tables_of_their_own_count_by_how_fine_they_are(
    photo: np.ndarray, step: int, needs: bool
) -> None:
    tables = [[step + i % 2 for i in range(64)]] * 2
    data = stored(photo, "JPEG", qtables=tables)
    facts = decode(data).facts
    assert facts.jpeg_quality is None
    assert needs_history(data, facts) is needs


def test_settings_are_drawn_as_often_as_they_were_seen() -> None:
    seen = [(75, "4:2:0")] * 30 + [(92, "4:4:4")] * 10 + [(None, None), (99, "4:2:0")]
    history = JpegHistory.observe(seen)
    assert history == JpegHistory(((75, "4:2:0"), (92, "4:4:4")), (30, 10))
    rng = np.random.default_rng(0)
    drawn = [history.draw(rng) for _ in range(4000)]
    assert drawn.count((75, "4:2:0")) == pytest.approx(3000, abs=120)


def test_a_draw_is_one_entry_of_the_list() -> None:
    history = JpegHistory(((60, "4:2:0"), (70, "4:4:4"), (80, "4:2:0")), (2, 1, 3))
    for seed in range(20):
        place = int(np.random.default_rng(seed).integers(6))
        assert history.draw(np.random.default_rng(seed)) == history.listed()[place]


def test_few_images_tell_no_mix() -> None:
    few = [(66, "4:2:0")] * (FEWEST - 1)
    assert JpegHistory.observe(few) == JpegHistory()
    assert JpegHistory.observe([*few, (66, "4:2:0")]).settings == ((66, "4:2:0"),)


def test_unusual_subsampling_counts_as_the_usual_one() -> None:
    assert JpegHistory.observe([(80, "4:1:1")] * FEWEST).settings == ((80, "4:2:0"),)


def test_condensed_keeps_the_mix() -> None:
    many = JpegHistory(((70, "4:2:0"), (80, "4:2:0"), (90, "4:4:4")), (7000, 2000, 1000))
    small = many.condensed()
    assert small.settings == many.settings
    assert len(small.listed()) == 101
    assert small.counts[0] / 101 == pytest.approx(0.7, abs=0.01)
    assert JpegHistory().condensed() == JpegHistory()


def test_what_is_given_is_a_jpeg_of_the_drawn_quality(photo: np.ndarray) -> None:
    history = JpegHistory(((40, "4:4:4"),), (1,))
    expected = decode(encode(photo, "JPEG", quality=40, subsampling="4:4:4")).pixels
    assert np.array_equal(history.apply(photo, np.random.default_rng(1)), expected)
