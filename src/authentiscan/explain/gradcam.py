"""Grad-CAM of the deployed graph over a whole image, in the same pass as the score.

The maps come out of the ONNX graph (`cam`, `cam_real`), where they are a closed form of the head:
no torch, no backward pass. Selvaraju et al., *Grad-CAM*, ICCV 2017.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from authentiscan.core.types import DecodedImage, RGBImage
from authentiscan.explain.base import Explainable, Heatmap, Maps, Method, Target, pixels_of, stitch


def gradcam(
    detector: Explainable, crops: NDArray[np.uint8], target: Target
) -> tuple[NDArray[np.float32], Maps]:
    """Logits (N,) and exact Grad-CAM (N, h, w) of crops: the default `Method`."""
    return detector.explain_crops(crops, target)


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
    preprocess = detector.spec.preprocess
    crops, boxes = preprocess.crops(pixels)
    logits, maps = method(detector, crops, target)
    raw, covered = stitch(maps, boxes, preprocess, *pixels.shape[:2])
    score = detector.score(preprocess.pool(logits))
    return Heatmap(raw, covered, score, target, logits, tuple(boxes))


def heatmap(
    detector: Explainable, image: DecodedImage | RGBImage, *, target: Target = "generated"
) -> NDArray[np.float32]:
    """Grad-CAM over ``image`` scaled by its own maximum: float32 (H, W) in [0, 1].

    1 is the strongest place of this image, however weak; `explain` gives raw values as well.
    """
    return explain(detector, image, target=target).scaled()
