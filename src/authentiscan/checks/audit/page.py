"""The audit as one HTML page that needs nothing beside itself."""

from __future__ import annotations

import base64
from pathlib import Path

from authentiscan.checks.audit.plot import picture
from authentiscan.checks.audit.records import Audit
from authentiscan.core.errors import MissingExtraError


def html(report: Audit) -> str:
    """The page for ``report``, with the picture in it."""
    try:
        import jinja2
    except ImportError as error:
        raise MissingExtraError("HTML reports", "data") from error
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    pages = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
    image = "data:image/png;base64," + base64.b64encode(picture(report)).decode()
    return pages.get_template("page.html").render(report=report, image=image)
