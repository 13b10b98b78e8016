"""Videos and animations among the items of a scan: opened by their first bytes, judged, drawn."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from authentiscan.analysis.clip import analyze_clip
from authentiscan.core.types import RGBImage
from authentiscan.images.decode import Limits, read_source
from authentiscan.images.endings import IMAGE_ENDINGS, ending
from authentiscan.images.video import Clip, container_of, is_animated, open_animation, open_video
from authentiscan.provenance import Provenance, inspect
from authentiscan.report import timeline
from authentiscan.report.thumbnails import shrunk
from authentiscan.scan import kinds

if TYPE_CHECKING:
    from authentiscan.analysis import Report
    from authentiscan.attribution import Attributor
    from authentiscan.images.video import Frame
    from authentiscan.inference import Detector
    from authentiscan.provenance import TrustList

FRAMES = 16
"""Judged of a video where no number is given."""

_FRAME_SIDE = 160


@dataclass(frozen=True, slots=True)
class Opened:
    """A clip, how many frames were asked for, and the file's bytes where it is small enough for
    what it says of itself to be read.
    """

    clip: Clip
    asked: int
    content: bytes | None


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """The frame in the middle, (H, W, 3) uint8, and the timeline as PNG."""

    middle: RGBImage
    timeline: bytes


def opened(source: Path | bytes, frames: int | None, limits: Limits) -> Opened | None:
    """The clip that ``source`` is; None for a still image, and for an animation without ``frames``.

    Files called like images are not looked at, unless frames are asked for. Raises a DecodeError
    where a clip cannot be read, MissingExtraError without the ``video`` extra.
    """
    called_image = isinstance(source, Path) and ending(source) in IMAGE_ENDINGS
    if called_image and frames is None:
        return None
    try:
        head = source[: kinds.HEAD_BYTES] if isinstance(source, bytes) else kinds.head_of(source)
    except (OSError, ValueError):
        return None  # reading it as an image says why
    if container_of(head) is not None:
        asked = frames or FRAMES
        clip = open_video(source, asked)
        small = clip.facts.bytes <= limits.bytes
        return Opened(clip, asked, read_source(source, limits) if small else None)
    if frames is None or not kinds.is_image(head, ""):
        return None
    content = read_source(source, limits)
    if not is_animated(content):
        return None
    return Opened(open_animation(content, frames, limits=limits), frames, content)


def judged(
    found: Opened,
    name: str,
    detector: Detector,
    *,
    stability: bool,
    provenance: bool,
    trust: TrustList | None,
    attributor: Attributor | None,
    drawn: bool,
) -> tuple[Report, Pictures | None]:
    """The report of a clip, and its pictures where they are to be ``drawn``."""
    points: list[timeline.Point] = []

    def see(frame: Frame, report: Report) -> None:
        if drawn and report.score is not None and report.verdict is not None:
            small = shrunk(frame.image.pixels, _FRAME_SIDE)
            points.append(timeline.Point(frame.seconds, report.score, report.verdict, small))

    findings: Provenance | None = None
    if provenance and found.content is not None:
        findings = inspect(found.content, trust)
    report = analyze_clip(
        found.clip,
        detector,
        name=name,
        asked=found.asked,
        stability=stability,
        provenance=findings,
        attributor=attributor,
        see=see,
    )
    if not points:
        return report, None
    decision = detector.spec.decision
    picture = timeline.draw(
        name,
        points,
        seconds=found.clip.facts.seconds,
        generated_from=decision.generated.score,
        real_below=decision.real.score,
    )
    return report, Pictures(points[len(points) // 2].picture, picture)
