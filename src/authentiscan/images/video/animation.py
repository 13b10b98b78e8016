"""Frames of animated GIF, WebP, PNG and AVIF files, by the decoder of images."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Generator

from PIL import Image

from authentiscan.core.errors import ImageLimitError
from authentiscan.images import pillow
from authentiscan.images.decode import DEFAULT_LIMITS, Limits
from authentiscan.images.pixels import to_rgb
from authentiscan.images.video.clip import (
    DEFAULT_VIDEO_LIMITS,
    Clip,
    ClipFacts,
    Frame,
    VideoLimits,
    frame_image,
)
from authentiscan.images.walk import Walk, png, walk
from authentiscan.images.walk.record import number

ANIMATED = frozenset({"GIF", "WEBP", "PNG", "AVIF"})
"""Formats that may hold frames to be shown one after another."""

_OF_PIXELS = frozenset({b"IHDR", b"PLTE", b"tRNS", b"acTL", b"fcTL", b"fdAT", b"IDAT", b"IEND"})
_USUAL_MS = 100.0
"""How long a frame is shown that states no time or none that programs obey."""


def is_animated(data: bytes) -> bool:
    """Whether the encoded image ``data`` announces more than one frame shown one after another."""
    found = walk(data)
    if found.format == "AVIF":
        return b"avis" in data[8:64]
    return found.format in ANIMATED and found.frames > 1


def open_animation(
    data: bytes,
    count: int,
    *,
    limits: Limits = DEFAULT_LIMITS,
    video: VideoLimits = DEFAULT_VIDEO_LIMITS,
) -> Clip:
    """At most ``count`` frames of an animated image, spread over it, decoded one at a time.

    Frames are drawn over each other as a viewer does, and transparency over white. Raises a
    DecodeError; what breaks after the first frame ends the frames and is a note of the clip.
    """
    found = walk(data)
    if found.refusal is not None:
        raise found.refusal
    if found.format == "PNG":
        found.data, found.pixels = memoryview(_without_metadata(data)), []
    image = pillow.opened(found)
    width, height = image.size
    frames = found.frames if found.format != "AVIF" else int(getattr(image, "n_frames", 1))
    if width * height > video.pixels or frames > limits.frames:
        raise ImageLimitError(
            f"{frames:,} frames of {width}x{height}; at most {limits.frames:,} frames of "
            f"{video.pixels:,} pixels are allowed"
        )
    facts = ClipFacts(
        found.format,
        found.format,
        width,
        height,
        len(data),
        hashlib.sha256(data).hexdigest(),
        frames=frames,
    )
    notes: list[str] = []
    wanted = sorted({int((i + 0.5) * frames / count) for i in range(count)})
    return Clip(facts, _frames(image, found, wanted, notes, video.seconds), notes)


def _frames(
    image: Image.Image, found: Walk, wanted: list[int], notes: list[str], budget: float
) -> Generator[Frame, None, None]:
    """The wanted frames; all before them are drawn too, since each is a change of the last."""
    passed, taken, left = 0.0, 0, budget
    with image:
        for at in range(wanted[-1] + 1):
            started = time.monotonic()
            try:
                image.seek(at)
                image.load()
                pixels = to_rgb(image)[0] if at in wanted else None
                shown = float(image.info.get("duration") or _USUAL_MS)
            except Exception as error:  # decoders raise anything on hostile bytes
                failure = pillow.failure(found, error, variant=False)
                if not taken:
                    raise failure from error
                notes.append(f"reading ended at frame {at + 1}: {failure}")
                return
            left -= time.monotonic() - started
            if pixels is not None:
                taken += 1
                yield Frame(frame_image(pixels, found.format), passed / 1e3)
            passed += shown
            if left < 0 and at < wanted[-1]:
                notes.append(f"reading ended after {budget:g} s at frame {at + 1}")
                return


def _without_metadata(data: bytes) -> bytes:
    """An animated PNG of nothing but its pictures: a decoder would inflate texts and profiles."""
    view, at = memoryview(data), len(png.SIGNATURE)
    kept: list[bytes | memoryview] = [png.SIGNATURE]
    while at + 12 <= len(view):
        end = at + 12 + number(view, at, 4)
        if bytes(view[at + 4 : at + 8]) in _OF_PIXELS:
            kept.append(view[at:end])
        at = end
    return b"".join(kept)
