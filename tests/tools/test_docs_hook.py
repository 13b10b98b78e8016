"""The documentation site is built whole, asks nothing of other hosts, and can be used."""

from __future__ import annotations

import functools
import http.server
import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mkdocs")
pytest.importorskip("mkdocstrings_handlers")

from mkdocs.commands.build import build
from mkdocs.config import load_config
from mkdocs.exceptions import Abort

ROOT = Path(__file__).resolve().parents[2]
READABLE = ("color-contrast", "link-in-text-block", "aria-dialog-name")
pytestmark = [pytest.mark.xdist_group("docs-site"), pytest.mark.timeout(1200)]


def built(place: Path, **changes: Any) -> Path:
    """Build the site as `make docs` does, but into ``place``."""
    config = load_config(str(ROOT / "mkdocs.yml"), site_dir=str(place), **changes)
    config.plugins.on_startup(command="build", dirty=False)
    build(config)
    return place


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NO_MKDOCS_2_WARNING", "1")
        patch.chdir(ROOT)
        return built(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("needs chromium: tools/install_chromium.sh installs Debian's")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as running:
        started = running.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield started
        started.close()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    handler = functools.partial(Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_the_navigation_names_every_guide() -> None:
    nav = re.findall(r": ([\w/-]+\.md)$", (ROOT / "mkdocs.yml").read_text("utf-8"), flags=re.M)
    guides = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}
    assert guides - set(nav) == set()
    assert len(nav) == len(set(nav))


@pytest.mark.parametrize("link", ["[a](nowhere.md)", "[a](#nowhere)", "![a](nowhere.png)"])
def test_a_broken_link_fails(link: str, tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "index.md").write_text(f"# Title\n\n{link}\n", encoding="utf-8")
    plain = {"docs_dir": str(docs), "hooks": [], "plugins": [], "nav": None, "theme": "mkdocs"}
    with pytest.raises(Abort):
        built(tmp_path / "site", **plain, extra_css=[])


def test_every_document_is_a_page(site: Path) -> None:
    for path in (ROOT / "docs").rglob("*.md"):
        page = path.relative_to(ROOT / "docs").with_suffix(".html")
        names = [page, page.with_name("index.html")]  # README.md
        assert any((site / name).is_file() for name in names), page
    for name in ("index", "changelog", "commands/scan", "api/index", "notebooks/quick-start"):
        assert (site / f"{name}.html").is_file()
    front = (site / "index.html").read_text("utf-8")
    assert 'href="serve.html"' in front
    assert "make demo" in front


def test_links_to_source_show_the_source(site: Path) -> None:
    assert (
        "files/src/authentiscan/serving/api/bookmark.js.html" in (site / "serve.html").read_text()
    )
    assert (site / "files/src/authentiscan/serving/api/bookmark.js.html").is_file()


def test_nothing_is_loaded_from_other_hosts(site: Path) -> None:
    loads = re.compile(
        r"""<(?:script|img|iframe|source|video|audio|embed)\b[^>]*\bsrc=["']?(?:https?:)?//[^>]*"""
        r"""|<link\b[^>]*\bhref=["']?(?:https?:)?//[^>]*|@import[^;]*//|url\(["']?(?:https?:)?//"""
    )
    pages = [*site.rglob("*.html"), *site.rglob("*.css")]
    assert len(pages) > 60
    found = {hit for page in pages for hit in loads.findall(page.read_text("utf-8"))}
    assert found == set()


@pytest.mark.slow
@pytest.mark.parametrize(("width", "dark"), [(1360, False), (390, False), (1360, True)])
def test_pages_fit_and_follow_the_system(
    browser: Any, address: str, width: int, dark: bool
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light"
    )
    page, asked, failures = context.new_page(), list[str](), list[str]()
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: failures.append(str(error)))
    for name in ("index", "commands/train", "api/index", "measured/default-detector"):
        page.goto(f"{address}/{name}.html")
        page.locator("body[data-md-color-media]").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        scheme = page.locator("body").get_attribute("data-md-color-scheme")
        assert scheme == ("slate" if dark else "default")
        found = axe.Axe().run(page, options={"runOnly": list(READABLE)}).response["violations"]
        assert [(v["id"], v["nodes"][0]["html"]) for v in found] == [], name
    assert failures == []
    assert {url for url in asked if not url.startswith((address, "data:", "blob:"))} == set()
    context.close()


@pytest.mark.slow
@pytest.mark.parametrize("where", ["served", "from the disk"])
def test_the_search_finds(browser: Any, address: str, site: Path, where: str) -> None:
    context = browser.new_context()
    context.set_default_timeout(120_000)
    page, asked = context.new_page(), list[str]()
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{address if where == 'served' else site.as_uri()}/index.html")
    page.locator(".md-search__input").click()
    page.keyboard.type("inconclusive band")
    hit = page.locator(".md-search-result__link", has_text="Thresholds and the inconclusive band")
    hit.first.click()
    page.wait_for_url("**/evaluation.html*")
    assert not [url for url in asked if url.startswith("http") and not url.startswith(address)]
    context.close()
