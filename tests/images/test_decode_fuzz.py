"""Mutated and truncated files of every format only ever give an image or a DecodeError, quickly."""

from __future__ import annotations

import io
import time
import warnings
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from authentiscan.core.errors import DecodeError
from authentiscan.images.decode import Limits, decode
from authentiscan.images.jpeg import decode_fast
from authentiscan.images.walk.jpeg import read_header

LIMITS = Limits(pixels=1_000_000, bytes=1_000_000, metadata=1_000_000, frames=100)


def _seeds() -> dict[str, bytes]:
    rng = np.random.default_rng(1)
    small = rng.integers(0, 256, (6, 7, 3), dtype=np.uint8).repeat(6, 0).repeat(5, 1)
    image, seeds = Image.fromarray(small), {}
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "words" * 10
    variants = {
        "jpeg": ("JPEG", {"exif": exif, "icc_profile": b"x" * 200}),
        "jpeg-progressive": ("JPEG", {"progressive": True, "subsampling": "4:4:4"}),
        "png": ("PNG", {"exif": exif, "icc_profile": b"x" * 200}),
        "webp": ("WEBP", {"exif": exif, "lossless": True}),
        "avif": ("AVIF", {"speed": 10}),
        "tiff": ("TIFF", {"compression": "tiff_lzw", "exif": exif}),
        "tiff-deflate": ("TIFF", {"compression": "tiff_deflate", "save_all": True}),
        "bmp": ("BMP", {}),
        "gif": ("GIF", {"save_all": True, "append_images": [image.rotate(90)]}),
    }
    for name, (format, options) in variants.items():
        buffer = io.BytesIO()
        image.save(buffer, format, **options)
        seeds[name] = buffer.getvalue()
    return seeds


SEEDS = _seeds()


@st.composite
def mutated(draw: st.DrawFn, seed: bytes) -> bytes:
    content = bytearray(seed)
    # Headers decide the most, so half of the changes go there.
    place = st.one_of(st.integers(0, min(200, len(seed) - 1)), st.integers(0, len(seed) - 1))
    for at, value in draw(st.lists(st.tuples(place, st.integers(0, 255)), max_size=12)):
        content[at] = value
    for at, count in draw(st.lists(st.tuples(place, st.integers(1, 60)), max_size=2)):
        piece = bytes(content[at : at + count])
        content[at : at + count] = draw(st.sampled_from([b"", piece * 2, b"\xff" * count, b"\0"]))
    if draw(st.booleans()):
        content = content[: draw(st.integers(0, len(content)))]
    return bytes(content)


@pytest.mark.parametrize("name", sorted(SEEDS))
def test_only_images_or_decode_errors(name: str) -> None:
    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(mutated(SEEDS[name]))
    def survives(content: bytes) -> None:
        started = time.perf_counter()
        try:
            image = decode(content, limits=LIMITS)
        except DecodeError:
            image = None
        if image is not None:
            assert image.pixels.shape == (image.facts.height, image.facts.width, 3)
            assert image.pixels.dtype == np.uint8
        assert time.perf_counter() - started < 2

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        survives()


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(sorted(SEEDS)))
def test_signature_followed_by_noise(noise: bytes, name: str) -> None:
    for content in (noise, SEEDS[name][:12] + noise):
        with suppress(DecodeError):
            decode(content, limits=LIMITS)


@pytest.mark.parametrize("name", ["jpeg", "jpeg-progressive"])
def test_fast_decoder_never_differs_from_pillow_on_broken_files(name: str) -> None:
    pytest.importorskip("simplejpeg")

    @settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
    @given(mutated(SEEDS[name]))
    def agrees(content: bytes) -> None:
        try:
            header = read_header(content)
        except DecodeError:
            return
        if header.width * header.height > LIMITS.pixels or content[:3] != b"\xff\xd8\xff":
            return
        fast = decode_fast(content, header)
        if fast is not None:
            with warnings.catch_warnings(action="ignore"):
                slow = np.array(Image.open(io.BytesIO(content), formats=["JPEG"]).convert("RGB"))
            np.testing.assert_array_equal(fast, slow)

    agrees()
