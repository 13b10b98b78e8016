"""From decoded pixels to a training crop, with nothing left that tells the classes apart but
content.

Data sets give the label away by how files were stored: generated images as PNG, photographs as
JPEG; one class at quality 75, the other at 99. A detector trained on them reads the codec. Here
every image gets the same history before the model sees it:

1. ``history``: an image that was stored losslessly (or nearly so) first gets the JPEG generation
   that photographs already carry, its quality and subsampling drawn from the JPEGs of the training
   set.
2. ``degrade``: then all images pass one random chain, drawn without looking at the label.
3. The crop is taken last, so its place on any 8x8 grid is as random for one class as for the other.

Work is done on a window around the crop, not on the whole image. The window starts on a multiple
of 16 pixels, where JPEG blocks and 4:2:0 chroma blocks start too, so compressing it gives the
blocks that compressing the whole image would give.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image
from pydantic import Field, field_validator

from authentiscan.core.errors import UsageError
from authentiscan.core.records import Record
from authentiscan.core.types import JsonObject, RGBImage
from authentiscan.images import degrade
from authentiscan.images.degrade import AppliedSteps, Chain
from authentiscan.images.history import JpegHistory
from authentiscan.images.preprocess import Preprocess

_GRID = 16  # an MCU of 4:2:0; also a multiple of the 8x8 blocks


class AugmentSettings(Record):
    """What is done to a training image, in this order. Nothing here depends on the label.

    history: ``match`` gives losslessly stored images a first JPEG generation like the others have;
        ``every`` gives one to all images; ``none`` leaves files as they are.
    usable_side: of any image only a random square of at most this many pixels is used. Set it to
    the
        smaller class's size where the classes differ in size, or padding and reach tell them apart.
    degrade: a chain as `authentiscan.images.degrade` reads it; ``none`` does nothing.
    margin: pixels kept around the crop while codecs and filters work, so that borders do not show.
    rotation: largest turn in degrees, either way. zoom: smallest and largest magnification.
    brightness: largest relative change, 0.2 for +-20 %.
    """

    history: Literal["match", "every", "none"] = "match"
    usable_side: int | None = Field(default=None, ge=8)
    degrade: str = "none"
    margin: int = Field(default=16, ge=0, le=256)
    horizontal_flip: bool = True
    vertical_flip: bool = False
    rotate90: bool = False
    rotation: float = Field(default=0.0, ge=0, le=180)
    zoom: tuple[float, float] = (1.0, 1.0)
    brightness: float = Field(default=0.0, ge=0, lt=1)

    @field_validator("degrade")
    @classmethod
    def _readable(cls, text: str) -> str:
        try:
            degrade.parse(text)
        except UsageError as error:
            raise ValueError(str(error)) from error
        return text

    @field_validator("zoom")
    @classmethod
    def _ordered(cls, zoom: tuple[float, float]) -> tuple[float, float]:
        if not 0.25 <= zoom[0] <= zoom[1] <= 4:
            raise ValueError(f"zoom is [smallest, largest] within 0.25..4, got {list(zoom)}")
        return zoom


@dataclass(frozen=True)
class Augmenter:
    """Makes the training crop (size, size, 3) uint8 of an image; the same for the same ``rng``."""

    settings: AugmentSettings
    preprocess: Preprocess
    history: JpegHistory
    chain: Chain

    @classmethod
    def create(
        cls, settings: AugmentSettings, preprocess: Preprocess, history: JpegHistory | None = None
    ) -> Augmenter:
        """An augmenter whose chain is read once; ``history`` of the training set (or the usual)."""
        return cls(settings, preprocess, history or JpegHistory(), degrade.parse(settings.degrade))

    def __call__(self, pixels: RGBImage, lossless: bool, rng: np.random.Generator) -> RGBImage:
        """One random crop of ``pixels`` (H, W, 3) uint8; ``lossless`` as `needs_history` says."""
        history_rng = rng.spawn(1)[0]  # its draws must not move the crop of one class only
        record = self.chain.draw(rng)
        turn = math.radians(rng.uniform(-1, 1) * self.settings.rotation)
        zoom = float(np.exp(rng.uniform(*np.log(self.settings.zoom))))
        pixels = self._usable(pixels, rng)
        pixels, record = self._window(pixels, record, _reach(turn, zoom), rng)
        if self.settings.history == "every" or (self.settings.history == "match" and lossless):
            pixels = self.history.apply(pixels, history_rng)
        pixels = self.preprocess.fit(degrade.replay(pixels, record))
        if turn or zoom != 1.0:
            crop = self._turned(pixels, turn, zoom, rng)
        else:
            crop = _random_crop(pixels, self.preprocess.size, rng)
        return self._finish(crop, rng)

    def _usable(self, pixels: RGBImage, rng: np.random.Generator) -> RGBImage:
        side = self.settings.usable_side
        if side is None:
            return pixels
        top = _grid_start(pixels.shape[0] - side, rng)
        left = _grid_start(pixels.shape[1] - side, rng)
        return pixels[top : top + side, left : left + side]

    def _window(
        self, pixels: RGBImage, record: AppliedSteps, reach: float, rng: np.random.Generator
    ) -> tuple[RGBImage, AppliedSteps]:
        """The part that the crop can depend on, and the record fitted to the image's size."""
        if self.preprocess.resize != "none":
            return pixels, record  # the model sees the whole image, scaled
        wanted = self.preprocess.size * reach
        scale, record = _limited_scale(record, min(pixels.shape[:2]) / self.preprocess.size)
        side = math.ceil(wanted / scale) + 2 * self.settings.margin
        side += -side % _GRID
        top = _grid_start(pixels.shape[0] - side, rng)
        left = _grid_start(pixels.shape[1] - side, rng)
        return pixels[top : top + side, left : left + side], record

    def _turned(
        self, pixels: RGBImage, turn: float, zoom: float, rng: np.random.Generator
    ) -> RGBImage:
        """A crop turned by ``turn`` radians and magnified ``zoom`` times; outside is mirrored."""
        size = self.preprocess.size
        half = size * _reach(turn, zoom) / 2
        height, width = pixels.shape[:2]
        centre_y, centre_x = _centre(height, half, rng), _centre(width, half, rng)
        pad = max(0, math.ceil(half - min(centre_y, centre_x, height - centre_y, width - centre_x)))
        pad += 2  # for the interpolation's own reach
        wide = np.pad(pixels, ((pad, pad), (pad, pad), (0, 0)), mode="symmetric")
        cos, sin = math.cos(turn) / zoom, math.sin(turn) / zoom
        middle = size / 2
        affine = (
            cos, -sin, centre_x + pad - cos * middle + sin * middle,
            sin, cos, centre_y + pad - sin * middle - cos * middle,
        )  # fmt: skip
        turned = Image.fromarray(wide).transform(
            (size, size), Image.Transform.AFFINE, affine, resample=Image.Resampling.BICUBIC
        )
        return np.asarray(turned)

    def _finish(self, crop: RGBImage, rng: np.random.Generator) -> RGBImage:
        chances = rng.random(3)
        if self.settings.horizontal_flip and chances[0] < 0.5:
            crop = crop[:, ::-1]
        if self.settings.vertical_flip and chances[1] < 0.5:
            crop = crop[::-1]
        if self.settings.rotate90:
            crop = np.rot90(crop, int(chances[2] * 4))
        if self.settings.brightness:
            factor = 1 + rng.uniform(-1, 1) * self.settings.brightness
            crop = degrade.get("brightness").apply(crop, factor=factor)
        return np.ascontiguousarray(crop)


