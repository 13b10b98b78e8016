"""The sheet that the page offers is the one that the command line makes."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from authentiscan.images.decode import encode

pytest.importorskip("streamlit")

from streamlit.testing.v1 import AppTest

from authentiscan.report import pdf
from authentiscan.scan import Item, Options
from authentiscan.scan.engine import judge
from authentiscan.serving.app import launch, settings
from authentiscan.serving.app.settings import Detectors, Settings
from authentiscan.serving.app.sheet import page_of, paper_of
from authentiscan.serving.app.state import Session, Upload
from authentiscan.serving.app.tabs import Shown

EVIL = "<img src=x onerror=alert(1)>.png"


@pytest.fixture
def shown(tiny_bundle: Path, photos: dict[str, np.ndarray]) -> Shown:
    content = encode(photos["chelsea"][:200, :220], "PNG", compress_level=1)
    chosen = Settings(Detectors([str(tiny_bundle)]))
    detector = chosen.detectors.get("tiny-bundle")
    mine = Session(images=(Upload(f"C:\\case\\{EVIL}", content),))
    report = judge(Item(EVIL, content=content), detector, Options()).report
    return Shown(0, "tiny-bundle", detector, report, mine, chosen)


def test_the_sheet_tells_how_to_repeat_it_and_no_place_on_a_disk(
    shown: Shown, tiny_bundle: Path
) -> None:
    html = page_of(shown).decode()
    assert "Evidence sheet: " in html
    assert shown.report.image is not None
    assert shown.report.image.sha256 in html
    assert "--model tiny-bundle" in html
    assert str(tiny_bundle.parent) not in html
    assert "<img src=x" not in html
    assert "JPEG quality 70" in html, "stability is on every sheet"


@pytest.mark.skipif(pdf.installed() is None, reason="needs a browser that prints")
def test_the_sheet_is_printed(shown: Shown) -> None:
    assert paper_of(shown).startswith(b"%PDF-")


@pytest.mark.parametrize("there", [True, False])
def test_a_pdf_is_offered_where_a_browser_can_print(
    there: bool,
    tiny_bundle: Path,
    photos: dict[str, np.ndarray],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(settings, "_current", [Settings(Detectors([str(tiny_bundle)]))])
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}" if there else None)
    page = AppTest.from_file(str(Path(launch.__file__).with_name("script.py")), default_timeout=280)
    content = encode(photos["chelsea"][:100, :100], "PNG")
    page.run().file_uploader[0].set_value([("cat.png", content, "image/png")])
    page.run().button(key="analyze").click().run()
    assert not page.exception
    assert ("Evidence sheet, PDF" in labels(page)) is there
    assert "Evidence sheet" in labels(page)


def labels(page: Any) -> list[str]:
    return [button.proto.label for button in page.get("download_button")]
