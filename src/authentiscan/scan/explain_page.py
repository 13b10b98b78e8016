"""Explanations of several images as one page: the pictures of each in a row, with its verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from authentiscan.analysis import Report
from authentiscan.explain.overlay import Panel
from authentiscan.images.decode import encode
from authentiscan.report.judges import judge_of
from authentiscan.report.page import Page, Section, Thumb
from authentiscan.report.thumbnails import address, shrunk

if TYPE_CHECKING:
    from authentiscan.inference.spec import DetectorSpec

SIDE = 480
"""Longest side of a picture on the page, in pixels."""


@dataclass
class ExplainPage:
    """Collects explained images; `save` writes them."""

    strips: list[tuple[str, Sequence[Thumb]]] = field(default_factory=list)

    def add(self, report: Report, shown: Sequence[Panel]) -> None:
        """Take the pictures of one image, the image itself first."""
        thumbs = [
            Thumb(
                address(encode(shrunk(panel.picture, SIDE), "JPEG", quality=80)),
                panel.caption,
                f"dark: {panel.ends[0]}, bright: {panel.ends[1]}" if panel.scale else "",
            )
            for panel in shown
        ]
        score = f"{report.verdict}, score {report.score:.3f}"
        self.strips.append((f"{report.path}: {score}. {report.reason}", thumbs))

    def add_failed(self, name: str, error: Exception) -> None:
        """Take an image that could not be read."""
        self.strips.append((f"{name}: {error}", [Thumb(None, "failed", "")]))

    def save(self, path: Path, spec: DetectorSpec) -> None:
        """Write the page, with the detector that ``spec`` describes in its footer."""
        number = len(self.strips)
        Page(
            title=f"Where the detector looked: {number} image{'' if number == 1 else 's'}",
            lead="A map tells where an image has its evidence, compared with the rest of the same "
            "image. It tells nothing of how much, and it is not proof.",
            sections=[Section("Images", strips=self.strips)],
            judges=[judge_of(spec)],
        ).save(path)
