"""What each protocol does to pixels, and how sizes are matched."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from authentiscan.core.errors import UsageError
from authentiscan.evaluation.protocol import (
    MATCHED,
    RAW,
    Protocol,
    matched_weights,
    named,
)
from authentiscan.images import degrade
from authentiscan.images.decode import decode, encode
from authentiscan.images.degrade import image_rng
from authentiscan.images.history import JpegHistory
from authentiscan.manifest.table import Manifest


def history(*settings: tuple[int, str]) -> Protocol:
    """The history protocol that draws from these settings."""
    return replace(named("history"), history=JpegHistory(settings, (1,) * len(settings)))


@pytest.fixture
def photo(photos: dict[str, np.ndarray]) -> np.ndarray:
    return np.ascontiguousarray(photos["coffee"][40:168, 60:200])


def jpeg(pixels: np.ndarray, quality: int, subsampling: str = "4:2:0") -> np.ndarray:
    return decode(encode(pixels, "JPEG", quality=quality, subsampling=subsampling)).pixels


def test_raw_leaves_pixels_alone(photo) -> None:
    assert np.array_equal(RAW(photo, True, image_rng(0)), photo)


def test_matched_is_one_jpeg_for_every_image(photo) -> None:
    expected = jpeg(photo, 90)
    for lossless in (True, False):
        assert np.array_equal(MATCHED(photo, lossless, image_rng(0)), expected)


def test_history_gives_lossless_images_one_compression_more(photo) -> None:
    protocol = history((60, "4:2:0"))
    rng = image_rng(0, "photo")
    lossless = protocol(photo, True, rng)
    compressed = protocol(jpeg(photo, 60), False, image_rng(0, "photo"))
    # The photograph saved at 60 before, and the lossless one, end as the very same pixels.
    assert np.array_equal(lossless, compressed)
    assert lossless.shape == photo.shape


def test_history_moves_the_grid_of_both_classes(photo) -> None:
    protocol = history((75, "4:2:0"))
    once = jpeg(photo, 75)
    aligned = jpeg(once, 90)
    moved = [protocol(once, False, image_rng(0, str(i))) for i in range(24)]
    assert sum(not np.array_equal(m, aligned) for m in moved) > 16


def test_history_is_seeded_and_draws_alike_whatever_the_format(photo) -> None:
    protocol = history((60, "4:2:0"), (80, "4:4:4"), (95, "4:2:0"))
    first = protocol(photo, True, image_rng(7, "x"))
    assert np.array_equal(first, protocol(photo, True, image_rng(7, "x")))
    rngs = image_rng(7, "x"), image_rng(7, "x")
    protocol(photo, True, rngs[0])
    protocol(photo, False, rngs[1])
    assert rngs[0].random() == rngs[1].random()


@pytest.mark.parametrize("shape", [(1, 1), (3, 9), (8, 8), (32, 32)])
def test_history_keeps_tiny_sizes(shape) -> None:
    pixels = np.full((*shape, 3), 90, dtype=np.uint8)
    assert named("history")(pixels, True, image_rng(0)).shape == pixels.shape


def test_history_draws_from_the_images_at_hand(photo) -> None:
    data = [encode(photo, "JPEG", quality=75)] * 30
    data += [encode(photo, "JPEG", quality=92, subsampling="4:4:4")] * 10
    kinds = {"label": [0] * 40, "generator": ["camera"] * 40, "dataset": ["d"] * 40}
    table = pa.table({"image": data, **kinds, "group": [str(i) for i in range(40)]})
    found = named("history", Manifest(table)).history
    assert found == JpegHistory(((75, "4:2:0"), (92, "4:4:4")), (30, 10))
    few = named("history", Manifest(table.slice(0, 19)))
    assert few.key == named("history").key
    assert named("raw", Manifest(table)) is RAW


def test_keys_of_stored_scores_stay_what_they_were() -> None:
    listed = "(75, '4:2:0'), (80, '4:2:0'), (85, '4:2:0'), (90, '4:2:0'), (92, '4:2:0'), "
    assert named("history").key == f"{degrade.Chain()};first=({listed}(95, '4:2:0'))"
    assert RAW.key == f"{degrade.Chain()};first=()"


def test_names_and_chains() -> None:
    assert named("raw") is RAW
    assert named("matched") is MATCHED
    own = named("resize:scale=0.5")
    assert own.size_matched
    assert own.key != MATCHED.key
    with pytest.raises(UsageError, match="none of"):
        named("mached")


def test_then_appends_steps(photo) -> None:
    both = MATCHED.then("smaller", "resize:scale=0.5,kernel=bicubic")
    assert both(photo, True, image_rng(0)).shape == (64, 70, 3)
    assert both.size_matched


def test_matched_weights_give_both_classes_the_same_sizes() -> None:
    y = np.asarray([0] * 6 + [1] * 4 + [0] * 2)
    bands = ["s"] * 4 + ["m"] * 2 + ["s"] * 1 + ["m"] * 3 + ["l"] * 2
    w = matched_weights(y, bands)
    for band, expected in (("s", 1.0), ("m", 2.0), ("l", 0.0)):
        member = np.asarray([b == band for b in bands])
        assert w[member & (y == 0)].sum() == pytest.approx(expected)
        assert w[member & (y == 1)].sum() == pytest.approx(expected)
    assert w.max() <= 1.0
    assert matched_weights([0, 1], ["s", "m"]) is None
