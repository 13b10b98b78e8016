"""Pictures of explanations: overlay with colour bar, side by side figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from authentiscan.core.errors import UsageError
from authentiscan.core.types import RGBImage
from authentiscan.explain import views
from authentiscan.explain.base import Heatmap
from authentiscan.explain.colours import coloured

VIEWS = ("overlay", "residual", "spectrum", "ela")
_PANEL_LIMIT = 640  # longest side of a panel in a figure, pixels
_MARGIN, _CAPTION, _BAR = 12, 30, 16
_BACKGROUND, _INK = (255, 255, 255), (32, 32, 32)


@dataclass(frozen=True, slots=True)
class Panel:
    """A picture with a caption; ``scale`` draws a colour bar whose ends are ``ends``."""

    picture: RGBImage
    caption: str
    scale: str | None = None
    ends: tuple[str, str] = ("", "")


def overlay(
    image: RGBImage,
    values: NDArray[np.float32],
    *,
    opacity: float = 0.5,
    scale: str = "inferno",
    covered: NDArray[np.bool_] | None = None,
) -> RGBImage:
    """``values`` (H, W) in [0, 1] in colours over the greyed image (H, W, 3), same size.

    ``opacity`` in [0, 1] is the share of the colours. Places outside ``covered`` stay grey without
    colour: the detector did not look there.
    """
    if not 0 <= opacity <= 1:
        raise UsageError(f"opacity {opacity} is not in [0, 1]")
    if values.shape != image.shape[:2]:
        raise UsageError(f"map {values.shape} and image {image.shape[:2]} differ in size")
    grey = np.repeat(views.luma(image)[..., None], 3, axis=2)
    share = np.full(values.shape, opacity, np.float32)
    if covered is not None:
        share[~covered] = 0
    mixed = grey * (1 - share[..., None]) + coloured(values, scale) * share[..., None]
    return np.rint(mixed).astype(np.uint8)


def panels(
    image: RGBImage,
    found: Heatmap,
    *,
    chosen: Sequence[str] = VIEWS,
    opacity: float = 0.5,
    scale: str = "inferno",
) -> list[Panel]:
    """The panels ``chosen`` of ``VIEWS``, the image itself first."""
    unknown = sorted(set(chosen) - set(VIEWS))
    if unknown:
        raise UsageError(f"unknown view {unknown[0]!r}; allowed: {', '.join(VIEWS)}, all")
    made = [Panel(image, f"image, {image.shape[1]} x {image.shape[0]}")]
    for view in chosen:
        if view == "overlay":
            seen = overlay(
                image, found.scaled(), opacity=opacity, scale=scale, covered=found.covered
            )
            ends = ("none", f"most ({found.raw.max():.2g})")
            made.append(Panel(seen, f"evidence for {found.target}", scale, ends))
        elif view == "residual":
            made.append(Panel(views.residual(image), "residual, x16"))
        elif view == "spectrum":
            seen = coloured(views.spectrum(image), scale)
            made.append(Panel(seen, "Fourier log magnitude", scale, ("median", "99.9 %")))
        else:
            made.append(Panel(views.error_level(image), "error level, JPEG 90, x15"))
    return made


def figure(shown: Sequence[Panel], *, title: str = "", columns: int = 3) -> RGBImage:
    """Panels side by side with captions and colour bars under ``title``, (H, W, 3) uint8 on white.

    Panels are shrunk, never enlarged beyond whole multiples, to at most 640 pixels a side.
    """
    if not shown:
        raise UsageError("a figure needs at least one panel")
    fitted = [_fit(panel.picture) for panel in shown]
    columns = min(columns, len(shown))
    rows = -(-len(shown) // columns)
    measure = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    cell_width = max(
        *(picture.width for picture in fitted),
        *(int(measure.textlength(panel.caption, font=_font(16))) + 1 for panel in shown),
    )
    title_width = int(measure.textlength(title, font=_font(20))) + 2 * _MARGIN
    cell_height = max(picture.height for picture in fitted) + _CAPTION + _BAR + _CAPTION
    head = 40 if title else 0
    canvas = Image.new(
        "RGB",
        (
            max(columns * (cell_width + _MARGIN) + _MARGIN, title_width),
            head + rows * (cell_height + _MARGIN) + _MARGIN,
        ),
        _BACKGROUND,
    )
    draw = ImageDraw.Draw(canvas)
    if title:
        draw.text((_MARGIN, _MARGIN), title, fill=_INK, font=_font(20))
    for index, (panel, picture) in enumerate(zip(shown, fitted, strict=True)):
        left = _MARGIN + index % columns * (cell_width + _MARGIN)
        top = head + _MARGIN + index // columns * (cell_height + _MARGIN)
        _draw_panel(draw, panel, (left, top), picture, canvas)
    return np.asarray(canvas)


def labelled_matrix(
    values: NDArray[np.float32], labels: Sequence[str], *, scale: str = "viridis"
) -> RGBImage:
    """A square matrix in [0, 1] in colours, its values written in, ``labels`` on rows and columns.

    Columns carry the number of their row, so that long names fit.
    """
    side, head = 72, 24
    draw = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    names = [f"{index + 1} {label}" for index, label in enumerate(labels)]
    left = int(max(draw.textlength(name, font=_font(14)) for name in names)) + 12
    canvas = Image.new("RGB", (left + side * len(labels), head + side * len(labels)), _BACKGROUND)
    canvas.paste(
        Image.fromarray(np.kron(coloured(values, scale), np.ones((side, side, 1), np.uint8))),
        (left, head),
    )
    draw = ImageDraw.Draw(canvas)
    for row, name in enumerate(names):
        middle = head + side * row + side // 2
        draw.text((4, middle), name, fill=_INK, font=_font(14), anchor="lm")
        draw.text((left + side * row + side // 2, 4), str(row + 1), fill=_INK, font=_font(14))
        for column in range(len(labels)):
            value = float(values[row, column])
            ink = (0, 0, 0) if value > 0.5 else (255, 255, 255)
            at = (left + side * column + side // 2, middle)
            draw.text(at, f"{value:.2f}", fill=ink, font=_font(16), anchor="mm")
    return np.asarray(canvas)


def _draw_panel(
    draw: ImageDraw.ImageDraw,
    panel: Panel,
    corner: tuple[int, int],
    picture: Image.Image,
    canvas: Image.Image,
) -> None:
    left, top = corner
    draw.text((left, top + 4), panel.caption, fill=_INK, font=_font(16))
    canvas.paste(picture, (left, top + _CAPTION))
    if panel.scale is None:
        return
    ramp = np.tile(np.linspace(0, 1, max(picture.width, 64), dtype=np.float32), (_BAR, 1))
    below = top + _CAPTION + picture.height + 6
    canvas.paste(Image.fromarray(coloured(ramp, panel.scale)), (left, below))
    draw.text((left, below + _BAR + 1), panel.ends[0], fill=_INK, font=_font(14))
    width = draw.textlength(panel.ends[1], font=_font(14))
    draw.text(
        (left + ramp.shape[1] - width, below + _BAR + 1), panel.ends[1], fill=_INK, font=_font(14)
    )


def _fit(picture: RGBImage) -> Image.Image:
    """At most ``_PANEL_LIMIT`` a side; tiny pictures enlarged by a whole factor, pixels kept."""
    image = Image.fromarray(picture)
    longest = max(image.size)
    if longest > _PANEL_LIMIT:
        share = _PANEL_LIMIT / longest
        size = (max(1, round(image.width * share)), max(1, round(image.height * share)))
        return image.resize(size, Image.Resampling.LANCZOS)
    factor = max(1, 256 // longest)
    return image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
