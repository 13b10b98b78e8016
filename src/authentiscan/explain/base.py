"""What an explanation needs of a detector, and what it gives: a map over the whole image."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from authentiscan.core.types import Box, CropLogits, DecodedImage, Prediction, RGBImage
from authentiscan.images.preprocess import Preprocess, Tensor

Target: TypeAlias = Literal["generated", "real"]
"""Which way the evidence points that a map shows."""

Maps: TypeAlias = NDArray[np.float32]
"""Maps (N, h, w) >= 0, one a crop, at any resolution."""


class ExplainedNetwork(Protocol):
    """One network as explanations see it; `authentiscan.inference.Network` is one."""

    @property
    def preprocess(self) -> Preprocess:
        """How images become crops."""
        ...

    def explain_crops(
        self, crops: NDArray[np.uint8], target: Target = "generated"
    ) -> tuple[NDArray[np.float32], Tensor]:
        """Logits (N,) and Grad-CAM (N, h, w) >= 0 of crops (N, S, S, 3) uint8."""
        ...


class ExplainedWeighted(Protocol):
    """A network of a detector and the factor, at least 0, on its pooled logit."""

    @property
    def weight(self) -> float:
        """The factor."""
        ...

    @property
    def network(self) -> ExplainedNetwork:
        """The network."""
        ...

    def crops(self, pixels: RGBImage, /) -> tuple[NDArray[np.uint8], list[Box]]:
        """Its crops (N, S, S, 3) of ``pixels`` and their boxes; none where it does not judge."""
        ...


class Predicts(Protocol):
    """A detector of which only the scores are asked."""

    def predict_many(self, sources: Iterable[Any], /) -> Iterator[Prediction]:
        """Predictions of pixels (H, W, 3) uint8, in order; each array is read before the next."""
        ...


class Explainable(Predicts, Protocol):
    """A detector as explanations see it; `authentiscan.inference.Detector` is one."""

    @property
    def networks(self) -> Sequence[ExplainedWeighted]:
        """The networks whose weighted logits add up to the detector's."""
        ...

    def prediction(self, crop_logits: Sequence[CropLogits], /) -> Prediction:
        """The prediction from the crop logits of one image, one a network."""
        ...


Method: TypeAlias = Callable[
    [ExplainedNetwork, NDArray[np.uint8], Target], tuple[NDArray[np.float32], Maps]
]
"""(network, crops (N, S, S, 3), target) -> logits (N,) and maps (N, h, w) >= 0."""


@dataclass(frozen=True, slots=True, eq=False)
class Heatmap:
    """Evidence over the whole image, in the method's own units, and the score it belongs to.

    raw: float32 (H, W) >= 0; overlapping crops are averaged, 0 where no crop was taken.
    covered: bool (H, W), False where the detector did not look.
    score: calibrated P(generated) in [0, 1] of the same image.
    prediction: of the same pass, so that it needs no second one.
    """

    raw: NDArray[np.float32]
    covered: NDArray[np.bool_]
    score: float
    target: Target
    prediction: Prediction | None = None

    def scaled(self) -> NDArray[np.float32]:
        """``raw`` divided by its maximum: float32 (H, W) in [0, 1], all 0 where nothing speaks.

        Strongest place of *this* image is 1, so compare images by ``raw``, never by this.
        """
        top = float(self.raw.max())
        return self.raw / top if top > 1e-12 else np.zeros_like(self.raw)


def pixels_of(image: DecodedImage | RGBImage) -> RGBImage:
    """Pixels (H, W, 3) of either kind."""
    return image.pixels if isinstance(image, DecodedImage) else image


def stitch(
    maps: Maps, boxes: Sequence[Box], preprocess: Preprocess, height: int, width: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Maps of crops laid over the image they were taken from, (height, width), overlaps averaged.

    Each map is enlarged bilinearly to its crop. What was padding is cut off again; what was scaled
    is scaled back. Also returns where any crop was.
    """
    fitted_height, fitted_width = _fitted_shape(preprocess, boxes, height, width)
    total = np.zeros((fitted_height, fitted_width), np.float32)
    count = np.zeros((fitted_height, fitted_width), np.float32)
    for crop_map, box in zip(maps, boxes, strict=True):
        place = np.s_[box.top : box.top + box.height, box.left : box.left + box.width]
        total[place] += enlarge(crop_map, box.height, box.width)
        count[place] += 1
    mean = np.asarray(total / np.maximum(count, 1), dtype=np.float32)
    if _was_scaled(preprocess, height, width):
        # Above 0, not a half: a crop of a very long image may cover less than one pixel.
        covered = enlarge((count > 0).astype(np.float32), height, width) > 0
        return enlarge(mean, height, width), covered
    top, left = preprocess.margin(height, width)
    inside = np.s_[top : top + height, left : left + width]
    return mean[inside], count[inside] > 0


def enlarge(values: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """``values`` (h, w) resampled bilinearly to (height, width), never below 0."""
    if values.shape == (height, width):
        return values
    image = Image.fromarray(np.ascontiguousarray(values, dtype=np.float32))
    resized = image.resize((width, height), Image.Resampling.BILINEAR)
    return np.maximum(np.asarray(resized, dtype=np.float32), 0)


def _was_scaled(preprocess: Preprocess, height: int, width: int) -> bool:
    if preprocess.resize != "none":
        return True
    return preprocess.small_image == "upscale" and min(height, width) < preprocess.size


def _fitted_shape(
    preprocess: Preprocess, boxes: Sequence[Box], height: int, width: int
) -> tuple[int, int]:
    """Shape after `Preprocess.fit`, asked of the real thing on an image without colour planes."""
    fitted = preprocess.fit(np.zeros((height, width, 3), np.uint8))
    bottom = max(box.top + box.height for box in boxes)
    right = max(box.left + box.width for box in boxes)
    return max(fitted.shape[0], bottom), max(fitted.shape[1], right)
