"""The hook of mkdocs.yml: adds to the guides of docs/ what stands elsewhere or is made from code.

The README, other documents of the repository and the notebooks become pages. The command reference
is made from the command line, the API reference from docstrings. Links are turned to fit
(`docsite.links`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from docsite import api, commands, links, notebooks
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
# Documents outside docs/, by their place on the site.
DOCUMENTS = {
    "index.md": "README.md",
    "contributing.md": "CONTRIBUTING.md",
    "changelog.md": "CHANGELOG.md",
    "security.md": "SECURITY.md",
    "examples.md": "examples/README.md",
    "recipes.md": "recipes/README.md",
    "explanations.md": "src/authentiscan/explain/README.md",
    "cards/detector.md": "src/authentiscan/detectors/default/README.md",
    "cards/attributor.md": "src/authentiscan/detectors/attributor/README.md",
    **{
        f"architectures/{path.parent.name}.md": str(path.relative_to(ROOT))
        for path in sorted((ROOT / "src/authentiscan/models").glob("*/README.md"))
    },
}
_MADE: dict[str, str] = {}  # Markdown of the pages made from code, by place on the site
_SOURCES: dict[str, str] = {}  # place on the site -> path in the repository, of this build
_PAGES: dict[str, str] = {}  # the other way round


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Name the generated pages in the navigation, where it says ``folder/``."""
    _MADE.clear()
    _MADE.update(commands.pages() | api.pages(ROOT / "src"))
    config.nav = _expanded(config.nav)
    return config


def _expanded(nav: Any) -> Any:
    """``nav`` with each ``folder/`` replaced by the pages there, its index first."""
    if isinstance(nav, list):
        return [_expanded(item) for item in nav]
    if isinstance(nav, dict):
        return {title: _expanded(item) for title, item in nav.items()}
    if isinstance(nav, str) and nav.endswith("/"):
        pages = [uri for uri in [*_MADE, *DOCUMENTS] if uri.startswith(nav)]
        return [uri if uri.endswith("/index.md") else {Path(uri).stem: uri} for uri in pages]
    return nav


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are not in docs/, and one for every file that a page links to."""
    _SOURCES.clear()
    _SOURCES.update({file.src_uri: f"docs/{file.src_uri}" for file in files})
    _SOURCES.update(DOCUMENTS)
    for uri, path in DOCUMENTS.items():
        _add(files, config, uri, (ROOT / path).read_text(encoding="utf-8"))
    for uri, text in _MADE.items():
        _add(files, config, uri, text)
    for uri, path in notebooks.sources(ROOT).items():
        _SOURCES[uri] = path
        text, pictures = notebooks.page(ROOT, path)
        _add(files, config, uri, text)
        for place, picture in pictures.items():
            _add(files, config, place, picture)
    _PAGES.clear()
    _PAGES.update({path: uri for uri, path in _SOURCES.items()})
    for uri, path in list(_SOURCES.items()):
        if uri.endswith(".md"):
            _add_linked(files, config, path)
    return files


def _add(
    files: Files, config: MkDocsConfig, uri: str, content: str | bytes, *, nav: bool = True
) -> None:
    level = InclusionLevel.INCLUDED if nav else InclusionLevel.NOT_IN_NAV
    files.append(File.generated(config, uri, content=content, inclusion=level))


def _add_linked(files: Files, config: MkDocsConfig, source: str) -> None:
    text = (ROOT / source).read_text(encoding="utf-8")  # of a notebook too: links are plain in it
    for path in links.targets(text, source):
        if path not in _PAGES and (ROOT / path).exists():
            _PAGES[path] = f"{links.SHOWN}{path}.md"
            _add(files, config, _PAGES[path], links.shown(ROOT, path), nav=False)


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Links of the repository become links of the site."""
    source = _SOURCES.get(page.file.src_uri)
    return links.on_site(markdown, source, page.file.src_uri, _PAGES) if source else markdown


def on_post_page(output: str, **_: Any) -> str:
    """The theme's search is a dialog without a name, which screen readers would not tell."""
    return output.replace('role="dialog"', 'role="dialog" aria-label="Search"')
