"""Grad-CAM of the deployed graph over a whole image, in the same pass as the score.

The maps come out of the ONNX graph (`cam`, `cam_real`), where they are a closed form of the head:
no torch, no backward pass. Selvaraju et al., *Grad-CAM*, ICCV 2017.

Several networks: a detector's logit is the weighted sum of theirs, so its map is the weighted sum
of their maps. Each member's map is first laid over the whole image on the pixel grid (it has its
own crops, and its own number of cells a crop). A cell's value is a part of the member's logit, so a
map of few cells has large values; each is therefore counted times its cells a crop, relative to the
first member's: the mean over the image is then, up to one common factor, what the maps add to the
detector's logit. Weights are never negative, so a member's evidence keeps its direction; evidence
for the other side is not subtracted, as it has its own map.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from authentiscan.core.types import CropLogits, DecodedImage, RGBImage
from authentiscan.explain.base import (
    Explainable,
    ExplainedNetwork,
    Heatmap,
    Maps,
    Method,
    Target,
    pixels_of,
    stitch,
)


def gradcam(
    network: ExplainedNetwork, crops: NDArray[np.uint8], target: Target
) -> tuple[NDArray[np.float32], Maps]:
    """Logits (N,) and exact Grad-CAM (N, h, w) of crops: the default `Method`."""
    return network.explain_crops(crops, target)


def explain(
    detector: Explainable,
    image: DecodedImage | RGBImage,
    *,
    target: Target = "generated",
    method: Method = gradcam,
) -> Heatmap:
    """The map of evidence for ``target`` over the whole of ``image``, and its score.

    ``generated``: what raises the score; ``real``: what lowers it. Either may be empty (all 0).
    """
    pixels = pixels_of(image)
    total = np.zeros(pixels.shape[:2], np.float32)
    covered = np.zeros(pixels.shape[:2], np.bool_)
    crop_logits: list[CropLogits] = []
    first_cells = 0
    for weighted in detector.networks:
        preprocess = weighted.network.preprocess
        crops, boxes = weighted.crops(pixels)
        if not boxes:
            crop_logits.append(CropLogits(np.empty(0, np.float32), ()))
            continue
        logits, maps = method(weighted.network, crops, target)
        raw, seen = stitch(maps, boxes, preprocess, *pixels.shape[:2])
        cells = maps.shape[1] * maps.shape[2]
        first_cells = first_cells or cells
        total += np.float32(weighted.weight * cells / first_cells) * raw
        covered |= seen
        crop_logits.append(CropLogits(logits, tuple(boxes)))
    prediction = detector.prediction(crop_logits)
    return Heatmap(total, covered, prediction.score, target, prediction)


def explain_leaning(
    detector: Explainable, image: DecodedImage | RGBImage, *, method: Method = gradcam
) -> Heatmap:
    """As `explain`, for the side that the score leans to: ``generated`` from 0.5 on."""
    found = explain(detector, image, target="generated", method=method)
    return found if found.score >= 0.5 else explain(detector, image, target="real", method=method)


def heatmap(
    detector: Explainable, image: DecodedImage | RGBImage, *, target: Target = "generated"
) -> NDArray[np.float32]:
    """Grad-CAM over ``image`` scaled by its own maximum: float32 (H, W) in [0, 1].

    1 is the strongest place of this image, however weak; `explain` gives raw values as well.
    """
    return explain(detector, image, target=target).scaled()
