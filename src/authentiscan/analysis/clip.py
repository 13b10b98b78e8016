"""One verdict for a video or an animation, from frames that are judged as still images are.

No detector of this package was measured on frames of videos. So the report never repeats the error
rates of still images for a clip, and it is `inconclusive` wherever its frames do not agree. The
likely generator of a clip that looks generated is that of all its generated frames together.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from authentiscan.analysis import rules
from authentiscan.analysis.pipeline import analyze
from authentiscan.analysis.report import (
    ClipFrame,
    ClipInfo,
    ImageInfo,
    ModelInfo,
    Report,
    ReportWarning,
)
from authentiscan.core.types import DecodedImage, Verdict
from authentiscan.images.video import Clip, ClipFacts, Frame
from authentiscan.provenance import Provenance

if TYPE_CHECKING:
    from authentiscan.attribution import Attribution, Attributor
    from authentiscan.inference import Detector

OPPOSED_SHARE = 1 / 8
"""Share of frames that say the opposite of the others from which a clip is inconclusive."""

UNMEASURED = "error rates were measured on still images, not on frames of videos"


def analyze_clip(
    clip: Clip,
    detector: Detector,
    *,
    name: str,
    asked: int,
    stability: bool = False,
    provenance: Provenance | None = None,
    attributor: Attributor | None = None,
    see: Callable[[Frame, Report], None] | None = None,
) -> Report:
    """Judge the frames of ``clip`` one by one and join them to one report.

    asked: how many frames were wanted. stability: of every frame. provenance: what the file says
    of itself. attributor: names the likely generator of a clip judged generated, from the frames
    that look generated; from all where the file alone says so. see: takes each frame with its own
    report, such as to draw it. Raises a DecodeError where no frame can be read. Memory holds one
    frame.
    """
    started = time.perf_counter()
    judged: list[Report] = []
    frames: list[ClipFrame] = []
    claimed = _claimed(detector, provenance)
    makers = None if attributor is None else _Makers(attributor, every=claimed)
    try:
        for frame in clip.frames:
            report = analyze(
                frame.image, detector, name=name, stability=stability, provenance=False
            )
            assert report.score is not None
            assert report.verdict is not None
            frames.append(
                ClipFrame(
                    seconds=round(frame.seconds, 3),
                    score=report.score,
                    verdict=report.verdict,
                    key=frame.key,
                )
            )
            judged.append(report)
            if makers is not None:
                makers.see(frame.image, report.verdict)
            if see is not None:
                see(frame, report)
    finally:
        clip.frames.close()
    total = (time.perf_counter() - started) * 1e3
    joined = _joined(clip, judged, frames, detector, name, asked, provenance, total)
    return joined if makers is None else _named(joined, makers)


class _Makers:
    """What an attributor sees of a clip's frames; ``every``: also of those not judged generated."""

    def __init__(self, attributor: Attributor, *, every: bool) -> None:
        self._attributor, self._every = attributor, every
        self._seen: list[NDArray[np.float64]] = []
        self._crops = 0
        self.milliseconds = 0.0

    def see(self, image: DecodedImage, verdict: Verdict) -> None:
        """Keep the embedding of a frame that counts; some hundred numbers."""
        if not self._every and verdict is not Verdict.GENERATED:
            return
        started = time.perf_counter()
        embedding, crops = self._attributor.embed(image)
        self._seen.append(embedding)
        self._crops += crops
        self.milliseconds += (time.perf_counter() - started) * 1e3

    def answer(self) -> Attribution:
        """Who made them all; there is at least one in a clip judged generated."""
        return self._attributor.attribution(np.mean(self._seen, axis=0), self._crops)


def _named(report: Report, makers: _Makers) -> Report:
    """The report with the likely generator, where the clip is judged generated."""
    timings = dict(report.timings)
    timings["decode_ms"] = round(max(0.0, timings["decode_ms"] - makers.milliseconds), 3)
    if report.verdict is not Verdict.GENERATED:
        return report.model_copy(update={"timings": timings})
    timings["attribution_ms"] = round(makers.milliseconds, 3)
    return report.model_copy(update={"timings": timings, "attribution": makers.answer()})


def _claimed(detector: Detector, provenance: Provenance | None) -> bool:
    """Whether the file itself makes the verdict `generated`, whatever its frames look like."""
    undecided = rules.Evidence(
        score=0.5,
        pixels=Verdict.INCONCLUSIVE,
        decision=detector.spec.decision,
        provenance=provenance,
    )
    return rules.judge(undecided).verdict is Verdict.GENERATED


