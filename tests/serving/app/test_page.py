"""The page without a browser: what stands on it in every state, and that no tab fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from authentiscan.images.decode import encode

pytest.importorskip("streamlit")

from streamlit.testing.v1 import AppTest

from authentiscan.serving.app import launch, settings
from authentiscan.serving.app.settings import Detectors, Settings
from authentiscan.serving.app.state import Session
from authentiscan.serving.app.tabs import TABS
from authentiscan.serving.app.upload import EXAMPLES, endings, of_example

SCRIPT = Path(launch.__file__).with_name("script.py")
EVIL = '<img src=x onerror=alert(1)>[a](http://b)".png'


@pytest.fixture
def offered(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A page that offers one small detector."""
    chosen = Settings(Detectors([str(tiny_bundle)]))
    monkeypatch.setattr(settings, "_current", [chosen])
    return chosen


def opened() -> Any:
    page = AppTest.from_file(str(SCRIPT), default_timeout=280).run()
    assert not page.exception
    return page


def analyzed(*files: tuple[str, bytes], page: Any = None) -> Any:
    page = page or opened()
    page.file_uploader[0].set_value([(name, content, "image/png") for name, content in files])
    page.run().button(key="analyze").click().run()
    assert not page.exception
    return page


def html(page: Any) -> str:
    return "\n".join(element.proto.body for element in page.get("html"))


def session(page: Any) -> Session:
    found: Session = page.session_state["session"]
    return found


def png(pixels: np.ndarray) -> bytes:
    return encode(pixels, "PNG", compress_level=1)


def test_the_empty_page_offers_examples_and_a_promise(offered: Settings) -> None:
    page = opened()
    assert [b.label for b in page.button] == [
        "Analyze", "Try: a photograph", "Try: a generated image",
    ]  # fmt: skip
    assert page.button(key="analyze").disabled
    assert "nothing leaves this machine" in html(page)
    page.button(key=EXAMPLES[1].file).click().run()
    assert not page.exception
    assert "data-verdict=" in html(page)
    report = session(page).results[0, offered.detectors.names[0]].report
    assert report.provenance is not None
    assert report.provenance.claim.value == "ai_generated"


def test_a_server_for_others_promises_only_what_is_true(
    offered: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "_current", [Settings(offered.detectors, local=False)])
    told = html(opened())
    assert "nothing leaves this machine" not in told
    assert "the machine that serves this page" in told


@pytest.mark.parametrize("name", TABS)
def test_every_tab_fills_without_a_failure(
    name: str, offered: Settings, photos: dict[str, np.ndarray]
) -> None:
    page = analyzed(("cat.png", png(photos["chelsea"][:200, :220])))
    page.session_state["tabs"] = name
    page.run()
    assert not page.exception
    told = html(page)
    expected = {
        "Heatmap": "Grad-CAM", "What the file says": "never evidence",
        "Likely generator": "names no program", "Residual and frequency": "by itself",
        "Image facts": "SHA-256", "Technical details": "Score before calibration",
        "Model card": "What it cannot do", "Stability": "",
    }  # fmt: skip
    assert expected[name] in told
    if name == "Stability":
        next(b for b in page.button if b.label == "Check stability").click().run()
        assert not page.exception
        assert "JPEG quality 70" in html(page)


def test_a_broken_file_is_told_and_a_hostile_name_stays_text(offered: Settings) -> None:
    page = analyzed((EVIL, b"\x89PNG\r\n\x1a\n not really"))
    told = html(page)
    assert 'data-verdict="failed"' in told
    assert "<img" not in told
    assert not page.get("tabs")
    assert session(page).images[0].name == EVIL


def test_a_batch_has_a_table_and_goes_on_to_any_image(
    offered: Settings, photos: dict[str, np.ndarray]
) -> None:
    (name,) = offered.detectors.names
    cat = png(photos["chelsea"][:150, :150])
    page = analyzed(("one.png", cat), ("two.png", cat[:900]), ("one.png", cat))
    table = page.dataframe[0].value
    assert table["file"].tolist() == ["one.png", "two.png", "one.png"]
    assert table["verdict"].str.contains("failed").tolist() == [False, True, False]
    scores = [session(page).results[place, name].report.score for place in range(3)]
    assert table["score"].tolist()[0] == pytest.approx(scores[0])
    page.selectbox(key="place").set_value(1).run()
    assert 'data-verdict="failed"' in html(page)
    page.button(key="clear").click().run()
    assert not page.exception
    assert session(page).images == ()
    assert "data-verdict" not in html(page)


def test_several_detectors_judge_the_same_image(
    tiny_bundle: Path, photos: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    offered = Detectors(["default", str(tiny_bundle), str(tiny_bundle / "nothing")])
    names = list(offered.names)
    monkeypatch.setattr(settings, "_current", [Settings(offered)])
    page = analyzed(("cat.png", png(photos["chelsea"][:200, :200])))
    assert list(session(page).results) == [(0, "default")]
    page.multiselect(key="detectors").set_value(names[:2]).run()
    assert not page.exception
    assert list(session(page).results) == [(0, name) for name in names[:2]]
    assert "Other detectors" in html(page)
    assert "detectors: default, tiny-bundle" in html(page)
    page.multiselect(key="detectors").set_value(names).run()
    assert not page.exception
    assert "cannot be used" in page.error[0].value
    page.multiselect(key="detectors").set_value([]).run()
    assert not page.exception
    assert page.button(key="analyze").disabled


def test_the_likely_generator_is_that_of_the_report() -> None:
    from authentiscan.attribution import Attribution, Candidate
    from authentiscan.attribution.result import AttributorInfo
    from authentiscan.serving.app.html import render

    found = Attribution(
        generator="flux",
        candidates=(Candidate(generator="flux", probability=0.7),),
        fit=0.4,
        least_fit=0.05,
        crops=3,
        model=AttributorInfo(name="default", version="1"),
    )
    told = render("generator.html", named=True, found=found, generated=True)
    assert "flux" in told
    assert "70 %" in told
    assert "No attributor was asked" in render(
        "generator.html", named=True, found=None, generated=True
    )
    assert "only where the verdict is generated" in render(
        "generator.html", named=False, found=None, generated=False
    )


def test_what_ships_is_small_and_ours() -> None:
    for example in EXAMPLES:
        assert len(of_example(example).content) < 150_000
    assert {"jpg", "jpeg", "png", "webp", "avif", "tif", "tiff"} <= set(endings())
