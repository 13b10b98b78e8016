"""What reading a video or an animation gives: facts first, then frames, notes at the end."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field

from pydantic import Field

from authentiscan.core.records import Record
from authentiscan.core.types import DecodedImage, ImageFacts, RGBImage


class VideoLimits(Record):
    """What a clip may cost before it is given up.

    bytes: of the file. pixels: of one frame; 8K has 35 million. seconds: of waiting for the decoder
    in all. memory: bytes of the decoder's process.
    """

    bytes: int = Field(default=16 * 2**30, gt=0)
    pixels: int = Field(default=36_000_000, gt=0)
    seconds: float = Field(default=60.0, gt=0)
    memory: int = Field(default=3 * 2**30, gt=0)


DEFAULT_VIDEO_LIMITS = VideoLimits()


@dataclass(frozen=True, slots=True)
class ClipFacts:
    """What the container says of a clip.

    seconds: its length, None where it does not tell. frame_rate: frames a second, as far as known.
    bit_rate: of the picture track or the file, bits a second. sha256: of the file, hexadecimal.
    """

    container: str
    codec: str
    width: int
    height: int
    bytes: int
    sha256: str
    seconds: float | None = None
    frame_rate: float | None = None
    bit_rate: int | None = None
    frames: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One frame, ``seconds`` after the clip's beginning. key: coded without any other frame."""

    image: DecodedImage
    seconds: float
    key: bool = False


@dataclass(slots=True)
class Clip:
    """A clip that was opened. frames: read once, in order; close it when not read to its end.

    notes: what kept frames from being read, as sentences; complete when ``frames`` has ended.
    """

    facts: ClipFacts
    frames: Generator[Frame, None, None]
    notes: list[str] = field(default_factory=list)


def frame_image(pixels: RGBImage, container: str) -> DecodedImage:
    """A frame as an image of its own; it has no file, so no checksum and no metadata."""
    height, width = pixels.shape[:2]
    facts = ImageFacts(
        format=container, width=width, height=height, mode="RGB", bytes=pixels.nbytes, sha256=""
    )
    return DecodedImage(pixels, facts)
