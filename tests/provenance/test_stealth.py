"""Text hidden in pixels: every way of writing it, every PNG filter, broken and boundless ones."""

from __future__ import annotations

import contextlib
import gzip
import io
import time
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from authentiscan.provenance import Claim, inspect, stealth

TEXT = "a cat\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 64x64"


def hide(text: str, *, alpha: bool, packed: bool, size: tuple[int, int] = (80, 130)) -> bytes:
    height, width = size
    pixels = np.random.default_rng(1).integers(0, 256, (height, width, 4 if alpha else 3), np.uint8)
    if alpha:
        pixels[..., 3] = 255
    content = gzip.compress(text.encode()) if packed else text.encode()
    mark = f"stealth_{'png' if alpha else 'rgb'}{'comp' if packed else 'info'}".encode()
    stream = mark + (8 * len(content)).to_bytes(4, "big") + content
    bits = np.unpackbits(np.frombuffer(stream, np.uint8))
    columns = pixels.transpose(1, 0, 2).copy()
    flat = columns[..., 3].reshape(-1) if alpha else columns[..., :3].reshape(-1)
    flat[: len(bits)] = (flat[: len(bits)] & 0xFE) | bits
    if alpha:
        columns[..., 3] = flat.reshape(width, height)
    else:
        columns[..., :3] = flat.reshape(width, height, 3)
    buffer = io.BytesIO()
    Image.fromarray(columns.transpose(1, 0, 2)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("alpha", [True, False])
@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("size", [(80, 130), (300, 40), (119, 64), (120, 64), (33, 200)])
def test_every_way_of_hiding(alpha: bool, packed: bool, size: tuple[int, int]) -> None:
    data = hide(TEXT, alpha=alpha, packed=packed, size=size)
    assert stealth.read(data) == TEXT
    found = inspect(data)
    assert found.claim is Claim.AI_GENERATED
    assert "hidden" in found.findings[0].source


def test_smooth_pictures_use_all_filters(photos: dict[str, np.ndarray]) -> None:
    photo = photos["chelsea"]
    rgba = np.dstack([photo, np.full(photo.shape[:2], 255, np.uint8)])
    bits = np.unpackbits(
        np.frombuffer(
            b"stealth_pnginfo" + (8 * len(TEXT)).to_bytes(4, "big") + TEXT.encode(), np.uint8
        )
    )
    alpha = rgba[..., 3].T.reshape(-1).copy()
    alpha[: len(bits)] = 254 | bits
    rgba[..., 3] = alpha.reshape(photo.shape[1], photo.shape[0]).T
    buffer = io.BytesIO()
    Image.fromarray(rgba).save(buffer, "PNG", optimize=True)
    assert stealth.read(buffer.getvalue()) == TEXT


def test_ordinary_pngs_hold_nothing(make: Callable[..., bytes]) -> None:
    assert stealth.read(make("PNG")) is None
    assert stealth.read(make("JPEG")) is None
    assert stealth.read(b"") is None


def test_boundless_length_and_broken_gzip_are_refused() -> None:
    data = hide("x" * 8, alpha=True, packed=False)
    image = np.array(Image.open(io.BytesIO(data)))
    column = image[..., 3].T.reshape(-1).copy()
    column[120:152] |= 1  # the length: four bytes of ones
    image[..., 3] = column.reshape(image.shape[1], image.shape[0]).T
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    started = time.process_time()
    with pytest.raises(ValueError, match="states"):
        stealth.read(buffer.getvalue())
    assert time.process_time() - started < 2


def test_gzip_bomb_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stealth, "MAX_TEXT", 1000)
    data = hide("A" * 200_000, alpha=True, packed=True)
    assert stealth.read(data) == "A" * 1000


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 60_000), st.integers(1, 255))
def test_any_flipped_byte_is_survived(at: int, flip: int) -> None:
    data = bytearray(_SAMPLE)
    data[at % len(data)] ^= flip
    with contextlib.suppress(ValueError):
        stealth.read(bytes(data))


_SAMPLE = hide(TEXT, alpha=True, packed=True, size=(60, 60))
