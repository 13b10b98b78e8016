"""Properties of an image that make a verdict on it less reliable."""

from __future__ import annotations

from authentiscan.analysis.report import ReportWarning
from authentiscan.core.preprocess import Preprocess
from authentiscan.core.types import DecodedImage, ImageFacts

LEAST_SIDE = 16
"""Images with a shorter side than this many pixels are not judged by any detector."""

STRONG_JPEG = 60
"""JPEG quality at or under which the traces a detector looks for are mostly gone."""


def check(image: DecodedImage, preprocess: Preprocess) -> tuple[ReportWarning, ...]:
    """All warnings that ``image`` deserves before a detector with ``preprocess`` judges it."""
    found = [*too_small(image.facts, preprocess), *strong_compression(image.facts)]
    return tuple(ReportWarning(code=code, message=message) for code, message in found)


def too_small(facts: ImageFacts, preprocess: Preprocess) -> list[tuple[str, str]]:
    """Warn where the detector has to fill up the image to its input size."""
    short = min(facts.width, facts.height)
    size = f"{facts.width}×{facts.height} pixels"
    crops = preprocess.resize == "none" and preprocess.small_image != "upscale"
    if short < LEAST_SIDE or (crops and short < preprocess.size / 2):
        return [
            (
                "too_small_to_judge",
                f"{size} are too few to judge: the detector reads {preprocess.size} px squares",
            )
        ]
    if crops and short < preprocess.size:
        return [
            (
                "too_small",
                f"{size} are fewer than the detector's {preprocess.size} px: it saw a padded image",
            )
        ]
    return []


def strong_compression(facts: ImageFacts) -> list[tuple[str, str]]:
    """Warn where JPEG compression has removed most of the fine detail."""
    quality = facts.jpeg_quality
    if quality is None or quality > STRONG_JPEG:
        return []
    return [
        (
            "strong_compression",
            f"saved at JPEG quality {quality}: fine traces are lost below {STRONG_JPEG}",
        )
    ]
