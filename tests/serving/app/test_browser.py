"""A person at the page: the real command, a real browser."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from authentiscan.images.decode import encode

pytest.importorskip("playwright")

pytestmark = pytest.mark.xdist_group("browser")


def inside(page: Any) -> bool:
    """Whether nothing stands out of the window to the right."""
    wide: int = page.evaluate(
        "Math.max(...[...document.querySelectorAll('.stApp *')]"
        ".filter(e => !e.closest('.as-scroll, [data-testid=stDataFrame], [data-baseweb=tab-list],"
        " [role=tablist], canvas, svg'))"
        ".filter(e => e.checkVisibility({opacityProperty: true}))"
        ".map(e => e.getBoundingClientRect().right))"
    )
    return wide <= page.viewport_size["width"] + 1


def test_upload_verdict_heatmap_other_detector(visit: Any, server: Any, cat: bytes) -> None:
    visitor = visit()
    page = visitor.page
    verdict = visitor.analyze(("cat.jpg", cat))
    assert verdict.get_attribute("data-verdict") in {"real", "generated", "inconclusive"}
    assert "on a scale from 0, real, to 1, generated" in page.content()
    assert "of real photographs" in verdict.inner_text()
    heat = page.get_by_alt_text("heatmap of the evidence for generated over the image")
    heat.wait_for()
    before = heat.get_attribute("src")
    page.get_by_role("slider").press("ArrowRight")
    page.wait_for_function(
        "before => document.querySelector('img[alt^=heatmap]').getAttribute('src') !== before",
        arg=before,
    )
    first = verdict.inner_text()
    visitor.choose("Detectors", "tiny-bundle")
    page.get_by_text("Other detectors:").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("radio", name="tiny-bundle").click()
    page.locator(".as-others", has_text="default").wait_for()
    assert verdict.inner_text() != first
    assert visitor.violations() == []
    assert visitor.failures == []
    asked = {url for url in visitor.asked if not url.startswith((server.address, "data:", "blob:"))}
    assert asked == set(), "the page asks for nothing from elsewhere"
    assert sorted(server.home.rglob("*")) == [], "nothing is kept"
    maps = Path(f"/proc/{server.process.pid}/maps")
    if maps.exists():
        assert "libtorch" not in maps.read_text()


def test_a_broken_file_on_a_phone_in_the_dark(visit: Any, cat: bytes) -> None:
    visitor = visit(width=390, height=844, dark=True)
    assert inside(visitor.page)
    verdict = visitor.analyze(("broken.jpg", cat[:5000]))
    assert verdict.get_attribute("data-verdict") == "failed"
    assert "truncated or broken" in verdict.inner_text()
    assert inside(visitor.page)
    assert visitor.violations() == []


def test_a_picture_is_pasted_and_a_stranger_cannot_connect(visit: Any, server: Any) -> None:
    visitor = visit()
    visitor.page.evaluate(
        """async () => {
          const canvas = document.createElement("canvas");
          const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
          const data = new DataTransfer();
          data.items.add(new File([blob], "pasted.png", {type: "image/png"}));
          document.body.dispatchEvent(
            new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true}));
        }"""
    )
    visitor.page.locator("[data-testid=stFileChip]", has_text="pasted.png").wait_for()
    assert _handshake(server.address, "evil.example") == b"403"
    assert _handshake(server.address, server.address.removeprefix("http://")) == b"101"


def _handshake(address: str, host: str) -> bytes:
    """The status that a web socket gets which was opened under the name ``host``."""
    name, port = address.removeprefix("http://").split(":")
    lines = (
        "GET /_stcore/stream HTTP/1.1", f"Host: {host}", "Connection: Upgrade",
        "Upgrade: websocket", "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "", "",
    )  # fmt: skip
    with socket.create_connection((name, int(port)), timeout=60) as stream:
        stream.sendall("\r\n".join(lines).encode())
        return stream.recv(256).split()[1]


@pytest.mark.slow
def test_a_batch_is_sorted_looked_at_and_taken_home(visit: Any, cat: bytes, tmp_path: Path) -> None:
    visitor = visit()
    page = visitor.page
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    visitor.analyze(("b.jpg", cat), ("a.png", encode(noise, "PNG")), ("c.jpg", cat[:3000]))
    page.get_by_role("heading", name="3 images").wait_for()
    visitor.choose("Image to look at", "3. c.jpg")
    page.locator("[data-verdict=failed]").wait_for()
    for name, ending in (("CSV", "csv"), ("JSON", "jsonl"), ("HTML report", "html")):
        assert visitor.download(name, tmp_path / ending) == f"authentiscan.{ending}"
    assert [line.split(",")[0] for line in (tmp_path / "csv").read_text().splitlines()] == [
        "path", "b.jpg", "a.png", "c.jpg",
    ]  # fmt: skip
    lines = [json.loads(line) for line in (tmp_path / "jsonl").read_text().splitlines()]
    assert [bool(line["error"]) for line in lines] == [False, False, True]
    assert "<!doctype html>" in (tmp_path / "html").read_text()
    assert visitor.violations() == []


@pytest.mark.slow
def test_an_evidence_sheet_is_taken_home(visit: Any, cat: bytes, tmp_path: Path) -> None:
    visitor = visit()
    visitor.analyze(("the cat.jpg", cat))
    for label, ending, first in (("Evidence sheet", "html", b"<!do"), ("PDF", "pdf", b"%PDF")):
        assert visitor.download(label, tmp_path / ending) == f"the cat_sheet.{ending}"
        assert (tmp_path / ending).read_bytes()[:4] == first
    assert "Evidence sheet: the cat.jpg" in (tmp_path / "html").read_text()
    assert visitor.failures == []


@pytest.mark.slow
def test_a_file_of_50_megabytes_is_judged_and_one_beyond_the_limit_is_not_read(
    visit: Any, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (3650, 4800, 3), dtype=np.uint8)  # noise, which PNG cannot shrink
    content = encode(pixels, "PNG", compress_level=0)
    assert len(content) > 50 * 2**20
    big = tmp_path / "big.png"
    big.write_bytes(content)
    visitor = visit()
    page = visitor.page
    page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(big)
    page.get_by_role("button", name="Analyze").click(timeout=240_000)
    verdict = page.locator("[data-verdict]")
    verdict.wait_for(timeout=240_000)
    assert verdict.get_attribute("data-verdict") in {"real", "generated", "inconclusive"}
    beyond = (
        tmp_path / "beyond.png"
    )  # under a new name: the browser takes the old one for no change
    beyond.write_bytes(content)
    with beyond.open("r+b") as file:
        file.truncate(129 * 2**20)
    page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(beyond)
    told = page.get_by_text(re.compile(r"File must be \d+\.\dMB or smaller"))
    told.wait_for()
    assert told.bounding_box()["width"] > 100, "not for screen readers alone"


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1280])
def test_every_tab_fits_and_can_be_read(visit: Any, cat: bytes, width: int, dark: bool) -> None:
    from authentiscan.serving.app.tabs import TABS

    visitor = visit(width=width, dark=dark)
    assert visitor.violations() == []
    visitor.analyze(("cat.jpg", cat))
    for name in TABS:
        visitor.page.get_by_role("tab", name=name).click()
        visitor.page.locator("[data-stale=false]").first.wait_for()
        visitor.page.get_by_role("tabpanel").first.wait_for()
        visitor.page.wait_for_timeout(1500)
        assert visitor.violations() == [], name
        assert inside(visitor.page), name
        assert visitor.page.get_by_test_id("stException").count() == 0, name


@pytest.mark.slow
def test_the_keyboard_is_enough(visit: Any) -> None:
    visitor = visit()
    page = visitor.page

    def go_to(name: str, role: str) -> None:
        """Press Tab until the element called ``name`` has the focus."""
        wanted = page.get_by_role(role, name=name)
        for _ in range(60):
            page.keyboard.press("Tab")
            if wanted.evaluate_all("found => found.includes(document.activeElement)"):
                return
        raise AssertionError(f"{name} cannot be reached")

    go_to("Upload", "button")
    go_to("Try: a generated image", "button")
    page.keyboard.press("Enter")
    page.locator("[data-verdict]").wait_for()
    page.get_by_alt_text("heatmap of the evidence for generated over the image").wait_for()
    go_to("Heatmap", "tab")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.get_by_text("Messengers and web sites").wait_for()
    go_to("CSV", "button")