def matched(
    pixels: RGBImage,
    lossless: bool,
    settings: AugmentSettings,
    history: JpegHistory,
    rng: np.random.Generator,
) -> RGBImage:
    """The whole image with the history that training images get, and nothing else done to it."""
    if settings.history == "every" or (settings.history == "match" and lossless):
        return history.apply(pixels, rng)
    return pixels


def _reach(turn: float, zoom: float) -> float:
    """Side of the upright square that a turned, magnified unit square is cut from."""
    return (abs(math.cos(turn)) + abs(math.sin(turn))) / zoom


def _limited_scale(record: AppliedSteps, largest_shrink: float) -> tuple[float, AppliedSteps]:
    """Product of the chain's resizings, the record changed so that a crop still fits if it did.

    ``largest_shrink`` is the image's short side over the crop's side. Images under the crop's size
    are padded whatever happens, so nothing is limited for them beyond not shrinking further.
    """
    floor = min(1.0, 1.0 / max(largest_shrink, 1e-6))
    scale, fitted = 1.0, []
    for entry in record:
        if entry["step"] == "resize":
            parameters: JsonObject = dict(entry["parameters"])
            parameters["scale"] = max(float(parameters["scale"]), floor / scale)
            scale *= parameters["scale"]
            entry = {"step": "resize", "parameters": parameters}  # noqa: PLW2901
        fitted.append(entry)
    return scale, fitted


def _grid_start(room: int, rng: np.random.Generator) -> int:
    """A random multiple of the grid in 0..room; 0 where there is no room."""
    steps = max(0, room) // _GRID
    return int(rng.integers(steps + 1)) * _GRID


def _random_crop(pixels: RGBImage, size: int, rng: np.random.Generator) -> RGBImage:
    top = int(rng.integers(pixels.shape[0] - size + 1))
    left = int(rng.integers(pixels.shape[1] - size + 1))
    return pixels[top : top + size, left : left + size]


def _centre(length: int, half: float, rng: np.random.Generator) -> float:
    """Where the crop's middle lies, anywhere that keeps it inside; the middle where it cannot."""
    low, high = half, length - half
    return float(rng.uniform(low, high)) if high > low else length / 2
