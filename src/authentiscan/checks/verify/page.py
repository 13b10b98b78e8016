"""The report as one HTML page that needs nothing beside itself, with pictures of what was found."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
from PIL import Image

from authentiscan.checks.verify.records import Copies, Verification
from authentiscan.core.errors import AuthentiscanError, MissingExtraError
from authentiscan.images.decode import decode, encode
from authentiscan.manifest.table import Manifest

_THUMBNAIL = 112
_SETS_SHOWN = 60
_IMAGES_SHOWN = 6


def html(manifest: Manifest, report: Verification) -> str:
    """The page for ``report``; thumbnails are made of at most 60 sets of copies of each sort."""
    try:
        import jinja2
    except ImportError as error:
        raise MissingExtraError("HTML reports", "data") from error
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    pages = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
    sections = [
        (title, len(found), [_shown(manifest, one) for one in found[:_SETS_SHOWN]])
        for title, found in _sections(report)
        if found
    ]
    return pages.get_template("page.html").render(report=report, sections=sections)


def _sections(report: Verification) -> list[tuple[str, list[Copies]]]:
    leaks = [c for c in report.duplicates if c.across_splits]
    labels = [c for c in report.duplicates if c.across_labels and not c.across_splits]
    inside = [c for c in report.duplicates if not c.across_labels and not c.across_splits]
    near = [c for c in inside if c.kind == "near"]
    return [
        ("Copies in different splits", leaks),
        ("Copies with different labels", labels),
        ("Near copies within one split", near),
        ("Exact copies within one split", [c for c in inside if c.kind != "near"]),
    ]


def _shown(manifest: Manifest, found: Copies) -> dict[str, object]:
    images = [(one, thumbnail(manifest, one.row)) for one in found.images[:_IMAGES_SHOWN]]
    return {"found": found, "images": images, "more": found.count - len(images)}


def thumbnail(manifest: Manifest, row: int, side: int = _THUMBNAIL) -> str:
    """A data URI of the image in ``row`` with its longest side at ``side``; empty if unreadable."""
    try:
        pixels = decode(manifest.image_bytes(row)).pixels
    except AuthentiscanError:
        return ""
    image = Image.fromarray(pixels)
    image.thumbnail((side, side))
    return "data:image/png;base64," + base64.b64encode(encode(np.asarray(image), "PNG")).decode()
