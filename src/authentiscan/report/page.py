"""A report's content, apart from its form: rendered as one self-contained HTML page or Markdown."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from authentiscan.core.errors import AuthentiscanError, MissingExtraError
from authentiscan.images.decode import decode, encode
from authentiscan.images.degrade import image_rng, parse
from authentiscan.manifest.table import Manifest

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_THUMB_SIDE = 160


@dataclass(frozen=True)
class Table:
    """Text cells; the first column names the row, the others are set to the right."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""
    left: bool = False  # all columns to the left: words, not figures

    def markdown(self) -> str:
        """Bars and line breaks in cells are made harmless."""

        def line(cells: Sequence[str]) -> str:
            return "| " + " | ".join(" ".join(c.split()).replace("|", "\\|") for c in cells) + " |"

        rule = ["---"] + ["---" if self.left else "---:"] * (len(self.head) - 1)
        lines = [line(self.head), line(rule), *(line(r) for r in self.rows)]
        return "\n".join(lines) + (f"\n\n{self.note}" if self.note else "")


@dataclass(frozen=True)
class Picture:
    """A figure, its file name without ending, and what it shows for those who cannot see it."""

    name: str
    figure: Figure
    caption: str

    @cached_property
    def source(self) -> str:
        """The figure as a data address."""
        from authentiscan.report.plots import svg

        return "data:image/svg+xml;base64," + base64.b64encode(svg(self.figure)).decode()

    def png(self) -> bytes:
        """The figure as a PNG file."""
        from authentiscan.report.plots import png

        return png(self.figure)


@dataclass(frozen=True)
class Pixels:
    """A picture that is a PNG file already; otherwise as `Picture`."""

    name: str
    data: bytes
    caption: str

    @property
    def source(self) -> str:
        """The file as a data address."""
        return "data:image/png;base64," + base64.b64encode(self.data).decode()

    def png(self) -> bytes:
        """The file."""
        return self.data


@dataclass(frozen=True)
class Thumb:
    """A small picture of an evaluated image; ``source`` is a data address or None."""

    source: str | None
    title: str
    caption: str


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it. ``folded`` sections are opened by a click.

    links: a text and where it leads, relative to the page.
    """

    title: str
    text: Sequence[str] = ()
    tables: Sequence[Table] = ()
    pictures: Sequence[Picture | Pixels] = ()
    thumbs: Sequence[Thumb] = ()
    folded: bool = False
    links: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class Page:
    """A whole report."""

    title: str
    lead: str
    sections: Sequence[Section]
    warnings: Sequence[str] = ()
    headline: Sequence[tuple[str, str, str]] = field(default_factory=tuple)  # name, figure, note

    def markdown(self) -> str:
        """Everything but thumbnails; pictures as links to ``plots/``."""
        parts = [f"# {self.title}", self.lead, *(f"> **Warning:** {w}" for w in self.warnings)]
        if self.headline:
            parts.append(
                "\n".join(f"- **{n}**: {f} {note}".rstrip() for n, f, note in self.headline)
            )
        for section in self.sections:
            parts.append(f"## {section.title}")
            parts += section.text
            parts += [f"[{text}]({target})" for text, target in section.links]
            parts += [table.markdown() for table in section.tables]
            parts += [f"![{p.caption}](plots/{p.name}.png)" for p in section.pictures]
            if section.thumbs:
                rows = [[t.title, t.caption] for t in section.thumbs]
                parts.append(Table(["image", ""], rows, left=True).markdown())
        return "\n\n".join(parts) + "\n"

    def html(self) -> str:
        """One page with everything in it; nothing is loaded from anywhere."""
        try:
            from jinja2 import Environment, PackageLoader
        except ImportError as error:
            raise MissingExtraError("HTML reports", "data") from error
        environment = Environment(
            loader=PackageLoader("authentiscan.report", "templates"),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        return environment.get_template("page.html").render(page=self)

    def write(self, folder: Path, name: str = "report") -> Path:
        """Write ``name``.html, ``name``.md and ``plots/*.png``; returns the HTML page."""
        plots = folder / "plots"
        plots.mkdir(parents=True, exist_ok=True)
        for section in self.sections:
            for picture in section.pictures:
                (plots / f"{picture.name}.png").write_bytes(picture.png())
        (folder / f"{name}.md").write_text(self.markdown(), encoding="utf-8")
        page = folder / f"{name}.html"
        page.write_text(self.html(), encoding="utf-8")
        return page


def thumbnail(manifest: Manifest, row: int) -> str | None:
    """A small JPEG of the image in ``row`` as a data address; None where it cannot be read."""
    try:
        pixels = decode(manifest.image_bytes(row)).pixels
    except AuthentiscanError:
        return None
    small, _ = parse(f"fit:side={_THUMB_SIDE},kernel=lanczos")(pixels, image_rng(0))
    data = encode(small, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(data).decode()
