"""The timeline of a clip: its frames in a row, and under them what each of them scores.

Drawn with Pillow, so that the base install can draw it.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from authentiscan.core.files import MARK
from authentiscan.core.types import RGBImage, Verdict

WIDTH = 1200
_LEFT, _RIGHT, _TOP, _PLOT, _BOTTOM, _GAP = 56, 30, 34, 170, 48, 10
_STRIP = 84
_INK, _QUIET, _GRID, _PAPER = "#1a1a1a", "#5a5a5a", "#dddddd", "#ffffff"
# Okabe and Ito's palette, and a shape for each: told apart without colours too.
_MARKS = {
    Verdict.GENERATED: ("#D55E00", "square"),
    Verdict.REAL: ("#0072B2", "circle"),
    Verdict.INCONCLUSIVE: ("#7A7A7A", "diamond"),
}


@dataclass(frozen=True, slots=True, eq=False)
class Point:
    """One frame: its time, its score in [0, 1], its verdict and its picture, (H, W, 3) uint8."""

    seconds: float
    score: float
    verdict: Verdict
    picture: RGBImage


def draw(
    title: str,
    points: Sequence[Point],
    *,
    seconds: float | None,
    generated_from: float,
    real_below: float,
) -> bytes:
    """The timeline as PNG, `WIDTH` pixels wide. seconds: the clip's length, None if not known.

    generated_from, real_below: the detector's thresholds, drawn as lines.
    """
    height = _TOP + _STRIP + _GAP + _PLOT + _BOTTOM
    image = Image.new("RGB", (WIDTH, height), _PAPER)
    plot = _Plot(ImageDraw.Draw(image), max([seconds or 0.0, *(p.seconds for p in points)]))
    plot.text((_LEFT, 8), _short(title), 15, _INK)
    for index, point in enumerate(points):
        _paste(image, point.picture, index, len(points))
    plot.axes(generated_from, real_below)
    plot.points(points)
    data = io.BytesIO()
    image.save(data, "PNG")
    return data.getvalue()


def stacked(timelines: Sequence[bytes]) -> bytes:
    """Several timelines, one under the other, as one PNG that is known as ours (`core.files`)."""
    images = [Image.open(io.BytesIO(data), formats=("PNG",)) for data in timelines]
    sheet = Image.new("RGB", (WIDTH, sum(image.height for image in images)), _PAPER)
    top = 0
    for image in images:
        sheet.paste(image, (0, top))
        top += image.height
    data, metadata = io.BytesIO(), PngInfo()
    metadata.add_text("Software", MARK.decode())
    sheet.save(data, "PNG", pnginfo=metadata)
    return data.getvalue()


def clock(seconds: float) -> str:
    """``1:02.5``, ``1:00:02``: a time as players show it."""
    minutes, rest = divmod(round(seconds, 1), 60)
    hours, minutes = divmod(int(minutes), 60)
    if hours:
        return f"{hours}:{minutes:02d}:{int(rest):02d}"
    return f"{minutes}:{rest:04.1f}"


class _Plot:
    """Scores over time, below the row of frames."""

    def __init__(self, pen: ImageDraw.ImageDraw, seconds: float) -> None:
        self._pen, self._seconds = pen, seconds or 1.0
        self._top = _TOP + _STRIP + _GAP

    def text(
        self, place: tuple[float, float], words: str, size: int, ink: str, at: str = "la"
    ) -> None:
        self._pen.text(place, words, fill=ink, font=ImageFont.load_default(size), anchor=at)

    def axes(self, generated_from: float, real_below: float) -> None:
        for value in (0.0, 0.5, 1.0):
            y = self._y(value)
            self._pen.line([(_LEFT, y), (WIDTH - _RIGHT, y)], fill=_GRID)
            self.text((_LEFT - 8, y), f"{value:g}", 12, _QUIET, "rm")
        for value, kind in ((generated_from, Verdict.GENERATED), (real_below, Verdict.REAL)):
            if 0 < value < 1:  # at its end a threshold means never
                self._dashes(self._y(value), _MARKS[kind][0])
        for part in range(7):
            time = self._seconds * part / 6
            self.text((self._x(time), self._top + _PLOT + 6), clock(time), 12, _QUIET, "ma")
        self._legend(self._top + _PLOT + 32)

    def points(self, points: Sequence[Point]) -> None:
        places = [(self._x(p.seconds), self._y(p.score)) for p in points]
        if len(places) > 1:
            self._pen.line(places, fill="#b0b0b0", width=2)
        for place, point in zip(places, points, strict=True):
            self._mark(place, point.verdict)

    def _mark(self, place: tuple[float, float], verdict: Verdict) -> None:
        x, y = place
        colour, shape = _MARKS[verdict]
        box = (x - 6, y - 6, x + 6, y + 6)
        if shape == "circle":
            self._pen.ellipse(box, fill=colour)
        elif shape == "square":
            self._pen.rectangle(box, fill=colour)
        else:
            self._pen.polygon([(x, y - 8), (x + 8, y), (x, y + 8), (x - 8, y)], fill=colour)

    def _legend(self, y: float) -> None:
        self.text((_LEFT, y), "score of each frame, 0 real to 1 generated:", 12, _QUIET, "lm")
        x = _LEFT + 270.0
        for verdict in _MARKS:
            self._mark((x, y), verdict)
            self.text((x + 14, y), verdict.value, 12, _QUIET, "lm")
            x += 110
        self.text((x, y), "dashes: thresholds", 12, _QUIET, "lm")

    def _dashes(self, y: float, colour: str) -> None:
        for x in range(_LEFT, WIDTH - _RIGHT, 14):
            self._pen.line([(x, y), (min(x + 8, WIDTH - _RIGHT), y)], fill=colour, width=2)

    def _x(self, seconds: float) -> float:
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * min(1.0, seconds / self._seconds)

    def _y(self, score: float) -> float:
        return self._top + _PLOT * (1 - score)


def _paste(image: Image.Image, picture: RGBImage, index: int, count: int) -> None:
    """One frame in its place of the row, as large as it fits."""
    room = (WIDTH - _LEFT - _RIGHT) / count
    small = Image.fromarray(picture)
    small.thumbnail((max(1, int(room) - 2), _STRIP))
    left = _LEFT + room * index + (room - small.width) / 2
    image.paste(small, (int(left), _TOP + (_STRIP - small.height) // 2))


def _short(title: str) -> str:
    return title if len(title) <= 120 else f"…{title[-119:]}"
