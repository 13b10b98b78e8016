"""One verdict for a clip: by its frames, never by error rates that were not measured on frames."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest

from authentiscan.analysis.clip import UNMEASURED, analyze_clip, verdict_of
from authentiscan.analysis.report import ClipFrame, Report
from authentiscan.attribution import load_attributor
from authentiscan.core.errors import CorruptImageError
from authentiscan.core.types import Verdict
from authentiscan.images.video import Clip, ClipFacts, Frame
from authentiscan.images.video.clip import frame_image
from authentiscan.inference import Detector, load_detector
from authentiscan.provenance import Claim, Finding, Provenance, State
from conftest_attribution import colours

__all__ = ["colours"]

G, R, I = Verdict.GENERATED, Verdict.REAL, Verdict.INCONCLUSIVE  # noqa: E741


@pytest.mark.parametrize(
    ("found", "verdict", "rule"),
    [
        (16 * [G], G, "frames-agree"),
        (9 * [G] + 7 * [I], G, "frames-agree"),
        (8 * [G] + 8 * [I], I, "frames-undecided"),
        (15 * [G] + [R], G, "frames-agree"),
        (14 * [G] + 2 * [R], I, "frames-differ"),
        (14 * [R] + 2 * [G], I, "frames-differ"),
        (15 * [R] + [G], R, "frames-agree"),
        (9 * [R] + 7 * [I], R, "frames-agree"),
        ([I], I, "frames-undecided"),
        ([R], R, "frames-agree"),
    ],
)
def test_frames_join_to_one_verdict(found: list[Verdict], verdict: Verdict, rule: str) -> None:
    frames = [ClipFrame(seconds=i, score=0.5, verdict=v) for i, v in enumerate(found)]
    assert verdict_of(frames) == (verdict, rule)


@pytest.fixture(scope="module")
def detector(tiny_bundle: Path) -> Detector:
    return load_detector(tiny_bundle, threads=1)


def clip(photos: dict[str, np.ndarray], notes: list[str] | None = None, broken: int = -1) -> Clip:
    """A clip of photographs, one a second."""

    def frames() -> Generator[Frame, None, None]:
        for number, pixels in enumerate(photos.values()):
            if number == broken:
                raise CorruptImageError("no picture")
            yield Frame(frame_image(pixels[:200, :200], "MP4"), number, number == 0)

    facts = ClipFacts("MP4", "h264", 200, 200, 999, "ab" * 32, 6.0, 25.0, 1000, 150)
    return Clip(facts, frames(), notes or [])


def test_the_report_is_made_of_the_frames(
    photos: dict[str, np.ndarray], detector: Detector
) -> None:
    seen: list[tuple[float, float | None]] = []
    report = analyze_clip(
        clip(photos), detector, name="a.mp4", asked=6,
        see=lambda frame, found: seen.append((frame.seconds, found.score)),
    )  # fmt: skip
    scores = [detector.predict(pixels[:200, :200]).score for pixels in photos.values()]
    assert report.clip is not None
    assert [f.score for f in report.clip.frames] == pytest.approx(scores)
    assert [f.seconds for f in report.clip.frames] == [0, 1, 2, 3, 4, 5]
    assert [f.key for f in report.clip.frames] == [True] + 5 * [False]
    assert seen == [(f.seconds, f.score) for f in report.clip.frames]
    assert report.score == pytest.approx(float(np.median(scores)))
    assert report.spread == pytest.approx(max(scores) - min(scores))
    assert report.verdict is verdict_of(list(report.clip.frames))[0]
    assert report.image is not None
    assert (report.image.format, report.image.frames, report.image.bytes) == ("MP4", 150, 999)
    assert (report.clip.codec, report.clip.seconds, report.clip.asked) == ("h264", 6.0, 6)
    assert report.timings["total_ms"] >= report.timings["model_ms"] > 0
    assert Report.model_validate_json(report.json_line()) == report


def test_no_error_rate_of_still_images_is_claimed(
    photos: dict[str, np.ndarray], detector: Detector
) -> None:
    report = analyze_clip(clip(photos), detector, name="a", asked=6)
    assert report.rate == UNMEASURED
    assert "not on frames of videos" in report.reason
    assert "%" not in report.reason
    (limit,) = [w for w in report.warnings if w.code == "video_frames"]
    assert "compression hides traces" in limit.message


def test_warnings_of_frames_are_counted(photos: dict[str, np.ndarray], detector: Detector) -> None:
    flat = {str(i): np.full((12, 12, 3), 90, np.uint8) for i in range(3)}
    report = analyze_clip(clip(photos | flat), detector, name="a", asked=9)
    told = {w.code: w.message for w in report.warnings}
    assert told["too_small_to_judge"].startswith("in 3 of 9 frames: ")


def test_what_was_not_read_is_told(photos: dict[str, np.ndarray], detector: Detector) -> None:
    report = analyze_clip(clip(photos, ["the file ends early"]), detector, name="a", asked=6)
    assert report.clip is not None
    assert report.clip.notes == ("the file ends early",)
    assert "the file ends early" in {w.code: w.message for w in report.warnings}["clip_incomplete"]


def test_a_clip_without_frames_is_an_error(
    photos: dict[str, np.ndarray], detector: Detector
) -> None:
    with pytest.raises(CorruptImageError):
        analyze_clip(clip(photos, broken=0), detector, name="a", asked=6)


def test_a_trusted_signature_outranks_the_frames(
    photos: dict[str, np.ndarray], detector: Detector
) -> None:
    said = Finding(kind="c2pa", state=State.TRUSTED, claim=Claim.AI_GENERATED, summary="made",
                   source="C2PA active manifest")  # fmt: skip
    found = Provenance(c2pa=State.TRUSTED, claim=Claim.AI_GENERATED, container="MP4",
                       findings=(said,), milliseconds=1)  # fmt: skip
    report = analyze_clip(clip(photos), detector, name="a", asked=6, provenance=found)
    assert (report.verdict, report.rule) == (Verdict.GENERATED, "signed-ai")
    assert report.provenance is found


def stricter(detector: Detector, generated_from: float) -> Detector:
    """The same detector with other thresholds; nothing is called real."""
    decision = detector.spec.decision
    rules = {
        "generated": decision.generated.model_copy(update={"score": generated_from}),
        "real": decision.real.model_copy(update={"score": 0.0}),
    }
    spec = detector.spec.model_copy(update={"decision": decision.model_copy(update=rules)})
    return Detector(spec, detector.networks)


def test_the_generator_is_that_of_the_generated_frames_together(
    photos: dict[str, np.ndarray], detector: Detector, colours: Path
) -> None:
    attributor = load_attributor(colours)
    scores = [detector.predict(pixels[:200, :200]).score for pixels in photos.values()]
    judge = stricter(detector, sorted(scores)[1])  # all frames but one
    plain = analyze_clip(clip(photos), judge, name="a", asked=6)
    named = analyze_clip(clip(photos), judge, name="a", asked=6, attributor=attributor)
    assert plain.attribution is None
    assert named.verdict is plain.verdict is Verdict.GENERATED
    assert named.clip is not None
    counted = [
        attributor.embed(pixels[:200, :200])
        for pixels, frame in zip(photos.values(), named.clip.frames, strict=True)
        if frame.verdict is Verdict.GENERATED
    ]
    assert len(counted) == len(photos) - 1
    mean = np.mean([embedding for embedding, _ in counted], axis=0)
    assert named.attribution == attributor.attribution(mean, sum(crops for _, crops in counted))
    assert named.timings["attribution_ms"] > 0
    assert named.timings["total_ms"] >= named.timings["decode_ms"] + named.timings["model_ms"]
    assert Report.model_validate_json(named.json_line()) == named


def test_of_a_clip_that_is_not_generated_nobody_is_named(
    photos: dict[str, np.ndarray], detector: Detector, colours: Path
) -> None:
    scores = sorted(detector.predict(pixels[:200, :200]).score for pixels in photos.values())
    for generated_from in (scores[-1], 1.0):  # one frame, none
        report = analyze_clip(
            clip(photos), stricter(detector, generated_from), name="a", asked=6,
            attributor=load_attributor(colours),
        )  # fmt: skip
        assert report.verdict is Verdict.INCONCLUSIVE
        assert report.attribution is None
        assert "attribution_ms" not in report.timings


def test_where_the_file_alone_says_generated_all_frames_are_asked(
    photos: dict[str, np.ndarray], detector: Detector, colours: Path
) -> None:
    said = Finding(kind="c2pa", state=State.TRUSTED, claim=Claim.AI_GENERATED, summary="made",
                   source="C2PA active manifest")  # fmt: skip
    found = Provenance(c2pa=State.TRUSTED, claim=Claim.AI_GENERATED, container="MP4",
                       findings=(said,), milliseconds=1)  # fmt: skip
    attributor = load_attributor(colours)
    report = analyze_clip(
        clip(photos), stricter(detector, 1.0), name="a", asked=6, provenance=found,
        attributor=attributor,
    )  # fmt: skip
    assert report.attribution is not None
    each = [attributor.embed(pixels[:200, :200])[1] for pixels in photos.values()]
    assert report.attribution.crops == sum(each)
