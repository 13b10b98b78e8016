"""The real server and a real browser, started once for all tests that need them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from authentiscan.images.decode import encode

WAIT = 120_000
"""Milliseconds after which the browser gives up; only a machine that stands still takes so long."""


@dataclass
class Server:
    """The running page: its address, its process, its empty home and what it printed."""

    address: str
    process: subprocess.Popen[str]
    home: Path


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Path) -> Iterator[Server]:
    """`authentiscan app` with the packaged detector and a small one, on any free port."""
    pytest.importorskip("streamlit")
    home = tmp_path_factory.mktemp("home")
    words = ["app", "--no-open", "--port", "0", "-m", "default", "-m", str(tiny_bundle)]
    process = subprocess.Popen(
        [sys.executable, "-m", "authentiscan", *words],
        cwd=home,
        env={**os.environ, "HOME": str(home)},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+", line)
        assert found, line
        _wait(found[0], process)
        yield Server(found[0], process, home)
    finally:
        process.terminate()
        process.wait(30)


def _wait(address: str, process: subprocess.Popen[str]) -> None:
    for _ in range(1200):
        assert process.poll() is None, "the server ended"
        with suppress(OSError), urllib.request.urlopen(address + "/_stcore/health") as answer:
            assert answer.status == 200
            return
        time.sleep(0.1)
    raise AssertionError("the server does not answer")


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    """Headless Chromium."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("needs chromium: tools/install_chromium.sh installs Debian's")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as running:
        started = running.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield started
        started.close()


@dataclass
class Visitor:
    """One person at the page: the browser's page, and all that it asked for."""

    page: Any
    asked: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def upload(self, *files: tuple[str, bytes]) -> None:
        """Put files into the uploader and wait until they are there."""
        self.page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(
            [{"name": n, "mimeType": "image/png", "buffer": content} for n, content in files]
        )
        self.page.locator("[data-testid=stFileChip]", has_text=files[-1][0]).last.wait_for()

    def analyze(self, *files: tuple[str, bytes]) -> Any:
        """Upload, analyze; the verdict's place."""
        self.upload(*files)
        self.page.get_by_role("button", name="Analyze").click()
        verdict = self.page.locator("[data-verdict]")
        verdict.wait_for()
        return verdict

    def drawn(self) -> None:
        """Wait until nothing is drawn any more: what is clicked stays in its place."""
        self.page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()

    def download(self, label: str, path: Path) -> str:
        """Click the button called ``label`` and keep what comes at ``path``; its suggested name."""
        self.drawn()
        with self.page.expect_download() as download:
            self.page.get_by_role("button", name=re.compile(rf"{label}$")).click()
        download.value.save_as(path)
        return str(download.value.suggested_filename)

    def choose(self, name: str, option: str) -> None:
        """Choose ``option`` in the list called ``name``.

        The list is in view before it is opened, as it closes when the page scrolls; browsers tell
        of a scroll a frame after it.
        """
        self.drawn()
        box = self.page.get_by_role("combobox", name=name)
        box.scroll_into_view_if_needed()
        self.page.evaluate(
            "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )
        box.click()
        self.page.get_by_role("option", name=option).click()

    def violations(self) -> list[str]:
        """What axe-core calls serious or critical, with the places."""
        axe = pytest.importorskip("axe_playwright_python.sync_playwright")
        found = axe.Axe().run(self.page).response["violations"]
        return [
            f"{v['id']}: {[node['html'][:150] for node in v['nodes']]}"
            for v in found
            if v["impact"] in ("serious", "critical")
        ]


@pytest.fixture
def visit(server: Server, browser: Any) -> Iterator[Any]:
    """Open the page anew: ``visit(width=390, dark=True)`` gives a `Visitor`."""
    contexts = []

    def opened(*, width: int = 1280, height: int = 900, dark: bool = False) -> Visitor:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
        )
        context.set_default_timeout(WAIT)
        contexts.append(context)
        visitor = Visitor(context.new_page())
        visitor.page.on("request", lambda request: visitor.asked.append(request.url))
        visitor.page.on("pageerror", lambda error: visitor.failures.append(str(error)))
        visitor.page.goto(server.address)
        visitor.page.get_by_role("button", name="Try: a photograph").wait_for()
        return visitor

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture(scope="package")
def cat(photos: dict[str, np.ndarray]) -> bytes:
    """A photograph as a file."""
    return encode(photos["chelsea"], "JPEG", quality=90)
