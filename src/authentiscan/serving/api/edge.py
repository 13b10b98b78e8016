"""The outermost layer: request ids, limits on bodies, who may ask from where, log and figures."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from authentiscan.core.errors import (
    AuthentiscanError,
    BodyLimitError,
    ForbiddenError,
    SlowRequestError,
)
from authentiscan.serving.address import is_loopback
from authentiscan.serving.api.limits import Slot
from authentiscan.serving.api.metrics import Metrics
from authentiscan.serving.api.problems import of_error
from authentiscan.serving.api.settings import Settings

REQUEST_ID = "X-Request-ID"
SCAN = "/v1/scan"
JOBS = "/v1/jobs"
_IDLE_SECONDS = 30.0  # between two pieces of a body
_DRAINED = 64 * 2**20  # bytes read and thrown away, so that the client reads the refusal
_DRAIN_SECONDS, _DRAIN_IDLE_SECONDS = 5.0, 0.5
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_LOG = logging.getLogger("authentiscan.requests")
_SAFE = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}


class Edge:
    """Wraps the application; see the module."""

    def __init__(self, app: ASGIApp, settings: Settings, metrics: Metrics) -> None:
        self._app, self._settings, self._metrics = app, settings, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever happens inside."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        state = scope.setdefault("state", {})
        given = headers.get(REQUEST_ID, "")
        state["request_id"] = given if _ID.fullmatch(given) else secrets.token_hex(8)
        limit = self._settings.max_job_body if scope["path"] == JOBS else self._settings.max_body
        body = Body(receive, limit)
        state["body"] = body
        state["deadline"] = asyncio.get_running_loop().time() + self._settings.seconds
        answer = _Answer(scope, send, body)
        started = time.perf_counter()
        try:
            refuse_stranger(scope, headers, self._settings)
            body.announce(headers.get("content-length"))
            await self._app(scope, body.receive, answer.send)
        except Exception as error:
            if not isinstance(error, AuthentiscanError):
                _LOG.exception("unexpected error", extra={"request_id": state["request_id"]})
            if not answer.started:
                await of_error(scope, error)(scope, receive, answer.send)
        finally:
            self._record(scope, answer.status, body.count, time.perf_counter() - started)

    def _record(self, scope: Scope, status: int, count: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "none")  # never the path: it may hold a name
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._metrics.answered(route, method, status, seconds)
        state = scope["state"]
        known = {name: state[name] for name in ("images", "key", "kind") if name in state}
        probe = route in ("/healthz", "/readyz", "/metrics") and status < 400
        _LOG.log(
            logging.DEBUG if probe else logging.INFO,
            "request",
            extra={
                "request_id": state["request_id"],
                "method": method,
                "route": route,
                "status": status,
                "ms": round(seconds * 1e3, 1),
                "bytes": count,
                **known,
            },
        )


_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


@dataclass(slots=True)
class Body:
    """A request's body as it arrives: counted, and given up where it is too long or too slow.

    slot: where its bytes count too, once the request has one.
    """

    receiving: Receive
    limit: int
    count: int = 0
    whole: bool = False
    slot: Slot | None = None

    def announce(self, length: str | None) -> None:
        """Refuse a body that says it is too long before any of it is read: BodyLimitError."""
        if length is None:
            return
        if length.isdecimal() and len(length) < 20 and int(length) <= self.limit:
            return
        raise self._too_long()

    async def receive(self) -> Message:
        """The next piece. Raises BodyLimitError, SlowRequestError, or BusyError of the slot."""
        try:
            async with asyncio.timeout(None if self.whole else _IDLE_SECONDS):
                message = await self.receiving()
        except TimeoutError as error:
            raise SlowRequestError(
                f"nothing more of the body came for {_IDLE_SECONDS:g} seconds"
            ) from error
        if message["type"] == "http.request":
            size = len(message.get("body", b""))
            self.count += size
            self.whole = not message.get("more_body", False)
            if self.count > self.limit:
                raise self._too_long()
            if self.slot is not None and size:
                self.slot.hold(size)
        else:
            self.whole = True
        return message

    async def drain(self) -> None:
        """Read what is left of a body that nobody wants, within narrow limits."""
        most = self.count + _DRAINED
        with suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_SECONDS):
                while not self.whole and self.count < most:
                    async with asyncio.timeout(_DRAIN_IDLE_SECONDS):
                        message = await self.receiving()
                    self.count += len(message.get("body", b""))
                    self.whole = not message.get("more_body", False)

    def _too_long(self) -> BodyLimitError:
        return BodyLimitError(
            f"the request has more than {self.limit:,} bytes, which is all that this server takes"
        )


class _Answer:
    """Adds our headers, remembers the status, and takes in the rest of a refused body first."""

    def __init__(self, scope: Scope, sending: Send, body: Body) -> None:
        self._scope, self._sending, self._body = scope, sending, body
        self.started = False
        self.status = 500

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if not self._body.whole and self._scope["method"] == "POST":
                await self._body.drain()
            self.started, self.status = True, message["status"]
            headers = MutableHeaders(scope=message)
            if not self._body.whole and self._scope["method"] == "POST":
                headers["Connection"] = "close"  # else the server would read on for ever
            headers[REQUEST_ID] = self._scope["state"]["request_id"]
            for name, value in _SAFE.items():
                headers.setdefault(name, value)
        await self._sending(message)


def refuse_stranger(scope: Scope, headers: Headers, settings: Settings) -> None:
    """Keep the web pages that a person visits away from a server without keys.

    Such a server listens to this machine alone, but a page of any site can send requests from the
    person's browser (an ``Origin`` tells), or give its own name this machine's address (``Host``
    tells). Raises ForbiddenError.
    """
    if settings.needs_key:
        return
    host = _host(headers.get("host", ""))
    if settings.local and not is_loopback(host):
        raise ForbiddenError("this server answers to 127.0.0.1, localhost and [::1] only")
    origin = headers.get("origin")
    if origin is None or (settings.bookmark and scope["path"] == SCAN):
        return
    if not is_loopback(_host(origin.partition("://")[2])):
        raise ForbiddenError(
            "pages of other sites may not use this server; "
            "authentiscan serve --bookmark lets them post to /v1/scan"
        )


def _host(place: str) -> str:
    """The host of ``host:port``."""
    if place.startswith("["):
        return place.partition("]")[0][1:]
    return place.partition(":")[0]
