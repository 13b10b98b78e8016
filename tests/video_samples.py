"""Small videos for tests, made by PyAV when they are asked for."""

from __future__ import annotations

import io
from functools import cache
from typing import Any

import av
import numpy as np

CODECS = {"mp4": "libx264", "matroska": "libx264", "webm": "libvpx", "avi": "mpeg4",
          "mpegts": "mpeg2video", "flv": "libx264", "mov": "mpeg4"}  # fmt: skip


@cache
def video(
    container: str = "mp4",
    *,
    frames: int = 50,
    size: tuple[int, int] = (96, 64),
    gop: int = 10,
    rate: int = 25,
    options: tuple[tuple[str, str], ...] = (),
) -> bytes:
    """A clip whose frame ``i`` is grey of level ``40 + i`` (up to 200), with a little texture."""
    target = io.BytesIO()
    texture = np.random.default_rng(0).integers(0, 24, (size[1], size[0], 3)).astype(np.uint8)
    with av.open(target, "w", format=container) as made:
        stream: Any = made.add_stream(CODECS[container], rate=rate)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = *size, "yuv420p", gop
        stream.options = {"threads": "1", **dict(options)}
        for number in range(frames):
            pixels = texture + np.uint8(min(40 + number, 200))
            made.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        made.mux(stream.encode())
    return target.getvalue()


def sound() -> bytes:
    """A sound file in a container that videos have too."""
    target = io.BytesIO()
    with av.open(target, "w", format="mp4") as made:
        stream: Any = made.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 8000
        made.mux(stream.encode(frame))
        made.mux(stream.encode())
    return target.getvalue()
