"""The one preprocessing contract: pixels in, model input out, the same everywhere.

A bundle stores this record; training-time evaluation, ONNX inference, the command line and every
service read it. Nothing else in the package turns pixels into model input.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field, model_serializer, model_validator
from pydantic_core.core_schema import SerializerFunctionWrapHandler

from authentiscan.core.records import Record
from authentiscan.core.types import Box, RGBImage

Tensor: TypeAlias = NDArray[np.float32]

_Spread = Annotated[float, Field(ge=1e-6, le=1e6)]  # it is divided by
_Level = Annotated[float, Field(ge=-1e6, le=1e6)]
_RESAMPLING = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


class Preprocess(Record):
    """How an image becomes the crops a model sees, and how their scores become one.

    size: side of the square model input in pixels.
    resize: ``none`` keeps native pixels, so that generator traces survive; ``short_side`` scales
        the short side keeping the aspect; ``squash`` scales both sides to ``size``.
    short_side: where ``resize`` is ``short_side``, what the short side is scaled to: ``size`` where
        None, more where the crops are to leave out the rim.
    interpolation: filter of any scaling (antialiased when shrinking).
    small_image: an image with a side under ``size`` and ``resize="none"`` is mirrored outwards
        (``reflect``), repeated (``tile``), scaled up (``upscale``) or put on a black ground
        (``black``) until it fits.
    max_crops: at most this many crops, spread over the image on an even grid; 1 is the centre crop.
    pooling: how crop logits become the image's logit.
    mean, std: per RGB channel, on pixels scaled to [0, 1].
    """

    size: int = Field(ge=8, le=2048)
    resize: Literal["none", "short_side", "squash"] = "none"
    short_side: int | None = Field(default=None, ge=8, le=4096)
    interpolation: Literal["bilinear", "bicubic", "lanczos"] = "bicubic"
    small_image: Literal["reflect", "tile", "upscale", "black"] = "reflect"
    max_crops: int = Field(default=1, ge=1, le=256)
    pooling: Literal["mean", "median", "max"] = "mean"
    mean: tuple[_Level, _Level, _Level] = (0.485, 0.456, 0.406)
    std: tuple[_Spread, _Spread, _Spread] = (0.229, 0.224, 0.225)

    @model_validator(mode="after")
    def _whole_crops(self) -> Preprocess:
        if self.short_side is not None and (
            self.resize != "short_side" or self.short_side < self.size
        ):
            raise ValueError(
                f"short_side is for resize: short_side and at least size ({self.size}), "
                f"got {self.short_side} with resize: {self.resize}"
            )
        return self

    @model_serializer(mode="wrap")
    def _as_before(self, whole: SerializerFunctionWrapHandler) -> dict[str, object]:
        """Without ``short_side`` where it says nothing: older records keep their text and hash."""
        values: dict[str, object] = whole(self)
        if self.short_side is None:
            values.pop("short_side", None)
        return values

    def fit(self, image: RGBImage) -> RGBImage:
        """Scale or pad ``image`` (H, W, 3) so that both sides are at least ``size``."""
        height, width = image.shape[:2]
        if self.resize == "squash":
            return self._scaled(image, self.size, self.size)
        short = min(height, width)
        if self.resize == "short_side" or (short < self.size and self.small_image == "upscale"):
            side = self.short_side or self.size
            if short == side:
                return image
            scale = side / short
            return self._scaled(
                image, max(self.size, round(width * scale)), max(self.size, round(height * scale))
            )
        if short < self.size:
            pad_y, pad_x = max(0, self.size - height), max(0, self.size - width)
            if self.small_image == "black":
                top, left = self.margin(height, width)
                return np.pad(image, ((top, pad_y - top), (left, pad_x - left), (0, 0)))
            mode: Literal["symmetric", "wrap"] = (
                "symmetric" if self.small_image == "reflect" else "wrap"
            )
            return np.pad(image, ((0, pad_y), (0, pad_x), (0, 0)), mode=mode)
        return image

    def margin(self, height: int, width: int) -> tuple[int, int]:
        """Rows above and columns left of an image of that size that `fit` adds.

        A black ground lies all around, as of torchvision's CenterCrop; the other kinds of padding
        are below and to the right.
        """
        if self.resize != "none" or self.small_image != "black":
            return 0, 0
        return max(0, self.size - height) // 2, max(0, self.size - width) // 2

    def boxes(self, height: int, width: int) -> list[Box]:
        """Where crops are taken from a fitted image of that height and width, row by row.

        The grid has the fewest rows and columns that cover the image without gaps, thinned evenly
        where that would be more than ``max_crops``; one crop is the centre.
        """
        if self.max_crops == 1:
            return [self._box((width - self.size) // 2, (height - self.size) // 2)]
        columns, rows = _grid(width / self.size, height / self.size, self.max_crops)
        return [
            self._box(left, top)
            for top in _starts(height, self.size, rows)
            for left in _starts(width, self.size, columns)
        ]

    def crops(self, image: RGBImage) -> tuple[NDArray[np.uint8], list[Box]]:
        """Crops (N, size, size, 3) uint8 of ``image`` and their boxes in the fitted image."""
        fitted = self.fit(image)
        boxes = self.boxes(*fitted.shape[:2])
        stacked = np.stack(
            [fitted[b.top : b.top + b.height, b.left : b.left + b.width] for b in boxes]
        )
        return stacked, boxes

    def tensor(self, crops: NDArray[np.uint8]) -> Tensor:
        """Model input (N, 3, size, size) float32 of crops (N, size, size, 3) uint8."""
        scale = np.asarray([1.0 / (255.0 * s) for s in self.std], dtype=np.float32)
        shift = np.asarray(
            [-m / s for m, s in zip(self.mean, self.std, strict=True)], dtype=np.float32
        )
        # Planes first: with three interleaved channels numpy's inner loops are three numbers long.
        normal = np.empty((len(crops), 3, *crops.shape[1:3]), dtype=np.float32)
        normal[...] = crops.transpose(0, 3, 1, 2)
        normal *= scale[:, None, None]
        normal += shift[:, None, None]
        return normal

    def pool(self, logits: NDArray[np.float32] | NDArray[np.float64]) -> float:
        """One logit of the image from its crops' logits (N,)."""
        values = np.asarray(logits, dtype=np.float64)
        if self.pooling == "median":
            return float(np.median(values))
        return float(values.max() if self.pooling == "max" else values.mean())

    def _box(self, left: int, top: int) -> Box:
        return Box(left=left, top=top, width=self.size, height=self.size)

    def _scaled(self, image: RGBImage, width: int, height: int) -> RGBImage:
        resized = Image.fromarray(image).resize(
            (width, height), resample=_RESAMPLING[self.interpolation]
        )
        return np.asarray(resized)


def _grid(across: float, down: float, limit: int) -> tuple[int, int]:
    """Columns and rows of the covering grid, at most ``limit`` cells, aspect kept when thinned."""
    columns, rows = max(1, int(np.ceil(across))), max(1, int(np.ceil(down)))
    if columns * rows <= limit:
        return columns, rows
    ratio = across / down
    columns = int(np.clip(round(np.sqrt(limit * ratio)), 1, limit))
    rows = max(1, min(rows, limit // columns))
    return max(1, min(columns, limit // rows)), rows


def _starts(length: int, size: int, count: int) -> list[int]:
    """``count`` starts of stretches of ``size`` spread evenly over ``length``.

    Where they cover it they reach from end to end; where they cannot, each lies in the middle of
    its equal part, so that a few crops of a large image are not all at its rim.
    """
    room = length - size
    if count * size < length:
        return [round((i + 0.5) * length / count - size / 2) for i in range(count)]
    if count == 1:
        return [room // 2]
    return [round(i * room / (count - 1)) for i in range(count)]
