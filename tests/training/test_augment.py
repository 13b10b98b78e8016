"""Augmentation: the label must not be readable from how a file was stored; everything is seeded."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError

from authentiscan.images.decode import decode, encode
from authentiscan.images.history import JpegHistory, needs_history
from authentiscan.images.preprocess import Preprocess
from authentiscan.training.augment import Augmenter, AugmentSettings

PREPROCESS = Preprocess(size=64)


def random_image(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("format", "options", "expected"),
    [
        ("PNG", {}, True),
        ("WEBP", {"lossless": True}, True),
        ("WEBP", {"quality": 80}, False),
        ("JPEG", {"quality": 75}, False),
        ("JPEG", {"quality": 96}, False),
        ("JPEG", {"quality": 97}, True),
        ("JPEG", {"quality": 100}, True),
    ],
)
def test_which_files_lack_a_history(format: str, options: dict[str, int], expected: bool) -> None:
    data = encode(random_image(40, 40), format, **options)
    assert needs_history(data, decode(data).facts) is expected


@pytest.mark.parametrize(("step", "expected"), [(2, True), (3, True), (5, False), (16, False)])
def test_tables_of_other_programs_count_by_their_steps(step: int, expected: bool) -> None:
    buffer = io.BytesIO()
    tables = [[step] * 64, [step + 1] * 64]
    Image.fromarray(random_image(40, 40)).save(buffer, "JPEG", qtables=tables)
    facts = decode(buffer.getvalue()).facts
    assert facts.jpeg_quality is None
    assert needs_history(buffer.getvalue(), facts) is expected


@pytest.mark.parametrize("format", ["BMP", "TIFF", "GIF"])
def test_other_lossless_formats_lack_a_history(format: str) -> None:
    buffer = io.BytesIO()
    Image.fromarray(random_image(16, 16)).save(buffer, format=format)
    assert needs_history(buffer.getvalue(), decode(buffer.getvalue()).facts)


@pytest.mark.parametrize("name", ["astronaut", "coffee", "china"])
def test_how_a_photograph_was_stored_leaves_no_trace(
    photos: dict[str, np.ndarray], name: str
) -> None:
    """Stored losslessly or as JPEG, a photograph gives the same training crop, pixel for pixel."""
    photo = photos[name][:320, :320]
    history = JpegHistory(((80, "4:4:4"),), (1,))
    chain = "resize:scale=0.7..1.4 ?0.5 | blur ?0.3 | noise ?0.3 | jpeg:quality=50..95 ?0.5"
    jpeg = decode(encode(photo, "JPEG", quality=80, subsampling="4:4:4")).pixels
    for degrade in ("none", chain):
        augment = Augmenter.create(AugmentSettings(degrade=degrade), PREPROCESS, history)
        raw = Augmenter.create(
            AugmentSettings(degrade=degrade, history="none"), PREPROCESS, history
        )
        for seed in range(12):
            from_png = augment(photo, True, np.random.default_rng(seed))
            assert np.array_equal(from_png, augment(jpeg, False, np.random.default_rng(seed)))
            assert not np.array_equal(from_png, raw(photo, True, np.random.default_rng(seed)))


def test_window_jpeg_equals_whole_image_jpeg(photos: dict[str, np.ndarray]) -> None:
    """A JPEG generation given to a window is the one the whole image would have got."""
    photo = photos["coffee"][:384, :384]
    for subsampling, tolerance in (("4:4:4", 0), ("4:2:0", 0)):
        whole = decode(encode(photo, "JPEG", quality=70, subsampling=subsampling)).pixels
        window = decode(
            encode(photo[96:240, 48:208], "JPEG", quality=70, subsampling=subsampling)
        ).pixels
        inner = slice(16, -16)
        difference = np.abs(
            whole[96:240, 48:208].astype(int)[inner, inner] - window.astype(int)[inner, inner]
        )
        assert difference.max() <= tolerance


def test_grid_phases_are_alike_for_both_classes(photos: dict[str, np.ndarray]) -> None:
    """Where the 8x8 grid lies in a crop is equally random for PNG-born and JPEG-born images."""
    photo = photos["chelsea"][:288, :448]
    history = JpegHistory(((30, "4:4:4"),), (1,))
    augment = Augmenter.create(AugmentSettings(horizontal_flip=False), PREPROCESS, history)
    jpeg = decode(encode(photo, "JPEG", quality=30, subsampling="4:4:4")).pixels
    counts = np.zeros((2, 8), dtype=int)
    for seed in range(160):
        for born, (pixels, lossless) in enumerate(((photo, True), (jpeg, False))):
            crop = augment(pixels, lossless, np.random.default_rng([born, seed]))
            grey = crop.astype(np.float64).mean(axis=2)
            steps = np.abs(np.diff(grey, axis=1)).mean(axis=0)
            counts[born, int(np.argmax([steps[p::8].mean() for p in range(8)]))] += 1
    assert (counts > 4).all()  # all phases occur, in either class
    assert np.abs(counts[0] - counts[1]).max() < 25


def test_history_is_the_training_sets(photos: dict[str, np.ndarray]) -> None:
    history = JpegHistory.observe(
        [(75, "4:2:0")] * 30 + [(90, "4:4:4")] * 10 + [(99, "4:4:4"), (None, None)]
    )
    rng = np.random.default_rng(0)
    drawn = [history.draw(rng) for _ in range(2000)]
    assert set(drawn) == {(75, "4:2:0"), (90, "4:4:4")}
    assert 0.70 < drawn.count((75, "4:2:0")) / 2000 < 0.80
    assert JpegHistory.observe([(None, None)]) == JpegHistory()


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 200),
    width=st.integers(1, 200),
    seed=st.integers(0, 2**32),
    resize=st.sampled_from(["none", "short_side", "squash"]),
    rotation=st.sampled_from([0.0, 15.0, 90.0]),
    zoom=st.sampled_from([(1.0, 1.0), (0.8, 1.2)]),
    usable=st.sampled_from([None, 48, 100]),
    lossless=st.booleans(),
)
def test_any_image_gives_a_crop_and_the_same_one_again(
    height: int,
    width: int,
    seed: int,
    resize: str,
    rotation: float,
    zoom: tuple[float, float],
    usable: int | None,
    lossless: bool,
) -> None:
    chain = (
        "resize:scale=0.5..1.5 ?0.5 | blur ?0.3 | noise ?0.3 | jpeg:quality=50..98 ?0.5 | webp ?0.2"
    )
    augment = Augmenter.create(
        AugmentSettings(
            degrade=chain,
            rotation=rotation,
            zoom=zoom,
            usable_side=usable,
            rotate90=True,
            vertical_flip=True,
            brightness=0.2,
        ),
        Preprocess.model_validate({"size": 64, "resize": resize}),
    )
    pixels = random_image(height, width, seed)
    before = pixels.copy()
    crop = augment(pixels, lossless, np.random.default_rng(seed))
    assert crop.shape == (64, 64, 3)
    assert crop.dtype == np.uint8
    assert np.array_equal(crop, augment(pixels, lossless, np.random.default_rng(seed)))
    assert np.array_equal(pixels, before)


def test_shrinking_never_makes_an_image_smaller_than_its_crop(
    photos: dict[str, np.ndarray],
) -> None:
    """Padding would tell a small image from a large one: it may only come from the image itself."""
    augment = Augmenter.create(
        AugmentSettings(degrade="resize:scale=0.5,kernel=bicubic", history="none"), PREPROCESS
    )
    gradient = np.tile(np.arange(80, dtype=np.uint8)[None, :, None], (80, 1, 3))
    crop = augment(gradient, False, np.random.default_rng(1))[0, :, 0].astype(int)
    rising = np.diff(crop)
    assert (rising >= 0).all() or (rising <= 0).all()  # a mirrored border would turn round


def test_rotation_keeps_the_middle_and_turns(photos: dict[str, np.ndarray]) -> None:
    augment = Augmenter.create(
        AugmentSettings(rotation=15, history="none", horizontal_flip=False), PREPROCESS
    )
    crops = [augment(photos["coffee"], False, np.random.default_rng(s)) for s in range(4)]
    assert len({crop.tobytes() for crop in crops}) == 4


def test_bad_settings_are_refused() -> None:
    with pytest.raises(ValidationError, match="no degradation 'jpg'"):
        AugmentSettings(degrade="jpg:quality=90")
    with pytest.raises(ValidationError, match="zoom is"):
        AugmentSettings(zoom=(1.2, 0.8))
    with pytest.raises(ValidationError):
        AugmentSettings.model_validate({"flip": True})
