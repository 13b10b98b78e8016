"""The bookmark in a real browser, on a page of another site."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest

from authentiscan.serving.api.bookmark import link, script
from live_server import Server, png, serving

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"


class _Silent(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[int]:
    """The port of a site with one page."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "a.png").write_bytes(png(0, 200))
    (folder / "b.png").write_bytes(b"no image")
    (folder / "index.html").write_text(
        '<!doctype html><title>x</title><a href="/elsewhere"><img id="a" src="a.png"></a>'
        '<img id="b" src="b.png" width="50" height="50">'
    )
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Silent, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.fixture
def open_server(tmp_path: Path) -> Iterator[Server]:
    """A server that takes images from pages."""
    with serving(tmp_path / "state", "--bookmark") as server:
        yield server


def test_the_bookmark_is_the_file() -> None:
    assert unquote(link("http://127.0.0.1:5")) == "javascript:" + script("http://127.0.0.1:5")
    assert "http://127.0.0.1:5" in script("http://127.0.0.1:5")


def test_other_sites_reach_scan_and_nothing_else(tmp_path: Path, open_server: Server) -> None:
    origin = {"Origin": "https://news.example"}
    answer = open_server.post("/v1/scan", png(0), headers=origin)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "https://news.example"
    for path in ("/v1/jobs", "/metrics", "/v1/models"):
        assert open_server.http.get(path, headers=origin).status_code == 403
    page = open_server.http.get("/bookmark")
    assert "javascript:" in page.text
    assert open_server.address.removeprefix("http://") in unquote(page.text)


@pytest.mark.slow
@pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="needs Debian's chromium")
def test_a_click_on_an_image_shows_its_verdict(site: int, open_server: Server) -> None:
    from playwright.sync_api import sync_playwright

    report = open_server.post("/v1/scan", png(0, 200)).json()["reports"][0]
    with sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--host-resolver-rules=MAP news.example 127.0.0.1"],
        )
        context = browser.new_context(permissions=["local-network-access"])
        page = context.new_page()
        page.goto(f"http://news.example:{site}/index.html")
        box = page.locator("#authentiscan-bookmark")
        page.evaluate(script(open_server.address))
        page.keyboard.press("Escape")
        assert box.count() == 0
        page.evaluate(script(open_server.address))
        page.click("#a")
        page.wait_for_selector("#authentiscan-bookmark[data-verdict]", timeout=60_000)
        assert box.get_attribute("data-verdict") == report["verdict"]
        assert report["reason"] in box.inner_text()
        assert page.url.endswith("index.html")  # the click did not follow the link
        page.evaluate(script(open_server.address))
        page.click("#b", force=True)
        page.wait_for_function(
            "document.querySelector('#authentiscan-bookmark').textContent.includes('allowed are')"
        )
        browser.close()
