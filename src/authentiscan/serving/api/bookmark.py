"""The bookmark that sends the image under the mouse of any page to this server."""

from __future__ import annotations

from html import escape
from importlib import resources
from urllib.parse import quote

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

router = APIRouter(include_in_schema=False)
_PLACE = "http://127.0.0.1:8000"


def script(server: str = _PLACE) -> str:
    """The bookmark's program, for a server at ``server``."""
    file = resources.files("authentiscan.serving.api") / "bookmark.js"
    return file.read_text(encoding="utf-8").replace(_PLACE, server)


def link(server: str = _PLACE) -> str:
    """The program as an address that a bookmark can hold."""
    return "javascript:" + quote(script(server), safe="")


@router.get("/bookmark")
def page(request: Request) -> HTMLResponse:
    """A page with the bookmark to be dragged into the browser's bar."""
    file = resources.files("authentiscan.serving.api") / "bookmark.html"
    server = f"{request.url.scheme}://{request.url.netloc}"
    text = file.read_text(encoding="utf-8").replace("{{ link }}", escape(link(server)))
    return HTMLResponse(
        text, headers={"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
    )
