"""To RGB in bands: the same pixels as in one piece, whatever the mode and the height."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from authentiscan.images import pixels

RNG = np.random.default_rng(5)
NOISE = RNG.integers(0, 256, (37, 23, 4), dtype=np.uint8)


def of_mode(mode: str) -> Image.Image:
    if mode in ("I;16", "I", "F"):
        kind = {"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]
        values = NOISE[..., 0].astype(np.int64) * 300 - 5000 * (mode == "F")
        return Image.fromarray(values.astype(kind))
    return Image.fromarray(NOISE, "RGBA").convert(mode)


MODES = ("1", "L", "LA", "La", "P", "RGB", "RGBA", "RGBa", "CMYK", "YCbCr", "HSV", "LAB", "I;16")


@pytest.mark.parametrize("mode", [*MODES, "I", "F"])
def test_bands_change_nothing(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    image = of_mode(mode) if mode not in ("LAB", "La") else Image.new(mode, (23, 37), 7)
    whole = pixels.to_rgb(image)
    monkeypatch.setattr(pixels, "_BAND", 50)
    banded = pixels.to_rgb(image)
    np.testing.assert_array_equal(whole[0], banded[0])
    assert whole[1] == banded[1]
    assert whole[0].shape == (37, 23, 3)
    assert whole[0].dtype == np.uint8
    assert whole[0].flags.c_contiguous


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "YCbCr", "HSV"])
def test_opaque_modes_are_pillows_own_conversion(mode: str) -> None:
    image = of_mode(mode)
    found, alpha = pixels.to_rgb(image)
    np.testing.assert_array_equal(found, np.array(image.convert("RGB")))
    assert not alpha


def test_one_transparent_pixel_in_the_last_band_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixels, "_BAND", 23)
    values = NOISE.copy()
    values[..., 3] = 255
    assert pixels.to_rgb(Image.fromarray(values, "RGBA"))[1] is False
    values[-1, -1, 3] = 0
    found, alpha = pixels.to_rgb(Image.fromarray(values, "RGBA"))
    assert alpha
    assert found[-1, -1].tolist() == [255, 255, 255]
    np.testing.assert_array_equal(found[:-1], values[:-1, :, :3])


def test_a_range_is_that_of_the_whole_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixels, "_BAND", 4)
    ramp = np.linspace(0, 1000, 64, dtype=np.float32).reshape(16, 4)
    found = pixels.to_rgb(Image.fromarray(ramp))[0][..., 0].ravel()
    assert (found[0], found[-1]) == (0, 255)
    assert (np.diff(found.astype(int)) >= 0).all()
    deep = np.array([[200], [60_000], [3]], np.int32)
    assert pixels.to_rgb(Image.fromarray(deep))[0][..., 0].ravel().tolist() == [0, 234, 0]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_black(value: float) -> None:
    values = np.array([[value, 0.5]], np.float32)
    assert pixels.to_rgb(Image.fromarray(values))[0][0, :, 0].tolist() == [0, 128]
