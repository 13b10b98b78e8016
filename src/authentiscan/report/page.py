"""A report's content, apart from its form: rendered as one self-contained HTML page or Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from authentiscan.core.errors import UsageError
from authentiscan.core.files import write_bytes, write_text
from authentiscan.report import shell
from authentiscan.report.judges import Judge
from authentiscan.report.tables import Table
from authentiscan.report.thumbnails import address

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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

        return address(svg(self.figure), "svg+xml")

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
        return address(self.data, "png")

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

    points: a list of findings, each a tone (none, slight, strong, total, good, bad) and a text.
    links: a text and where it leads, relative to the page. strips: rows of pictures that belong
    together, each with a note.
    """

    title: str
    text: Sequence[str] = ()
    tables: Sequence[Table] = ()
    pictures: Sequence[Picture | Pixels] = ()
    thumbs: Sequence[Thumb] = ()
    folded: bool = False
    links: Sequence[tuple[str, str]] = ()
    points: Sequence[tuple[str, str]] = ()
    strips: Sequence[tuple[str, Sequence[Thumb]]] = ()


@dataclass(frozen=True)
class Page:
    """A whole report. judges: the detectors it is of, for the footer."""

    title: str
    lead: str
    sections: Sequence[Section]
    warnings: Sequence[str] = ()
    headline: Sequence[tuple[str, str, str]] = field(default_factory=tuple)  # name, figure, note
    judges: Sequence[Judge] = ()
    closing: str = ""

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
            parts += [f"- **{tone}**: {text}" for tone, text in section.points]
            parts += [f"[{text}]({target})" for text, target in section.links]
            parts += [table.markdown() for table in section.tables]
            parts += [f"![{p.caption}](plots/{p.name}.png)" for p in section.pictures]
            thumbs = [*section.thumbs, *(t for _, strip in section.strips for t in strip)]
            if thumbs:
                rows = [[t.title, t.caption] for t in thumbs]
                parts.append(Table(["image", ""], rows, left=True).markdown())
        return "\n\n".join([*parts, f"Made by authentiscan {shell.VERSION}."]) + "\n"

    def html(self) -> str:
        """One page with everything in it; nothing is loaded from anywhere."""
        return "".join(shell.page("page.html", page=self, judges=self.judges))

    def write(self, folder: Path, name: str = "report") -> Path:
        """Write ``name``.html, ``name``.md and ``plots/*.png``; returns the HTML page."""
        for section in self.sections:
            for picture in section.pictures:
                write_bytes(folder / "plots" / f"{picture.name}.png", picture.png())
        self.save(folder / f"{name}.md")
        return self.save(folder / f"{name}.html")

    def save(self, path: Path) -> Path:
        """Write the page to ``path``, which ends in .html or .md (without pictures)."""
        suffix = path.suffix.lower()
        if suffix not in (".html", ".htm", ".md"):
            raise UsageError(f"cannot write a page to {path.name!r}; end it in .html or .md")
        write_text(path, self.markdown() if suffix == ".md" else self.html())
        return path
