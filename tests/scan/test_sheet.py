"""The evidence sheet of one image: what it says, and that it is safe to hand on."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from authentiscan import load_attributor, load_detector
from authentiscan.analysis import Report, open_image
from authentiscan.provenance import Finding, Provenance, State, TrustList
from authentiscan.scan.sheet import MOST_FINDINGS, MOST_WORDS, SIDE, _provenance, make_sheet

EVIL = "<img src=x onerror=alert(1)>"


def _png(pixels: np.ndarray, text: str = "") -> bytes:
    told = PngInfo()
    if text:
        told.add_text("parameters", text)
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", pnginfo=told)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def detector(tiny_bundle: Path) -> Any:
    return load_detector(tiny_bundle)


def test_the_sheet_holds_everything_and_loads_nothing(
    detector: Any, photos: dict[str, np.ndarray], read_page: Callable[[str], Any]
) -> None:
    content = _png(photos["chelsea"], f"{EVIL}\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1")
    opened = open_image(content, name="/home/someone/case/a cat.png")
    report, html = make_sheet(opened, detector, trust=TrustList.chosen(), model="runs/a")
    page = read_page(html)
    assert report.image is not None
    assert report.stability is not None
    for words in (
        "Evidence sheet: a cat.png", f"Verdict: {report.verdict}", report.reason,
        report.image.sha256, str(detector.spec.sha256), "not proof", "Generated is said from",
        "Real is said below",
        "authentiscan sheet 'a cat.png' --model runs/a", "unsigned: anyone can write it",
        *(trial.change for trial in report.stability.trials), *detector.spec.limits,
    ):  # fmt: skip
        assert words in page.text, words
    assert "someone" not in html, "where the file lay is nobody else's business"
    pictures = [image for image in page.all("img") if str(image["src"]).startswith("data:")]
    assert [image["alt"] for image in pictures] == ["the image", "heatmap over the image in grey"]
    assert "<img src=x" not in html


def test_the_map_is_of_the_side_that_the_pixels_take(
    detector: Any, photos: dict[str, np.ndarray]
) -> None:
    report, html = make_sheet(
        open_image(_png(photos["coffee"]), name="c"), detector, trust=TrustList.chosen()
    )
    side = "real" if report.pixel_verdict == "real" else "generated"
    assert f"Evidence for &#34;{side}&#34;" in html
    assert "which is no evidence" in html


def test_a_detector_that_never_says_real_is_told_so(
    tiny_bundle: Path, photos: dict[str, np.ndarray]
) -> None:
    detector = load_detector(tiny_bundle)
    decision = detector.spec.decision
    never = decision.model_copy(update={"real": decision.real.model_copy(update={"score": 0.0})})
    detector.spec = detector.spec.model_copy(update={"decision": never})
    opened = open_image(_png(photos["coffee"]), name="c")
    _, html = make_sheet(opened, detector, trust=TrustList.chosen())
    assert "never says real" in html


def test_the_likely_generator_of_a_generated_image_is_told(
    tiny_bundle: Path, photos: dict[str, np.ndarray]
) -> None:
    detector = load_detector(tiny_bundle)
    decision = detector.spec.decision
    always = decision.model_copy(
        update={
            "generated": decision.generated.model_copy(update={"score": 0.0}),
            "real": decision.real.model_copy(update={"score": 0.0}),
        }
    )
    detector.spec = detector.spec.model_copy(update={"decision": always})
    opened = open_image(_png(photos["coffee"]), name="c")
    trust = TrustList.chosen()
    report, html = make_sheet(opened, detector, trust=trust, attributor=load_attributor())
    assert report.attribution is not None
    assert "likely generator: " in html
    assert "--attributor" not in html
    other = make_sheet(opened, detector, trust=trust, namer="my own")[1]
    assert "likely generator" not in other
    assert "--attributor &#39;my own&#39;" in other


def test_large_pictures_are_made_smaller(detector: Any, photos: dict[str, np.ndarray]) -> None:
    large = np.kron(photos["coffee"], np.ones((3, 3, 1), np.uint8))
    opened = open_image(_png(large), name="c.png")
    _, html = make_sheet(opened, detector, trust=TrustList.chosen())
    pictures = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', html)
    sizes = [Image.open(BytesIO(base64.b64decode(data))).size for data in pictures]
    assert [max(size) for size in sizes] == [SIDE, SIDE]
    assert "made smaller" in html


def test_many_findings_are_cut_and_counted() -> None:
    one = Finding(kind="xmp", state=State.UNSIGNED, summary="x" * 400, source="XMP")
    report = Report(path="in/a b.png", provenance=Provenance(findings=(one,) * 20))
    shown = _provenance(report)
    assert len(shown["findings"]) == MOST_FINDINGS
    assert all(len(text) <= MOST_WORDS for row in shown["findings"] for text in row)
    assert shown["notes"] == [f"{20 - MOST_FINDINGS} more: `authentiscan provenance 'a b.png'`"]
