"""Words every room shares: labels, verdicts, pixels, scores.

A *score* is the probability that an image is generated: a float in [0, 1], 0 real, 1 generated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

RGBImage: TypeAlias = NDArray[np.uint8]
"""Pixels of shape (H, W, 3), sRGB order, 0..255."""

JsonObject: TypeAlias = dict[str, Any]
"""What JSON or YAML calls an object; whoever reads one looks at its values before using them."""

Row: TypeAlias = Mapping[str, Any]
"""A row of a table: columns and cells, of whatever types the table has."""

CAMERA = "camera"
"""The generator name of every real photograph."""


class Label(IntEnum):
    """Ground truth of an image."""

    REAL = 0
    GENERATED = 1


class Verdict(StrEnum):
    """What a detector says of an image."""

    REAL = "real"
    GENERATED = "generated"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels of the decoded image; may reach beyond it when the image was padded."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True, slots=True, eq=False)
class CropLogits:
    """What one network says of the crops of one image.

    logits: (N,) float32, uncalibrated, positive for generated. boxes: where the crops were taken.
    """

    logits: NDArray[np.float32]
    boxes: tuple[Box, ...]


@dataclass(frozen=True, slots=True)
class CropScore:
    """The score of one crop, and where it was taken."""

    box: Box
    score: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a detector says of one image before any rule is applied.

    score: P(generated) of the whole image, calibrated, in [0, 1].
    raw_score: the same before calibration.
    crops: the calibrated score of every crop, in the order they were taken; where several networks
        judge together, the crops of the first, then those of the next.
    """

    score: float
    raw_score: float
    crops: tuple[CropScore, ...]

    @property
    def spread(self) -> float:
        """Largest minus smallest crop score, in [0, 1]; 0 where there is one crop."""
        scores = [crop.score for crop in self.crops]
        return max(scores) - min(scores)


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What the container says of an image, apart from its pixels.

    format: Pillow's name of the real format (``JPEG``, ``PNG``, ...), whatever the file is called.
    width, height: in pixels, after orientation.
    mode: Pillow's mode as stored, before conversion to RGB.
    bytes: size of the encoded file.
    sha256: of the encoded file, hexadecimal.
    jpeg_quality: estimated libjpeg quality 1..100, None for other formats or non-standard tables.
    jpeg_subsampling: ``4:4:4``, ``4:2:2``, ``4:2:0`` or other; None for other formats.
    orientation_applied: True where an EXIF orientation turned or mirrored the pixels.
    frames: frames in the container; only the first is decoded.
    has_alpha: True where transparency was composed over white.
    colour_profile: description of the embedded ICC profile, None without one.
    """

    format: str
    width: int
    height: int
    mode: str
    bytes: int
    sha256: str
    jpeg_quality: int | None = None
    jpeg_subsampling: str | None = None
    orientation_applied: bool = False
    frames: int = 1
    has_alpha: bool = False
    colour_profile: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class DecodedImage:
    """Pixels and the facts of their container. ``pixels`` is (H, W, 3) uint8 RGB."""

    pixels: RGBImage
    facts: ImageFacts