def verdict_of(frames: list[ClipFrame]) -> tuple[Verdict, str]:
    """The clip's verdict and the name of the rule that gave it; docs/verdict.md shows the rules."""
    counts = Counter(frame.verdict for frame in frames)
    opposed = min(counts[Verdict.REAL], counts[Verdict.GENERATED])
    if opposed and opposed >= OPPOSED_SHARE * len(frames):
        return Verdict.INCONCLUSIVE, "frames-differ"
    for verdict in (Verdict.GENERATED, Verdict.REAL):
        if 2 * counts[verdict] > len(frames):
            return verdict, "frames-agree"
    return Verdict.INCONCLUSIVE, "frames-undecided"


def _joined(  # noqa: PLR0917 - `analyze_clip`'s own
    clip: Clip,
    judged: list[Report],
    frames: list[ClipFrame],
    detector: Detector,
    name: str,
    asked: int,
    provenance: Provenance | None,
    total: float,
) -> Report:
    spec, facts = detector.spec, clip.facts
    scores = [frame.score for frame in frames]
    middle = float(median(scores))
    verdict, rule = verdict_of(frames)
    evidence = rules.Evidence(
        score=middle,
        pixels=spec.decision(middle),
        decision=spec.decision,
        provenance=provenance,
    )
    judged_by_file = rules.judge(evidence)
    by_file = judged_by_file.rule != rules.RULES[-1].name
    return Report(
        path=name,
        verdict=judged_by_file.verdict if by_file else verdict,
        score=middle,
        reason=judged_by_file.reason if by_file else _reason(frames, middle),
        rule=judged_by_file.rule if by_file else rule,
        threshold=spec.decision.generated.score,
        fpr=spec.decision.generated.fpr,
        real_below=spec.decision.real.score,
        miss=spec.decision.real.miss,
        rate=UNMEASURED,
        pixel_verdict=verdict,
        spread=max(scores) - min(scores),
        warnings=_warnings(judged, clip),
        provenance=provenance,
        image=_image(facts),
        clip=ClipInfo(
            codec=facts.codec,
            seconds=facts.seconds,
            frame_rate=facts.frame_rate,
            bit_rate=facts.bit_rate,
            asked=asked,
            frames=tuple(frames),
            notes=tuple(clip.notes),
        ),
        model=ModelInfo.of(spec),
        timings=_timings(judged, total),
    )


def _reason(frames: list[ClipFrame], middle: float) -> str:
    counts = Counter(frame.verdict for frame in frames)
    scores = [frame.score for frame in frames]
    words = {
        Verdict.GENERATED: "look generated",
        Verdict.REAL: "look like photographs",
        Verdict.INCONCLUSIVE: "do not decide it",
    }
    parts = ", ".join(f"{counts[v]} {word}" for v, word in words.items() if counts[v])
    return (
        f"Of {len(frames)} frames, {parts}; their median score is {middle:.2f}, from "
        f"{min(scores):.2f} to {max(scores):.2f}; {UNMEASURED}."
    )


def _warnings(judged: list[Report], clip: Clip) -> tuple[ReportWarning, ...]:
    """The frames' warnings, each once with how many frames have it, and those of the clip."""
    first: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for warning in (warning for report in judged for warning in report.warnings):
        first.setdefault(warning.code, warning.message)
        counts[warning.code] += 1
    found = [
        ReportWarning(code=code, message=f"in {counts[code]} of {len(judged)} frames: {message}")
        for code, message in first.items()
    ]
    found.append(
        ReportWarning(
            code="video_frames",
            message=f"frames of a {clip.facts.container} clip ({clip.facts.codec}): {UNMEASURED}, "
            "and their compression hides traces that the detector looks for",
        )
    )
    if clip.notes:
        found.append(
            ReportWarning(code="clip_incomplete", message=f"not all was read: {clip.notes[0]}")
        )
    return tuple(found)


def _image(facts: ClipFacts) -> ImageInfo:
    return ImageInfo(
        format=facts.container,
        width=facts.width,
        height=facts.height,
        bytes=facts.bytes,
        sha256=facts.sha256,
        frames=facts.frames or 1,
    )


def _timings(judged: list[Report], total: float) -> dict[str, float]:
    """decode_ms: all that is no work on pixels at hand, so mostly waiting for the decoder."""
    model = sum(report.timings["model_ms"] for report in judged)
    work = sum(report.timings["total_ms"] for report in judged)
    found = {"decode_ms": max(0.0, total - work), "model_ms": model, "total_ms": total}
    return {name: round(value, 3) for name, value in found.items()}
