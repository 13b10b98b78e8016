"""Warnings on pictures made for the purpose, and silence on photographs."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from authentiscan.analysis import content, warnings
from authentiscan.core.types import RGBImage
from authentiscan.images import decode as images
from authentiscan.images import figures
from authentiscan.images.preprocess import Preprocess
from authentiscan.provenance import Claim, Finding, Provenance, State

PREPROCESS = Preprocess(size=64)


def codes(pixels: RGBImage, preprocess: Preprocess = PREPROCESS, **encode: object) -> set[str]:
    kind = "JPEG" if encode else "PNG"
    image = images.decode(images.encode(pixels, kind, **encode))
    return {w.code for w in warnings.check(image, [preprocess])}


def page(size: tuple[int, int] = (640, 480)) -> RGBImage:
    """A page of text as a program draws it."""
    canvas = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(canvas)
    for line in range(20, size[1] - 40, 32):
        draw.text(
            (20, line), "The quick brown fox jumps over the lazy dog 0123456789 " * 2, "black"
        )
    return np.asarray(canvas)


def cartoon() -> RGBImage:
    """Flat shapes with dark outlines."""
    rng = np.random.default_rng(3)
    canvas = Image.new("RGB", (512, 512), (90, 180, 220))
    draw = ImageDraw.Draw(canvas)
    for _ in range(60):
        x, y, r = (int(v) for v in rng.integers(0, 480, 3))
        fill = tuple(int(v) for v in rng.integers(40, 256, 3))
        draw.ellipse((x, y, x + 20 + r // 4, y + 20 + r // 5), fill=fill, outline="black", width=5)
    return np.asarray(canvas)


def test_photographs_raise_no_warning(photos: dict[str, RGBImage]) -> None:
    for name, pixels in photos.items():
        assert codes(pixels, quality=90) == set(), name


def test_text_is_seen_also_after_jpeg() -> None:
    assert "screenshot_or_text" in codes(page())
    assert "screenshot_or_text" in codes(page(), quality=75)


def test_flat_drawings_are_seen() -> None:
    assert "drawing" in codes(cartoon())
    assert "drawing" in codes(cartoon(), quality=85)


@pytest.mark.parametrize(
    ("side", "expected"),
    [(8, {"too_small_to_judge"}), (31, {"too_small_to_judge"}), (40, {"too_small"}), (64, set())],
)
def test_small_images(side: int, expected: set[str], photos: dict[str, RGBImage]) -> None:
    small = np.ascontiguousarray(photos["chelsea"][100 : 100 + side, 150 : 150 + side])
    assert codes(small) & {"too_small", "too_small_to_judge"} == expected


def test_detectors_that_scale_up_are_used_to_small_images(photos: dict[str, RGBImage]) -> None:
    small = np.ascontiguousarray(photos["chelsea"][:32, :32])
    for preprocess in (
        Preprocess(size=224, small_image="upscale"),
        Preprocess(size=224, resize="squash"),
        Preprocess(size=32),
    ):
        assert "too_small" not in codes(small, preprocess)
        assert "too_small_to_judge" not in codes(small, preprocess)


@pytest.mark.parametrize(("quality", "warned"), [(30, True), (60, True), (61, False), (95, False)])
def test_strong_compression(quality: int, warned: bool, photos: dict[str, RGBImage]) -> None:
    assert ("strong_compression" in codes(photos["coffee"], quality=quality)) is warned


def test_bars_are_seen(photos: dict[str, RGBImage]) -> None:
    barred = photos["coffee"].copy()
    barred[:60], barred[-60:] = 0, 0
    assert "padded" in codes(barred)
    assert "padded" not in codes(np.zeros((128, 128, 3), np.uint8))


def test_heavy_editing_comes_from_metadata() -> None:
    def told(**more: object) -> Provenance:
        record = {
            "kind": "xmp",
            "state": State.UNSIGNED,
            "claim": Claim.EDITED,
            "summary": "s",
            "source": "s",
        }
        return Provenance(findings=(Finding.model_validate({**record, **more}),))

    assert warnings.heavy_editing(told(generator="Photoshop"))
    assert warnings.heavy_editing(told(details={"steps": "12"}))
    assert not warnings.heavy_editing(told(generator="Lightroom", details={"steps": "2"}))
    assert not warnings.heavy_editing(None)


@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 900, 3), (64, 64, 3), (2000, 65, 3)])
def test_any_shape_is_measured(shape: tuple[int, int, int]) -> None:
    for fill in (0, 255):
        pixels = np.full(shape, fill, np.uint8)
        assert warnings.padded(pixels) == []
        measured = content.measure(pixels)
        assert measured is None or 0 <= measured.two_toned <= 1


def test_pictures_unlike_the_training_images_are_named(photos: dict[str, RGBImage]) -> None:
    typical = {"brightness": (40.0, 220.0), "fine detail": (0.0, 4.0)}
    usual = warnings.far_from_training_data(figures.measure(photos["coffee"]), typical)
    dark = warnings.far_from_training_data(figures.measure(photos["coffee"] // 16), typical)
    assert usual == []
    assert dark[0][0] == "far_from_training_data"
    assert "brightness" in dark[0][1]
    assert warnings.far_from_training_data(figures.measure(photos["coffee"] // 16), {}) == []


def test_noise_outside_the_range_of_the_error_rates_is_named(photos: dict[str, np.ndarray]) -> None:
    rng = np.random.default_rng(0)
    noisy = photos["coffee"] + rng.normal(0, 6, photos["coffee"].shape)
    image = images.decode(images.encode(np.clip(noisy, 0, 255).astype(np.uint8), "PNG"))
    found = warnings.check(image, [PREPROCESS], verdict_range={"noise": (0.0, 3.0)})
    (named,) = [w for w in found if w.code == "outside_verdict_range"]
    assert "noise" in named.message
    assert "0 to 3" in named.message
    calm_image = images.decode(images.encode(photos["coffee"], "PNG"))
    calm = warnings.check(calm_image, [PREPROCESS], verdict_range={"noise": (0.0, 3.0)})
    assert "outside_verdict_range" not in {w.code for w in calm}


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (State.UNCHECKED, "c2pa_unchecked"),
        (State.UNREADABLE, "c2pa_unreadable"),
        (State.INVALID, "c2pa_broken"),
        (State.TRUSTED, None),
        (State.UNTRUSTED, None),
        (State.ABSENT, None),
    ],
)
def test_credentials_that_tell_nothing_are_named(state: State, code: str | None) -> None:
    finding = Finding(kind="c2pa", state=state, summary="A manifest", source="C2PA manifest")
    found = warnings.credentials(Provenance(c2pa=state, findings=(finding,)))
    assert [name for name, _ in found] == ([code] if code else [])
    if state is State.INVALID:
        assert "no sign of forgery or of generation" in found[0][1]


def test_without_provenance_nothing_is_said_of_credentials() -> None:
    assert warnings.credentials(None) == []
