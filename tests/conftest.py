"""Fixtures shared by all tests: real photographs, the shared data, a tiny real bundle."""

from __future__ import annotations

import signal
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent


def pytest_configure() -> None:
    """Let programs that tests start be interrupted.

    A shell that starts the tests in the background ignores SIGINT for them, and their children
    would inherit that.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with the project's training and measuring data, which is not in the repository."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs the folder ../shared/data beside the checkout, which is absent here")
    return folder


@pytest.fixture(scope="session")
def photos() -> dict[str, np.ndarray]:
    """Free photographs (H, W, 3) uint8 that scikit-image and scikit-learn carry."""
    from skimage import data as skimage_data
    from sklearn.datasets import load_sample_images

    china, flower = load_sample_images().images
    return {
        "astronaut": skimage_data.astronaut(),
        "chelsea": skimage_data.chelsea(),
        "coffee": skimage_data.coffee(),
        "rocket": skimage_data.rocket(),
        "china": china,
        "flower": flower,
    }


@pytest.fixture(scope="session")
def tiny_bundle() -> Path:
    """A complete bundle of a very small model, for tests that need any detector."""
    return ROOT / "tests" / "fixtures" / "tiny-bundle"


class HtmlPage(HTMLParser):
    """A page as a reader sees it; made of HTML that must be whole and load nothing from outside."""

    VOID = frozenset({"area", "br", "hr", "img", "input", "link", "meta", "wbr"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.style = ""
        self._open: list[str] = []
        assert html.lstrip().startswith("<!doctype html>")
        self.feed(html)
        self.close()
        assert self._open == [], f"never closed: {self._open}"
        assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in self.tags}
        assert "default-src 'none'" in str(self.all("meta"))
        for tag, attributes in self.tags:
            for name, value in attributes.items():
                assert not name.startswith("on"), f"{tag} {name}"
                if name in ("src", "srcset", "data", "poster"):
                    assert str(value).startswith("data:image/"), value
        assert "url(" not in self.style
        assert "@import" not in self.style

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """Attributes of every ``tag``."""
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def text(self) -> str:
        """All words, spaces as one."""
        return " ".join("".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> of nothing"
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "style":
            self.style += data
        else:
            self.words.append(data)


@pytest.fixture(scope="session")
def read_page() -> Callable[[str], HtmlPage]:
    """Reads HTML, and refuses what is not whole or loads something; see `HtmlPage`."""
    return HtmlPage
