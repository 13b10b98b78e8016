"""Links of the repository become links of the site."""

from __future__ import annotations

from pathlib import Path

import pytest
from docsite import links

PAGES = {
    "README.md": "index.md",
    "docs/serve.md": "serve.md",
    "docs/research/README.md": "research/README.md",
    "src/x/bookmark.js": "files/src/x/bookmark.js.md",
}


@pytest.mark.parametrize(
    ("source", "uri", "text", "expected"),
    [
        ("README.md", "index.md", "[a](docs/serve.md#keys)", "[a](serve.md#keys)"),
        ("docs/serve.md", "serve.md", "[a](../README.md)", "[a](index.md)"),
        ("docs/serve.md", "serve.md", "[a](#keys)", "[a](#keys)"),
        ("docs/serve.md", "serve.md", "[a](https://x.org/b.md)", "[a](https://x.org/b.md)"),
        (
            "docs/research/README.md",
            "research/README.md",
            "![b](../../src/x/bookmark.js) [c](../serve.md)",
            "![b](../files/src/x/bookmark.js.md) [c](../serve.md)",
        ),
        ("docs/serve.md", "serve.md", "[a](nowhere.md#x)", "[a](nowhere.md#x)"),
    ],
)
def test_targets_fit_the_place_on_the_site(source: str, uri: str, text: str, expected: str) -> None:
    assert links.on_site(text, source, uri, PAGES) == expected


def test_code_is_left_alone() -> None:
    text = "[a](../README.md)\n\n```python\nx = f[0](../README.md)\n```\n\n[b](../README.md)\n"
    changed = links.on_site(text, "docs/serve.md", "serve.md", PAGES)
    assert changed.splitlines()[3] == "x = f[0](../README.md)"
    assert changed.count("](index.md)") == 2


def test_targets_are_paths_of_the_repository() -> None:
    text = "[a](../src/x/bookmark.js) [b](https://x.org) [c](#d) [e](serve.md#f)"
    assert list(links.targets(text, "docs/app.md")) == ["src/x/bookmark.js", "docs/serve.md"]


def test_a_file_is_shown_whole(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text('"""Has ````` ticks."""\n', encoding="utf-8")
    page = links.shown(tmp_path, "a.py")
    assert "# a.py" in page
    assert '``````python\n"""Has ````` ticks."""\n``````' in page
    assert "exclude: true" in page  # the search finds guides, not source


def test_a_folder_shows_each_of_its_files(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yaml"):
        (tmp_path / "recipes" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "recipes" / name).write_text(f"name: {name}\n", encoding="utf-8")
    page = links.shown(tmp_path, "recipes")
    assert page.index("## a.yaml") < page.index("name: a.yaml") < page.index("## b.yaml")
