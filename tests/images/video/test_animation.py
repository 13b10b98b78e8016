"""Animated images: frames spread over them, drawn as a viewer draws them."""

from __future__ import annotations

import io
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image

from authentiscan.core.errors import DecodeError, ImageLimitError
from authentiscan.images.decode import Limits, encode
from authentiscan.images.video import VideoLimits, is_animated, open_animation

KINDS = ("GIF", "WEBP", "PNG", "AVIF")


def animated(kind: str, frames: int = 8, side: int = 32) -> bytes:
    """Frame ``i`` is grey of level ``20 + 20 i``, shown for 200 ms."""
    pictures = [Image.new("RGB", (side, side), (20 + 20 * i,) * 3) for i in range(frames)]
    data = io.BytesIO()
    options = {"lossless": True} if kind == "WEBP" else {}
    pictures[0].save(data, kind, save_all=True, append_images=pictures[1:], duration=200, **options)
    return data.getvalue()


@pytest.mark.parametrize("kind", KINDS)
def test_frames_are_spread_over_the_animation(kind: str) -> None:
    data = animated(kind)
    assert is_animated(data)
    clip = open_animation(data, 4)
    found = list(clip.frames)
    levels = [int(frame.image.pixels.mean()) for frame in found]
    assert levels == pytest.approx([40, 80, 120, 160], abs=4)
    assert [f.seconds for f in found] == pytest.approx([0.2, 0.6, 1.0, 1.4], abs=0.01)
    assert (clip.facts.container, clip.facts.frames) == (kind, 8)
    assert clip.notes == []


@pytest.mark.parametrize("kind", KINDS)
def test_more_frames_than_there_are_give_each_once(kind: str) -> None:
    assert len(list(open_animation(animated(kind, 3), 50).frames)) == 3


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_a_still_image_is_no_animation(kind: str) -> None:
    assert not is_animated(encode(np.zeros((32, 32, 3), np.uint8), kind))


def test_what_is_no_image_is_no_animation() -> None:
    assert not is_animated(b"")
    assert not is_animated(b"GIF89a")
    with pytest.raises(DecodeError):
        open_animation(b"no image", 4)


def test_metadata_of_an_animated_png_is_not_inflated() -> None:
    data = animated("PNG")
    bomb = b"\0\0\xff\xffzTXt" + b"a\0\0" + b"\x78\x9c" + b"\0" * 65530 + b"\0\0\0\0"
    end = data.index(b"IDAT") - 4
    assert len(list(open_animation(data[:end] + bomb + data[end:], 2).frames)) == 2


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_a_cut_animation_gives_its_whole_frames_or_an_error(kind: str) -> None:
    data = animated(kind, side=64)
    for share in (0.3, 0.6, 0.9):
        found = []
        with suppress(DecodeError):
            found = list(open_animation(data[: int(len(data) * share)], 8).frames)
        assert len(found) < 9
        assert all(frame.image.pixels.shape == (64, 64, 3) for frame in found)
    assert found or kind == "WEBP"  # whose library wants the whole file


def test_limits() -> None:
    data = animated("GIF")
    with pytest.raises(ImageLimitError, match="at most 3 frames"):
        open_animation(data, 2, limits=Limits(frames=3))
    with pytest.raises(ImageLimitError, match="500 pixels"):
        open_animation(data, 2, video=VideoLimits(pixels=500))
    clip = open_animation(data, 8, video=VideoLimits(seconds=1e-9))
    assert len(list(clip.frames)) == 1
    assert "frame 1" in clip.notes[0]
