"""Degradations: parsing, determinism, replay, shapes; every registered step is tested by itself."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authentiscan.core.errors import UsageError
from authentiscan.images import degrade

SHAPES = [(1, 1), (1, 9), (9, 1), (2, 3), (8, 8), (17, 33), (64, 48)]


def image(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", degrade.names())
@pytest.mark.parametrize("shape", SHAPES)
def test_every_step_on_every_shape(name: str, shape: tuple[int, int]) -> None:
    pixels = image(*shape)
    before = pixels.copy()
    for seed in range(4):
        out, record = degrade.parse(name)(pixels, degrade.image_rng(seed, name))
        assert out.dtype == np.uint8
        assert out.ndim == 3
        assert out.shape[2] == 3
        assert min(out.shape) >= 1
        if degrade.get(name).keeps_size:
            assert out.shape == pixels.shape
        again = degrade.replay(pixels, json.loads(json.dumps(record)))
        assert np.array_equal(out, again)
    assert np.array_equal(pixels, before)


@pytest.mark.parametrize("name", degrade.names())
def test_the_ends_of_every_parameter_work(name: str) -> None:
    step = degrade.get(name)
    pixels = image(5, 7)
    for parameter in step.parameters:
        ends = parameter.allowed or (
            (str(int(parameter.low)), str(int(parameter.high)))
            if parameter.integer
            else (repr(parameter.low), repr(parameter.high))
        )
        for end in ends:
            chain = degrade.parse(f"{name}:{parameter.name}={end}")
            out, record = chain(pixels, np.random.default_rng(1))
            assert min(out.shape) >= 1
            assert str(record[0]["parameters"][parameter.name]) == str(
                end if parameter.allowed else type(record[0]["parameters"][parameter.name])(end)
            )
            assert degrade.parse(str(chain)) == chain


@settings(max_examples=80, deadline=None)
@given(
    names=st.lists(st.sampled_from(degrade.names()), max_size=4),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    seed=st.integers(0, 2**32),
    chance=st.sampled_from([0.0, 0.5, 1.0]),
)
def test_any_chain_is_deterministic_and_replayable(
    names: list[str], height: int, width: int, seed: int, chance: float
) -> None:
    chain = degrade.parse([f"{name} ?{chance}" for name in names])
    pixels = image(height, width)
    first, record = chain(pixels, degrade.image_rng(seed))
    second, same = chain(pixels, degrade.image_rng(seed))
    assert record == same
    assert np.array_equal(first, second)
    assert np.array_equal(first, degrade.replay(pixels, record))
    assert degrade.parse(str(chain)) == chain


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=40))
def test_wild_text_parses_or_is_refused_clearly(text: str) -> None:
    try:
        chain = degrade.parse(text)
    except UsageError:
        return
    assert degrade.parse(str(chain)) == chain


def test_ranges_alternatives_and_probability_are_drawn_within_bounds() -> None:
    chain = degrade.parse(
        "resize:scale=0.5..1,kernel=nearest/box | jpeg:quality=70..72 or webp:quality=80/90 ?0.5"
    )
    records = [chain.draw(degrade.image_rng(3, i)) for i in range(400)]
    scales = [r[0]["parameters"]["scale"] for r in records]
    assert 0.5 <= min(scales) < 0.55
    assert 0.95 < max(scales) <= 1
    assert {r[0]["parameters"]["kernel"] for r in records} == {"nearest", "box"}
    second = [r[1] for r in records if len(r) == 2]
    assert 150 < len(second) < 250
    jpegs = {e["parameters"]["quality"] for e in second if e["step"] == "jpeg"}
    webps = {e["parameters"]["quality"] for e in second if e["step"] == "webp"}
    assert jpegs == {70, 71, 72}
    assert webps == {80, 90}


def test_random_state_depends_on_the_key_only() -> None:
    chain = degrade.parse("jpeg | noise")
    forward = {i: chain.draw(degrade.image_rng(1, f"image-{i}")) for i in range(20)}
    backward = {i: chain.draw(degrade.image_rng(1, f"image-{i}")) for i in reversed(range(20))}
    assert forward == backward
    assert chain.draw(degrade.image_rng(2, "image-0")) != forward[0]
    assert chain.draw(degrade.image_rng(1, "image-0", 1)) != forward[0]


def test_nothing_is_done_by_the_empty_chain() -> None:
    pixels = image(6, 6)
    for text in ("", "none", []):
        out, record = degrade.parse(text)(pixels, np.random.default_rng(0))
        assert record == []
        assert np.array_equal(out, pixels)
        assert str(degrade.parse(text)) == "none"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("jpg", "no degradation 'jpg'"),
        ("jpeg:q=3", "no parameter 'q'"),
        ("jpeg:quality=0", "outside 1..100"),
        ("jpeg:quality=nan", "not a whole number"),
        ("resize:scale=nan", "outside"),
        ("jpeg:quality=90..70", "backwards"),
        ("jpeg:quality", "expected key=value"),
        ("jpeg:quality=1,quality=2", "twice"),
        ("jpeg:subsampling=4:1:1", "choose from 4:4:4, 4:2:2, 4:2:0"),
        ("jpeg ?1.5", "0..1"),
        ("jpeg ?", "0..1"),
        ("jpeg||webp", "no degradation"),
    ],
)
def test_mistakes_are_named(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says.replace("?", r"\?").replace("(", r"\(")):
        degrade.parse(text)


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
    ],
)
def test_other_arrays_are_refused(pixels: np.ndarray) -> None:
    with pytest.raises(UsageError, match="uint8 RGB"):
        degrade.replay(pixels, [])


@pytest.mark.parametrize(
    "record",
    [[{"step": "jpeg"}], [{"step": "jpeg", "parameters": {"quality": 3}}], [{"a": 1}]],
)
def test_broken_records_are_refused(record: degrade.Record) -> None:
    with pytest.raises(UsageError):
        degrade.replay(image(4, 4), record)


def test_steps_do_what_they_say(photos: dict[str, np.ndarray]) -> None:
    photo = photos["coffee"]

    def error(text: str) -> float:
        out = degrade.parse(text)(photo, np.random.default_rng(0))[0]
        return float(np.abs(out.astype(int) - photo).mean())

    assert error("jpeg:quality=95") < error("jpeg:quality=60") < error("jpeg:quality=10")
    assert error("jpeg:quality=90,subsampling=4:4:4") < error("jpeg:quality=90,subsampling=4:2:0")
    assert error("webp:quality=90") < error("webp:quality=20")
    assert error("blur:sigma=0.5") < error("blur:sigma=3")
    assert 3.0 < error("noise:sigma=5") < 5.0
    assert error("rescale:scale=0.8") < error("rescale:scale=0.2")
    assert error("brightness:factor=1") == 0
    assert error("gamma:gamma=1") == 0
    assert error("resize:scale=1") == 0
    assert error("shift:x=0,y=0") == 0
    fitted, _ = degrade.parse("social:kind=preview")(photo[:, :500], np.random.default_rng(0))
    assert max(fitted.shape) == 500
    fitted, _ = degrade.parse("fit:side=100")(photo, np.random.default_rng(0))
    assert max(fitted.shape) == 100
    shifted, _ = degrade.parse("shift:x=3,y=2")(photo, np.random.default_rng(0))
    assert np.array_equal(shifted, photo[2:, 3:])


def test_the_help_text_names_every_step_and_parameter() -> None:
    text = degrade.describe()
    for name in degrade.names():
        assert f"{name}:" in text
        for parameter in degrade.get(name).parameters:
            assert parameter.help in text
