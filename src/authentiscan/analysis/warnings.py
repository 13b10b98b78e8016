"""Properties of an image that make a verdict on it less reliable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from authentiscan.analysis import content
from authentiscan.analysis.content import Content
from authentiscan.analysis.report import ReportWarning
from authentiscan.core.types import DecodedImage, ImageFacts, RGBImage
from authentiscan.images import figures
from authentiscan.images.preprocess import Preprocess
from authentiscan.provenance import Provenance, State, programs
from authentiscan.provenance.c2pa import CHANGED

LEAST_SIDE = 16
"""Images with a shorter side than this many pixels are not judged by any detector."""

STRONG_JPEG = 60
"""JPEG quality at or under which the traces a detector looks for are mostly gone."""

PLAIN = 6
"""A line of pixels that varies by no more levels than this is plain."""

LINES = 100
"""Rows and columns looked at for margins."""

MOST_MARGIN = 0.125
"""Share of the picture that plain margins may take up without a warning."""


def check(
    image: DecodedImage,
    preprocess: Sequence[Preprocess],
    provenance: Provenance | None = None,
    typical: Mapping[str, tuple[float, float]] | None = None,
    verdict_range: Mapping[str, tuple[float, float]] | None = None,
) -> tuple[ReportWarning, ...]:
    """All warnings that ``image`` deserves when networks with ``preprocess``, one each, judge it.

    typical, verdict_range: ranges of the detector's training images, and those in which its error
    rates hold, as its description states them.
    """
    measured = figures.measure(image.pixels) if typical or verdict_range else {}
    found = [
        *too_small(image.facts, preprocess),
        *strong_compression(image.facts),
        *not_a_photograph(content.measure(image.pixels)),
        *padded(image.pixels),
        *heavy_editing(provenance),
        *credentials(provenance),
        *far_from_training_data(measured, typical or {}),
        *outside_verdict_range(measured, verdict_range or {}),
    ]
    return tuple(ReportWarning(code=code, message=message) for code, message in found)


def too_small(facts: ImageFacts, preprocess: Sequence[Preprocess]) -> list[tuple[str, str]]:
    """Warn where a network has to fill up the image to its input size."""
    short = min(facts.width, facts.height)
    size = f"{facts.width}×{facts.height} pixels"
    native = [p.size for p in preprocess if p.resize == "none" and p.small_image != "upscale"]
    needed = max(native, default=0)
    if short < LEAST_SIDE or short < needed / 2:
        read = needed or max(p.size for p in preprocess)
        return [
            (
                "too_small_to_judge",
                f"{size} are too few to judge: the detector reads {read} px squares",
            )
        ]
    if short < needed:
        return [
            (
                "too_small",
                f"{size} are fewer than the detector's {needed} px: it saw a padded image",
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


def not_a_photograph(found: Content | None) -> list[tuple[str, str]]:
    """Warn of screens, text and flat drawings; measured rates stand in docs/verdict.md."""
    if found is None:
        return []
    if found.flat > 0.4 and found.two_toned > 0.7 and found.main_colour > 0.5:
        return [
            (
                "screenshot_or_text",
                "looks like a screenshot or a page of text: neither a photograph nor generated",
            )
        ]
    if found.two_toned >= 0.6:
        return [("drawing", "looks drawn, not photographed: the detector knows photographs best")]
    return []


def padded(pixels: RGBImage) -> list[tuple[str, str]]:
    """Warn where plain bars or margins take up more than an eighth of the picture."""
    height, width = pixels.shape[:2]
    few = pixels[:: max(1, height // LINES), :: max(1, width // LINES)].astype(np.int16)
    rows = (np.ptp(np.ascontiguousarray(few.transpose(1, 0, 2)), axis=0) <= PLAIN).all(axis=-1)
    columns = (np.ptp(few, axis=0) <= PLAIN).all(axis=-1)
    if rows.all() or columns.all():
        return []  # an empty picture has no margins
    inside = (1 - _margins(rows)) * (1 - _margins(columns))
    if 1 - inside <= MOST_MARGIN:
        return []
    return [("padded", f"plain margins take up {100 * (1 - inside):.0f} % of the picture")]


def _margins(plain: NDArray[np.bool_]) -> float:
    """The share of lines before the first and after the last that is not plain."""
    lines = np.flatnonzero(~plain)
    return float(1 - (lines[-1] - lines[0] + 1) / len(plain))


def heavy_editing(provenance: Provenance | None) -> list[tuple[str, str]]:
    """Warn where metadata tells of an editor made for changing pictures, or of many steps."""
    for finding in provenance.findings if provenance else ():
        program = programs.known(finding.generator or "")
        steps = int(finding.details.get("steps", "0"))
        if finding.state is not State.INVALID and ((program and program.heavy) or steps >= 10):
            by = program.name if program and program.heavy else f"{steps} recorded steps"
            return [("heavy_editing", f"metadata tells of editing ({by}), which changes traces")]
    return []


def credentials(provenance: Provenance | None) -> list[tuple[str, str]]:
    """Warn of content credentials that could not be read, or that do not fit the file."""
    if provenance is None:
        return []
    signed = [f for f in provenance.findings if f.kind == "c2pa" and f.state is provenance.c2pa]
    claim = signed[0].summary if signed else "the content credentials"
    match provenance.c2pa:
        case State.UNCHECKED:
            return [("c2pa_unchecked", f"{claim}; what they say of the picture is not known")]
        case State.UNREADABLE:
            return [("c2pa_unreadable", f"{claim}; what they say of the picture is not known")]
        case State.INVALID:
            return [("c2pa_broken", f"{claim}: {CHANGED}")]
    return []


Ranges: TypeAlias = Mapping[str, tuple[float, float]]


def far_from_training_data(measured: Mapping[str, float], typical: Ranges) -> list[tuple[str, str]]:
    """Warn where a plain figure of the picture lies outside its range of the training images: 99 %
    of those lie inside all ranges.
    """
    odd = _outside(measured, typical, "training images")
    return [("far_from_training_data", f"unlike what the detector learned from: {odd}")] * bool(odd)


def outside_verdict_range(measured: Mapping[str, float], ranges: Ranges) -> list[tuple[str, str]]:
    """Warn where a figure lies outside the range in which the detector's error rates hold."""
    odd = _outside(measured, ranges, "error rates known for")
    return [("outside_verdict_range", f"the detector is misled by such images: {odd}")] * bool(odd)


def _outside(measured: Mapping[str, float], ranges: Ranges, what: str) -> str:
    return "; ".join(
        f"{name} {measured[name]:.3g} ({what} {low:.3g} to {high:.3g})"
        for name, (low, high) in ranges.items()
        if name in measured and not low <= measured[name] <= high
    )
