"""The application: routes, error answers, the edge around them, and the running service."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.telemetry import TelemetryConfig
from pydantic.json_schema import models_json_schema
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

import authentiscan
from authentiscan.core.errors import AuthentiscanError
from authentiscan.core.types import JsonObject
from authentiscan.serving.api import (
    bookmark,
    described,
    image_routes,
    job_routes,
    label_studio,
    problems,
    server_routes,
)
from authentiscan.serving.api.edge import REQUEST_ID, Edge
from authentiscan.serving.api.schemas import Problem
from authentiscan.serving.api.service import Service
from authentiscan.serving.api.settings import Settings

_LOOPBACK = r"https?://(localhost|127(\.\d+){3}|\[::1\])(:\d+)?"
_NOTHING_SENT: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "auto_configure": False,
}


def create_app(service: Service) -> ASGIApp:
    """The application of a running service; for one process, as jobs and limits are its own."""
    settings = service.settings
    app = _Api(
        title="authentiscan",
        version=authentiscan.__version__,
        description=described.DESCRIPTION,
        openapi_tags=described.TAGS,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        docs_url=None,  # its page would load scripts from elsewhere
        redoc_url=None,
        telemetry=_NOTHING_SENT,
    )
    app.state.service = service
    for room in (image_routes, job_routes, server_routes, label_studio):
        app.include_router(room.router)
    if settings.bookmark and settings.local:
        app.include_router(bookmark.router)
    app.add_exception_handler(AuthentiscanError, problems.on_error)
    app.add_exception_handler(HTTPException, problems.on_http)
    app.add_exception_handler(RequestValidationError, problems.on_invalid)
    app.add_exception_handler(Exception, problems.on_error)
    whole: ASGIApp = Edge(app, settings, service.metrics)
    return _with_cors(whole, settings) if settings.local else whole


class _Api(FastAPI):
    def openapi(self) -> JsonObject:
        """The description; what bodies and problems hold is named by routes, and described once."""
        if self.openapi_schema is None:
            made = super().openapi()
            parts = made.setdefault("components", {}).setdefault("schemas", {})
            _, named = models_json_schema(
                [(Problem, "serialization"), (label_studio.Asked, "validation")],
                ref_template="#/components/schemas/{model}",
            )
            parts.update(named["$defs"])
            if not self.state.service.settings.needs_key:
                for operations in made["paths"].values():
                    for operation in operations.values():
                        operation.pop("security", None)
            self.openapi_schema = made
        return self.openapi_schema


def _with_cors(app: ASGIApp, settings: Settings) -> ASGIApp:
    """Which pages may read answers: this machine's own; with the bookmark any, of /v1/scan alone.

    `edge.refuse_stranger` turns requests away; this only tells browsers.
    """
    return CORSMiddleware(
        app,
        allow_origin_regex=".*" if settings.bookmark else _LOOPBACK,
        allow_methods=("GET", "POST", "DELETE"),
        allow_headers=("Authorization", "X-API-Key", REQUEST_ID),
        expose_headers=(REQUEST_ID, "Retry-After"),
        allow_private_network=True,
    )
