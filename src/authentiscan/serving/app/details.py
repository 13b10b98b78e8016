"""What the page shows of one image beyond its report, computed when it is looked at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from authentiscan.analysis.report import Crop
from authentiscan.core.types import Prediction, RGBImage
from authentiscan.explain import Explainable, Target, explain
from authentiscan.explain.base import enlarge
from authentiscan.explain.colours import table
from authentiscan.images.decode import Limits, decode
from authentiscan.report.thumbnails import shrunk

SIDE = 1200
"""Longest side of a picture on the page, in pixels."""

CENTRE = 1024
"""Longest side of the part whose finest structure is shown, pixel by pixel."""


@dataclass(frozen=True, slots=True, eq=False)
class Detail:
    """picture: RGB (h, w, 3), at most `SIDE` a side. values, covered: the heatmap over it, (h, w),
    in [0, 1], and where the detector looked. strongest: the map's maximum in logit units.
    prediction: of the same pass. centre: the middle of the image, RGB, not scaled.
    """

    picture: RGBImage
    values: NDArray[np.float32]
    covered: NDArray[np.bool_]
    strongest: float
    prediction: Prediction
    centre: RGBImage


def detail(content: bytes, detector: Explainable, target: Target, limits: Limits) -> Detail:
    """Decode the image and explain its score; raises a DecodeError subclass."""
    image = decode(content, limits=limits)
    found = explain(detector, image, target=target)
    assert found.prediction is not None
    picture = shrunk(image.pixels, SIDE)
    height, width = picture.shape[:2]
    return Detail(
        picture=picture,
        values=np.clip(enlarge(found.scaled(), height, width), 0, 1),
        covered=enlarge(found.covered.astype(np.float32), height, width) > 0,
        strongest=float(found.raw.max()),
        prediction=found.prediction,
        centre=_centre(image.pixels),
    )


def with_crops(
    picture: RGBImage, crops: tuple[Crop, ...], width: int, scale: str = "viridis"
) -> RGBImage:
    """``picture``, shrunk from an image of ``width``, with the places and scores of ``crops``."""
    drawn = Image.fromarray(picture)
    pen, share = ImageDraw.Draw(drawn), picture.shape[1] / width
    font = ImageFont.load_default(max(11, picture.shape[1] // 60))
    for crop in crops:
        box = [crop.left, crop.top, crop.left + crop.width - 1, crop.top + crop.height - 1]
        left, top, right, bottom = (round(value * share) for value in box)
        colour = tuple(int(level) for level in table(scale)[round(crop.score * 255)])
        pen.rectangle((left, top, right, bottom), outline=colour, width=3)
        text = f"{crop.score:.2f}"
        place = pen.textbbox((left + 6, top + 4), text, font=font)
        pen.rectangle((place[0] - 3, place[1] - 2, place[2] + 3, place[3] + 2), fill=(0, 0, 0))
        pen.text((left + 6, top + 4), text, fill=(255, 255, 255), font=font)
    return np.asarray(drawn)


def _centre(pixels: RGBImage) -> RGBImage:
    height, width = pixels.shape[:2]
    top, left = max(0, (height - CENTRE) // 2), max(0, (width - CENTRE) // 2)
    return pixels[top : top + CENTRE, left : left + CENTRE].copy()
