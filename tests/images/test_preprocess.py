"""The preprocessing contract, pinned to the bit and checked for what every policy promises."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from authentiscan.images.preprocess import Preprocess

POLICIES = {
    "centre": Preprocess(size=96),
    "grid": Preprocess(size=96, max_crops=9),
    "thinned": Preprocess(size=32, max_crops=5),
    "reflect": Preprocess(size=256, max_crops=4, small_image="reflect"),
    "tile": Preprocess(size=256, small_image="tile"),
    "upscale": Preprocess(size=256, small_image="upscale", max_crops=2),
    "short-side": Preprocess(size=64, resize="short_side", interpolation="bilinear"),
    "squash": Preprocess(size=64, resize="squash", interpolation="lanczos"),
    "rim": Preprocess(size=64, resize="short_side", short_side=80, interpolation="bilinear"),
    "black": Preprocess(size=256, small_image="black"),
    "half": Preprocess(size=96, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)),
}

# SHA-256 of the tensor's bytes for `image()`. A change here means that every bundle ever made
# scores differently: never update these without a new schema version of the bundle.
PINNED = {
    "centre": "d9f84d865356fa946ad719f0bc51117e561d2e202ed9dd4fa1a2496215a26f75",
    "grid": "a1b1fa89634dfc904dc906e604f596427961a45f9ebcfcafa0ac34bbec4edc63",
    "thinned": "701121c5d2a8fd2b5f3564287ad0af23ca9e431b1fc9add338669f6fc3441775",
    "reflect": "82d90c0c4e7596a9ef475b4a5ccc0501c78fce80c7c55c9f772b518ef38cd15f",
    "tile": "2ade530a7eedc4c7251b097094b2e4eab7472925a3cceb485c75b3a8e833e866",
    "upscale": "d7589be0657a137a37eba13ed985d99fd9c3f6c5798b01d0ef90ceab102c4449",
    "short-side": "39003cb0414257d0fbb3b465e186b2c402e8d074a6a099c1dc59a1f53c57f6b1",
    "squash": "5e49256afe46a78a0558ed33fba49d8f87a06a2c82e727d385314b6295f4beec",
    "rim": "4c6f41e2af19b3454f04f696fbe77f2bc979aec00c095623e14ff94cf1e42308",
    "black": "4bb5f949389c709a9a0ca72194f23cfda31cbbdb1b9ba0d08b07f76888de2556",
    "half": "8d4408cb68c89f340f353cfe4aa5e84ba4f23108dd9bc934d2d7c733c555c8aa",
}


def image() -> np.ndarray:
    return np.random.default_rng(20).integers(0, 256, (150, 210, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", sorted(POLICIES))
def test_tensor_is_pinned_to_the_bit(name: str) -> None:
    policy = POLICIES[name]
    crops, _ = policy.crops(image())
    tensor = policy.tensor(crops)
    assert tensor.dtype == np.float32
    assert tensor.flags.c_contiguous
    digest = hashlib.sha256(str(tensor.shape).encode() + tensor.astype("<f4").tobytes())
    assert digest.hexdigest() == PINNED[name]


@settings(max_examples=200, deadline=None)
@given(
    height=st.integers(1, 400),
    width=st.integers(1, 400),
    size=st.integers(8, 128),
    crops=st.integers(1, 20),
    small=st.sampled_from(["reflect", "tile", "upscale"]),
    resize=st.sampled_from(["none", "short_side", "squash"]),
)
def test_any_image_gives_whole_crops_inside_the_fitted_image(
    height: int, width: int, size: int, crops: int, small: str, resize: str
) -> None:
    policy = Preprocess(size=size, max_crops=crops, small_image=small, resize=resize)
    pixels = np.zeros((height, width, 3), np.uint8)
    fitted = policy.fit(pixels)
    taken, boxes = policy.crops(pixels)
    assert taken.shape == (len(boxes), size, size, 3)
    assert 1 <= len(boxes) <= crops
    assert len(set(boxes)) == len(boxes)
    for box in boxes:
        assert 0 <= box.left <= fitted.shape[1] - size
        assert 0 <= box.top <= fitted.shape[0] - size


def test_a_grid_with_room_covers_every_pixel() -> None:
    policy = Preprocess(size=50, max_crops=100)
    seen = np.zeros((173, 298), bool)
    for box in policy.boxes(173, 298):
        seen[box.top : box.top + box.height, box.left : box.left + box.width] = True
    assert seen.all()


def test_one_crop_is_the_centre() -> None:
    (box,) = Preprocess(size=10).boxes(30, 51)
    assert (box.left, box.top) == (20, 10)


def test_native_crops_keep_the_pixels() -> None:
    pixels = image()
    crops, boxes = Preprocess(size=64, max_crops=6).crops(pixels)
    for crop, box in zip(crops, boxes, strict=True):
        part = pixels[box.top : box.top + 64, box.left : box.left + 64]
        np.testing.assert_array_equal(crop, part)


def test_small_images_are_mirrored_or_repeated() -> None:
    pixels = image()[:20, :30]
    mirrored = Preprocess(size=50, small_image="reflect").fit(pixels)
    np.testing.assert_array_equal(mirrored[20:40, :30], pixels[::-1])
    repeated = Preprocess(size=50, small_image="tile").fit(pixels)
    np.testing.assert_array_equal(repeated[20:40, :30], pixels)


def test_tensor_is_the_textbook_normalisation() -> None:
    policy = Preprocess(size=16)
    crops = image()[None, :16, :16]
    expected = (crops / 255.0 - np.array(policy.mean)) / np.array(policy.std)
    np.testing.assert_allclose(policy.tensor(crops)[0], expected[0].transpose(2, 0, 1), atol=1e-5)


def test_tensor_leaves_its_input_alone() -> None:
    crops = image()[None, :16, :16].copy()
    before = crops.copy()
    Preprocess(size=16).tensor(crops)
    np.testing.assert_array_equal(crops, before)


@pytest.mark.parametrize(("pooling", "expected"), [("mean", 2.0), ("median", 1.0), ("max", 5.0)])
def test_pooling(pooling: str, expected: float) -> None:
    logits = np.array([0.0, 1.0, 5.0], np.float32)
    assert Preprocess(size=8, pooling=pooling).pool(logits) == expected


def test_the_record_is_strict_and_survives_json() -> None:
    policy = POLICIES["half"]
    assert Preprocess.model_validate_json(policy.model_dump_json()) == policy
    for wrong in ({"size": 4}, {"size": 64, "crop": 3}, {"size": 64, "resize": "stretch"}):
        with pytest.raises(ValidationError):
            Preprocess.model_validate(wrong)


def test_few_crops_of_a_large_image_lie_in_the_middle_of_equal_parts() -> None:
    boxes = Preprocess(size=100, max_crops=4).boxes(1000, 1000)
    assert [(box.left, box.top) for box in boxes] == [
        (200, 200),
        (700, 200),
        (200, 700),
        (700, 700),
    ]


def test_crops_that_cover_an_image_reach_its_ends() -> None:
    boxes = Preprocess(size=100, max_crops=9).boxes(250, 250)
    assert {box.left for box in boxes} == {0, 75, 150}


def test_a_record_without_a_short_side_reads_as_it_always_did() -> None:
    """`identity` of bundles is made of this text."""
    assert "short_side" not in Preprocess(size=96, resize="short_side").model_dump()
    kept = Preprocess(size=96, resize="short_side", short_side=110)
    assert Preprocess.model_validate_json(kept.model_dump_json()) == kept


def test_a_short_side_leaves_out_the_rim() -> None:
    wide = np.zeros((100, 200, 3), np.uint8)
    wide[:10] = wide[-10:] = 255
    policy = Preprocess(size=80, resize="short_side", short_side=100)
    assert policy.fit(wide).shape == (100, 200, 3)
    (crop,), (box,) = policy.crops(wide)
    assert (box.left, box.top) == (60, 10)
    assert not crop.any()
    for wrong in ({"short_side": 40}, {"short_side": 100, "resize": "squash"}):
        with pytest.raises(ValidationError, match="short_side is for"):
            Preprocess(**{"size": 80, "resize": "short_side", **wrong})


def test_a_black_ground_lies_all_around() -> None:
    policy = Preprocess(size=64, small_image="black")
    (crop,), _ = policy.crops(np.full((31, 64, 3), 9, np.uint8))
    assert policy.margin(31, 64) == (16, 0)
    assert (crop[16:47] == 9).all()
    assert crop.sum() == 31 * 64 * 3 * 9


@pytest.mark.parametrize("value", [0.0, 1e-320, -0.2, float("nan"), float("inf")])
def test_a_spread_that_cannot_divide_is_refused(value: float) -> None:
    with pytest.raises(ValidationError):
        Preprocess(std=(0.2, value, 0.2))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_mean_is_finite(value: float) -> None:
    with pytest.raises(ValidationError):
        Preprocess(mean=(0.5, value, 0.5))
