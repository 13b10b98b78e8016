"""The page of a scan: order, names, and what a browser makes of ten thousand images."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from authentiscan.analysis import Report
from authentiscan.analysis.report import ReportWarning
from authentiscan.images.decode import encode
from authentiscan.scan.batch_page import CHUNK, PICTURED, BatchPage
from authentiscan.scan.engine import Scanned

MANY = 10_000
DOT = encode(np.full((12, 16, 3), 90, np.uint8), "JPEG")


def _report(number: int, path: str | None = None) -> Report:
    score = (number * 7919 % 1000) / 1000
    verdict = "generated" if score > 0.9 else "real" if score < 0.2 else "inconclusive"
    warned = (ReportWarning(code="too_small", message="small"),) if number % 10 == 3 else ()
    name = path or f"/home/someone/case/part{number % 3}/IMG_{number}.jpg"
    return Report(path=name, verdict=verdict, score=score, reason="so.", warnings=warned)


def _written(path: Path, reports: Iterator[Report], picture: bytes | None = None) -> str:
    page = BatchPage(path, {})
    for report in reports:
        page.write(Scanned(report, picture, picture))
    page.close()
    return path.read_text("utf-8")


def _index(html: str) -> list[Any]:
    found = re.search(r'id="index">(.*?)</script>', html, re.S)
    assert found
    entries: list[Any] = json.loads(found[1])
    return entries


def test_names_are_relative_to_what_all_have_in_common(tmp_path: Path) -> None:
    html = _written(tmp_path / "p.html", (_report(n) for n in range(6)))
    assert "someone" not in html
    assert "6 images of case/" in re.sub("<wbr>", "", html)
    assert {entry[0] for entry in _index(html)} == {f"part{n % 3}/IMG_{n}.jpg" for n in range(6)}


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["a.jpg", "in/b.jpg"], ["a.jpg", "in/b.jpg"]),
        (["/x/a.zip::deep/a.jpg", "/x/b.jpg"], ["a.zip::deep/a.jpg", "b.jpg"]),
        (["/one/a.jpg"], ["a.jpg"]),
        (["/ab/a.jpg", "/abc/a.jpg"], ["ab/a.jpg", "abc/a.jpg"]),
    ],
)
def test_relative_names(paths: list[str], names: list[str], tmp_path: Path) -> None:
    reports = (_report(500, path) for path in paths)  # all inconclusive: the order stays
    assert [entry[0] for entry in _index(_written(tmp_path / "p.html", reports))] == names


def test_the_index_cannot_end_its_script(tmp_path: Path, read_page: Callable[[str], Any]) -> None:
    evil = "in/</script><script>alert(1)</script>&.jpg"
    html = _written(tmp_path / "p.html", (_report(n, p) for n, p in enumerate([evil, "b.jpg"])))
    page = read_page(html)
    assert len(page.all("script")) == 2
    assert evil in {entry[0] for entry in _index(html)}


def test_cards_stand_in_chunks_and_later_ones_wait_for_the_script(tmp_path: Path) -> None:
    html = _written(tmp_path / "p.html", (_report(n) for n in range(PICTURED + 1)), DOT)
    chunks = re.findall(r"<noscript>(<article.*?)</noscript>", html, re.S)
    assert [chunk.count("<article") for chunk in chunks] == [CHUNK] * (PICTURED // CHUNK) + [1]
    assert html.count(' src="data:') == 2 * PICTURED
    assert html.count(' data-src="data:') == 2


# In a browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api")
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("needs an installed Chromium")
    with api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture(scope="module")
def ten_thousand(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "p.html"
    _written(path, (_report(n) for n in range(MANY)), DOT)
    return path


@pytest.mark.slow  # the page alone takes ten seconds of processor time to make
def test_ten_thousand_images_are_painted_at_once_and_few_are_built(
    browser: Any, ten_thousand: Path
) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 800})
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text))
    page.on("request", lambda r: r.url.startswith(("file:", "data:")) or problems.append(r.url))
    page.goto(ten_thousand.as_uri(), timeout=120_000)
    painted = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    assert painted < 10_000, "milliseconds, on a machine of any load"
    assert page.evaluate("document.querySelectorAll('*').length") < 3000
    assert page.evaluate("document.images.length") <= 120
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    started = time.perf_counter()
    page.fill("#find", "IMG_9999")
    page.wait_for_function("document.querySelector('.place').textContent == '1 to 1 of 1'")
    assert time.perf_counter() - started < 10
    assert problems == []
    page.close()


@pytest.fixture(scope="module")
def hundred(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "p.html"
    _written(path, (_report(n) for n in range(300)), DOT)
    return path


def _names(page: Any) -> list[str]:
    names: list[str] = page.eval_on_selector_all(
        "#shown .name", "all => all.map(a => a.textContent)"
    )
    return names


def test_filters_order_and_pages_by_mouse_and_keyboard(browser: Any, hundred: Path) -> None:
    page = browser.new_page()
    page.goto(hundred.as_uri())
    scores = [_report(n).score or 0 for n in range(300)]
    assert _names(page)[0].endswith(f"IMG_{scores.index(max(scores))}.jpg")
    assert page.inner_text(".place >> nth=0") == "1 to 60 of 300"
    page.click("text=next >> nth=0")
    assert page.inner_text(".place >> nth=0") == "61 to 120 of 300"
    page.select_option("#order", "name")
    assert _names(page)[:3] == ["part0/IMG_0.jpg", "part0/IMG_3.jpg", "part0/IMG_6.jpg"]
    page.select_option("#code", "too_small")
    assert page.inner_text(".place >> nth=0") == "1 to 30 of 30"
    page.focus("#f-all")
    page.keyboard.press("ArrowRight")
    warned = [n for n in range(3, 300, 10) if scores[n] > 0.9]
    assert _names(page) == sorted((f"part{n % 3}/IMG_{n}.jpg" for n in warned), key=str)
    page.focus("#shown input")
    page.keyboard.press("Space")
    large = page.eval_on_selector("#shown img", "image => image.getBoundingClientRect().width")
    assert large > 600, "a key enlarges the picture"
    page.keyboard.press("Escape")
    assert not page.is_checked("#shown input >> nth=0")
    page.close()


def test_paper_gets_all_as_a_compact_list(browser: Any, hundred: Path) -> None:
    page = browser.new_page()
    page.goto(hundred.as_uri())
    pages = page.pdf(prefer_css_page_size=True).count(b"/Type /Page\n")
    assert 3 <= pages <= 16
    assert page.inner_text(".place >> nth=0") == "1 to 60 of 300", "as before on the screen"
    page.close()


def test_rows_are_shown_without_a_script(browser: Any, hundred: Path) -> None:
    page = browser.new_page(java_script_enabled=False)
    page.goto(hundred.as_uri())
    assert page.locator("article:visible").count() == 300
    assert not page.locator("#find").is_visible()
    page.check("#f-real")
    real = sum(1 for n in range(300) if _report(n).verdict == "real")
    assert page.locator("article:visible").count() == real
    page.close()
