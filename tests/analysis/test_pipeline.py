"""analyze: one image in, one report out, on a real detector."""

from __future__ import annotations

import io
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from authentiscan.analysis import analyze, analyze_many, assemble, open_image, pipeline
from authentiscan.attribution import load_attributor
from authentiscan.core.errors import (
    CorruptImageError,
    EmptyFileError,
    ImageLimitError,
    UnreadableFileError,
)
from authentiscan.core.types import RGBImage, Verdict
from authentiscan.images import decode as images
from authentiscan.images import walk
from authentiscan.images.walk import Walk, jpeg
from authentiscan.inference import Detector, load_detector
from authentiscan.provenance import Claim
from conftest_attribution import colours

__all__ = ["colours"]

A1111 = "a cat\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x512"


@pytest.fixture(scope="module")
def detector(tiny_bundle: Path) -> Detector:
    return load_detector(tiny_bundle, threads=1)


@pytest.fixture(scope="module")
def photo(photos: dict[str, RGBImage]) -> bytes:
    return images.encode(photos["coffee"], "JPEG", quality=92)


def with_text(pixels: RGBImage, **texts: str) -> bytes:
    info = PngImagePlugin.PngInfo()
    for key, value in texts.items():
        info.add_text(key, value)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def test_report_joins_everything(detector: Detector, photo: bytes) -> None:
    report = analyze(photo, detector, name="coffee.jpg", stability=True, heatmap=True)
    spec = detector.spec
    assert report.path == "coffee.jpg"
    assert report.score == detector.predict(photo).score
    assert report.pixel_verdict is detector.verdict(report.score or 0)
    assert report.threshold == spec.decision.generated.score
    assert report.fpr == spec.decision.generated.fpr
    assert len(report.crops) >= 1
    assert report.stability is not None
    assert report.provenance is not None
    assert report.image is not None
    assert (report.image.format, report.image.bytes) == ("JPEG", len(photo))
    assert report.model is not None
    assert report.model.name == spec.name
    assert report.heatmap is not None
    assert report.heatmap.shape == (report.image.height, report.image.width)
    assert {"decode_ms", "model_ms", "total_ms", "provenance_ms", "stability_ms"} <= set(
        report.timings
    )
    assert report.reason
    assert report.error is None


def test_the_attributor_is_asked_of_generated_images_alone(
    detector: Detector, photo: bytes, colours: Path
) -> None:
    attributor = load_attributor(colours)
    score = detector.predict(photo).score
    plain = analyze(photo, detector)
    assert plain.attribution is None
    for threshold in (score / 2, min(1.0, score + 0.01)):
        rule = detector.spec.decision.generated.model_copy(update={"score": threshold})
        decision = detector.spec.decision.model_copy(update={"generated": rule})
        spec = detector.spec.model_copy(update={"decision": decision})
        judge = Detector(spec, detector.networks)
        with_name, without = (analyze(photo, judge, attributor=a) for a in (attributor, None))
        assert with_name.verdict is without.verdict
        assert with_name.score == without.score
        named = with_name.verdict is Verdict.GENERATED
        assert (with_name.attribution is not None) == named
        assert ("attribution_ms" in with_name.timings) == named
        if named:
            assert with_name.attribution == attributor.attribute(photo)
            assert '"attribution":{"generator":' in with_name.json_line()


