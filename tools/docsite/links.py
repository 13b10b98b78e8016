"""Links that work in the repository, turned into links that work on the site.

A guide links other files by their place in the repository. On the site some of them are pages of
another name, and the others (source, recipes, the licence) get a page that shows them.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

_FENCE = re.compile(r"^( *)(`{3,}|~{3,}).*?^\1\2[`~]* *$", flags=re.S | re.M)
_LINK = re.compile(r"\]\(([^)\s#]+)(#[^)\s]*)?\)")
_SCHEME = re.compile(r"^(?:[a-z][a-z0-9+.-]*:|//)", flags=re.I)
SHOWN = "files/"
_LANGUAGES = {
    ".py": "python",
    ".yaml": "yaml",
    ".yml": "yaml",
    ".js": "javascript",
    ".json": "json",
}


def rewritten(text: str, change: Callable[[str, str], str]) -> str:
    """``text`` with the target of each relative link replaced; code blocks stay as they are.

    change: from a target and its anchor (with ``#``, or empty) to the new target and anchor.
    """

    def one(match: re.Match[str]) -> str:
        target, anchor = match[1], match[2] or ""
        return match[0] if _SCHEME.match(target) else f"]({change(target, anchor)})"

    parts, end = [], 0
    for fence in _FENCE.finditer(text):
        parts += [_LINK.sub(one, text[end : fence.start()]), fence[0]]
        end = fence.end()
    return "".join([*parts, _LINK.sub(one, text[end:])])


def targets(text: str, source: str) -> Iterator[str]:
    """Repository paths that ``text``, which stands in the file ``source``, links to."""
    found: list[str] = []

    def note(target: str, anchor: str) -> str:
        found.append(resolved(target, source))
        return target + anchor

    rewritten(text, note)
    yield from found


def resolved(target: str, source: str) -> str:
    """The repository path that a relative ``target`` in the file ``source`` means."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(source), target))


def on_site(text: str, source: str, uri: str, pages: Mapping[str, str]) -> str:
    """``text`` of the repository's file ``source`` with links for its place ``uri`` on the site.

    pages: from paths of the repository to places on the site. What it does not hold stays as it is,
    so that a strict build tells of it.
    """

    def change(target: str, anchor: str) -> str:
        place = pages.get(resolved(target, source))
        if place is None:
            return target + anchor
        return posixpath.relpath(place, posixpath.dirname(uri) or ".") + anchor

    return rewritten(text, change)


def shown(root: Path, path: str) -> str:
    """A page with the text of the file ``path``, or of every file in the folder ``path``."""
    place = root / path
    files = sorted(p for p in place.iterdir() if p.is_file()) if place.is_dir() else [place]
    blocks = [_block(file, heading=place.is_dir()) for file in files]
    return "\n".join(["---", "search: {exclude: true}", "---", f"# {path}", "", *blocks])


def _block(file: Path, *, heading: bool) -> str:
    text = file.read_text(encoding="utf-8")
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", text)), default=0))
    title = f"## {file.name}\n\n" if heading else ""
    return f"{title}{fence}{_LANGUAGES.get(file.suffix, 'text')}\n{text.rstrip()}\n{fence}\n"
