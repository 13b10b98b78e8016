"""Errors as answers: the error tree's HTTP status, as RFC 9457 problem details."""

from __future__ import annotations

from http import HTTPStatus

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from authentiscan.core import errors
from authentiscan.core.errors import AccessError, AuthentiscanError, BusyError, UsageError
from authentiscan.core.records import mistake
from authentiscan.serving.api.schemas import Problem

MEDIA = "application/problem+json"
_BY_STATUS = {401: "AccessError", 403: "ForbiddenError", 404: "NotThereError", 405: "UsageError"}


def status_of(kind: str | None) -> int:
    """The HTTP status of an error named ``kind``, as reports name it; 500 for unexpected ones."""
    found = getattr(errors, kind or "", None)
    known = isinstance(found, type) and issubclass(found, AuthentiscanError)
    return found.http_status if known else 500  # type: ignore[union-attr]


def problem(
    scope: Scope, status: int, kind: str, detail: str, headers: dict[str, str] | None = None
) -> Response:
    """The answer that says what went wrong."""
    content = Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        kind=kind,
        request_id=scope.get("state", {}).get("request_id", ""),
    )
    scope.setdefault("state", {})["kind"] = kind  # for the log
    return Response(content.model_dump_json(), status, headers, media_type=MEDIA)


def of_error(scope: Scope, error: Exception) -> Response:
    """The answer to any error; of one that nobody expected nothing is told but that it happened."""
    if isinstance(error, AuthentiscanError):
        headers = {}
        if isinstance(error, BusyError):
            headers["Retry-After"] = str(error.retry_after)
        if error.http_status == 503:
            headers["Retry-After"] = "5"
        if isinstance(error, AccessError):
            headers["WWW-Authenticate"] = "Bearer"
        return problem(scope, error.http_status, type(error).__name__, str(error), headers)
    detail = "an unexpected error; the server's log has its place under the request_id"
    return problem(scope, 500, "AuthentiscanError", detail)


async def on_error(request: Request, error: Exception) -> Response:
    """Handler of our own errors."""
    return of_error(request.scope, error)


async def on_http(request: Request, error: Exception) -> Response:
    """Handler of the framework's: unknown addresses and methods."""
    assert isinstance(error, HTTPException)
    kind = _BY_STATUS.get(error.status_code, "UsageError")
    detail = f"{error.detail}; GET /openapi.json lists what there is"
    headers = dict(error.headers) if error.headers else None
    return problem(request.scope, error.status_code, kind, detail, headers)


async def on_invalid(request: Request, error: Exception) -> Response:
    """Handler of parameters that break their rules: all mistakes at once."""
    assert isinstance(error, RequestValidationError)
    text = "; ".join(
        f"{'.'.join(str(part) for part in one['loc'])}: {mistake(one)}" for one in error.errors()
    )
    return problem(request.scope, 422, UsageError.__name__, text)