def test_every_kind_of_source_gives_the_same_score(
    detector: Detector, photo: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(photo)
    with path.open("rb") as file:
        reports = [
            analyze(source, detector)
            for source in (photo, path, str(path), file, images.decode(photo))
        ]
    assert len({r.score for r in reports}) == 1
    assert [r.path for r in reports] == ["<bytes>", str(path), str(path), str(path), "<bytes>"]
    assert reports[-1].provenance is None
    assert analyze(photo, detector, provenance=False).provenance is None


def test_metadata_claiming_ai_keeps_a_real_verdict_open(
    detector: Detector, photos: dict[str, RGBImage]
) -> None:
    reports = {
        name: analyze(with_text(pixels, parameters=A1111), detector)
        for name, pixels in photos.items()
    }
    assert any(r.pixel_verdict is Verdict.REAL for r in reports.values())
    for report in reports.values():
        assert report.provenance is not None
        assert report.provenance.claim is Claim.AI_GENERATED
        assert report.verdict is not Verdict.REAL
        if report.pixel_verdict is Verdict.REAL and report.rule != "unstable":
            assert "conflict" in {w.code for w in report.warnings}


@pytest.mark.parametrize(
    ("content", "error"), [(b"", EmptyFileError), (b"\x89PNG\r\n\x1a\n", CorruptImageError)]
)
def test_unreadable_images_raise(
    detector: Detector, content: bytes, error: type[Exception]
) -> None:
    with pytest.raises(error):
        analyze(content, detector)


def test_limits_are_kept_whatever_else_is_asked_for(detector: Detector, photo: bytes) -> None:
    few = images.Limits(pixels=1000)
    for heatmap in (False, True):
        with pytest.raises(ImageLimitError, match="at most 1,000 are allowed"):
            analyze(photo, detector, heatmap=heatmap, limits=few)
    (row,) = analyze_many([photo], detector, limits=few)
    assert row.error_kind == "ImageLimitError"


def test_an_image_opened_before_is_judged_as_its_file(detector: Detector, photo: bytes) -> None:
    opened = open_image(photo, name="a.jpg")
    first, second = analyze(opened, detector), analyze(photo, detector, name="a.jpg")
    changing = {"timings": True, "provenance": {"milliseconds"}}
    assert first.model_dump(exclude=changing) == second.model_dump(exclude=changing)
    assert first.timings["decode_ms"] == opened.milliseconds
    assert first.timings["total_ms"] >= opened.milliseconds


def test_a_file_is_walked_once(
    detector: Detector, photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    walks: list[int] = []

    def counted(into: Walk) -> None:
        walks.append(len(into.data))
        jpeg.walk(into)

    monkeypatch.setitem(walk._WALKS, "JPEG", counted)
    assert analyze(photo, detector, provenance=True).provenance is not None
    assert walks == [len(photo)]


def test_many_go_on_past_a_broken_one(detector: Detector, photo: bytes, tmp_path: Path) -> None:
    missing = tmp_path / "none.png"
    first, second, third = analyze_many([photo, missing, photo], detector)
    assert (first.error, third.error) == (None, None)
    assert first.score == third.score
    assert (second.verdict, second.path) == (None, str(missing))
    assert second.error_kind == UnreadableFileError.__name__


def test_assemble_equals_analyze(detector: Detector, photo: bytes) -> None:
    image = images.decode(photo)
    built = assemble(image, detector.predict(image), detector.spec, name="a")
    whole = analyze(photo, detector, name="a", provenance=False)
    assert built == whole.model_copy(update={"timings": {}})


def test_threads_share_one_detector(detector: Detector, photo: bytes) -> None:
    with ThreadPoolExecutor(4) as pool:
        scores = {r.score for r in pool.map(lambda _: analyze(photo, detector), range(8))}
    assert len(scores) == 1


def test_default_detector_is_loaded_once(
    monkeypatch: pytest.MonkeyPatch, tiny_bundle: Path, photo: bytes
) -> None:
    import authentiscan.inference

    loads: list[Detector] = []

    def load() -> Detector:
        loads.append(load_detector(tiny_bundle, threads=1))
        return loads[-1]

    monkeypatch.setattr(authentiscan.inference, "load_detector", load)
    monkeypatch.setattr(pipeline, "_default", [])
    threads = [threading.Thread(target=analyze, args=(photo,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loads) == 1


def test_plain_pixels_reach_a_verdict(detector: Detector) -> None:
    flat = images.encode(np.full((200, 200, 3), 128, np.uint8), "PNG")
    assert analyze(flat, detector, stability=True).verdict in set(Verdict)
