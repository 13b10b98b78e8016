"""What `authentiscan explain` leaves: pictures, a page, rows on standard output."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import typer

from authentiscan.cli import screen
from authentiscan.cli.guard import may_replace
from authentiscan.cli.places import Places

if TYPE_CHECKING:
    from authentiscan.analysis import Report
    from authentiscan.core.types import RGBImage
    from authentiscan.explain import Heatmap
    from authentiscan.explain.faithfulness import Faithfulness
    from authentiscan.explain.overlay import Panel
    from authentiscan.inference.spec import DetectorSpec
    from authentiscan.scan import Item
    from authentiscan.scan.explain_page import ExplainPage

Form: TypeAlias = Literal["text", "json", "csv"]
PAGES = (".html", ".htm")
COLUMNS = (
    "path",
    "verdict",
    "pixel_verdict",
    "score",
    "target",
    "strongest",
    "picture",
    "reason",
    "error",
)


@dataclass
class Outputs:
    """Where explained images go.

    form: of the rows on standard output. places: of pictures, or of the page; None for none.
    page: collects all images, None where pictures are written one by one. inputs: never replaced.
    opened: pictures are also shown in the desktop's viewer.
    """

    form: Form
    places: Places | None
    page: ExplainPage | None
    inputs: Sequence[str]
    opened: bool

    def begin(self) -> None:
        """Have the outputs before the work begins; the head of a CSV."""
        if self.places is not None:
            self.places.claim(self.inputs)
        if self.form == "csv":
            _write_csv(COLUMNS)

    @contextmanager
    def whole(self, spec: DetectorSpec) -> Iterator[None]:
        """Whatever ends the work in it, a page holds what was explained until then.

        spec: describes the detector.
        """
        try:
            yield
        finally:
            if self.page is not None and self.page.strips and self.places is not None:
                self.page.save(self.places.output, spec)
                screen.note(f"page: {self.places.output}")

    @property
    def wants_pictures(self) -> bool:
        """Whether any picture is drawn."""
        return self.places is not None or self.opened

    def picture(self, item: Item, report: Report, panels: Sequence[Panel], by: str) -> Path | None:
        """Write, collect and open the pictures of an image; the file, where it has one of its own.

        by: detector and method, for the title.
        """
        from authentiscan.explain.overlay import figure

        inputs: list[str | Path] = [*self.inputs, *filter(None, [item.path])]
        title = f"{report.verdict}, score {report.score:.3f}  ({by})"
        place = None
        if self.page is not None:
            self.page.add(report, panels)
        elif self.places is not None:
            place = _saved(figure(panels, title=title), self.places.of(item), inputs)
        if self.opened:
            _open(figure(panels, title=title))
        return place

    def print_found(
        self, report: Report, found: Heatmap, picture: Path | None, measured: Faithfulness | None
    ) -> None:
        """One image on standard output; ``measured`` is its faithfulness or None."""
        if self.form == "text":
            _print_report(report, found, picture)
            return
        row: dict[str, object] = {
            "path": report.path,
            "verdict": report.verdict,
            "pixel_verdict": report.pixel_verdict,
            "reason": report.reason,
            "score": found.score,
            "target": found.target,
            "strongest": float(found.raw.max()),
            "picture": None if picture is None else str(picture),
            "faithfulness": None if measured is None else asdict(measured),
            "error": None,
        }
        if self.form == "csv":
            _write_csv([row[name] for name in COLUMNS])
        else:
            typer.echo(json.dumps(row))

    def fail(self, name: str, error: Exception) -> None:
        """An image that could not be read."""
        if self.page is not None:
            self.page.add_failed(name, error)
        if self.form == "csv":
            _write_csv([name, *[""] * (len(COLUMNS) - 2), str(error)])
        elif self.form == "json":
            row = {"path": name, "verdict": None, "score": None, "error": str(error)}
            typer.echo(json.dumps(row))
        else:
            screen.fail(f"{name}: {error}")


def _print_report(report: Report, found: Heatmap, picture: Path | None) -> None:
    where = f", picture in {picture}" if picture else ""
    typer.echo(
        f"{report.path}: {report.verdict}, score {found.score:.3f}, map for {found.target}{where}"
    )
    if report.verdict != report.pixel_verdict:
        typer.echo(f"  {report.reason}")


def _write_csv(cells: Sequence[object]) -> None:
    """One row on standard output; no cell is a formula to a spreadsheet."""
    from authentiscan.core.csv_cells import defused

    csv.writer(sys.stdout, lineterminator="\n").writerow([defused(cell) for cell in cells])
    sys.stdout.flush()


def _saved(drawn: RGBImage, save: Path, inputs: Sequence[str | Path]) -> Path:
    """Write the picture, never over an input or, unless asked to, over somebody else's file."""
    from authentiscan.core.errors import UsageError
    from authentiscan.core.files import MARK, refuse_inputs, write_bytes
    from authentiscan.images.decode import encode

    formats = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
    kind = formats.get(save.suffix.lower())
    if kind is None:
        allowed = ", ".join((*formats, *PAGES))
        raise UsageError(f"cannot write {save.name}: allowed endings are {allowed}")
    refuse_inputs(save, inputs)
    may_replace(save)
    write_bytes(save, encode(drawn, kind, software=MARK.decode()))
    return save


def _open(drawn: RGBImage) -> None:
    from PIL import Image

    Image.fromarray(drawn).show(title="authentiscan explain")
