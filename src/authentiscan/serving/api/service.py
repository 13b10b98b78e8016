"""What the routes share: keys, limits, judges, jobs; made at the start, brought home at the end."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request

from authentiscan.core.errors import AccessError, SlowRequestError, UsageError
from authentiscan.core.locks import held
from authentiscan.images.decode import DEFAULT_LIMITS
from authentiscan.serving.api.database import Database
from authentiscan.serving.api.jobs import JobStore
from authentiscan.serving.api.judging import Judges
from authentiscan.serving.api.keys import Keys
from authentiscan.serving.api.limits import Admission, Rates, Slot
from authentiscan.serving.api.metrics import Metrics
from authentiscan.serving.api.settings import Settings
from authentiscan.serving.api.uploads import Part, parts
from authentiscan.serving.api.webhooks import Teller
from authentiscan.serving.api.worker import Worker

_UPLOADS = 8  # jobs received at once
_BODIES = 8  # times the largest body: bytes of all requests held at once


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the name of the key, empty where the server needs none."""

    name: str = ""
    per_minute: int | None = None


@dataclass(frozen=True, slots=True)
class Service:
    """The parts of one running server."""

    settings: Settings
    metrics: Metrics
    keys: Keys
    rates: Rates
    judges: Judges
    store: JobStore
    worker: Worker
    requests: Admission
    uploads: Admission

    @property
    def most_bytes(self) -> int:
        """Bytes that one image may have."""
        return min(DEFAULT_LIMITS.bytes, self.settings.max_body)

    def caller(self, request: Request) -> Caller:
        """Who asks. Raises AccessError without a valid key, BusyError above the key's limit."""
        if not self.settings.needs_key:
            return Caller()
        given = _key_of(request)
        key = self.keys.find(given) if given else None
        if key is None:
            text = "is not valid, or was revoked" if given else "is missing"
            raise AccessError(
                f"the API key {text}; send it as 'Authorization: Bearer KEY'. The operator makes "
                "one with: authentiscan keys add NAME"
            )
        request.state.key = key.name
        return Caller(key.name, key.per_minute)

    def charge(self, caller: Caller, images: int) -> None:
        """Count images against the key's limit. Raises BusyError."""
        if caller.per_minute is not None and images > 0:
            self.rates.take(caller.name, caller.per_minute, images)

    @asynccontextmanager
    async def place(self, request: Request, caller: Caller) -> AsyncIterator[Slot]:
        """A place among the requests at work. Raises BusyError before any of the body is read."""
        self.charge(caller, 1)
        slot = self.requests.enter()
        request.state.body.slot = slot
        try:
            yield slot
        finally:
            request.state.body.slot = None
            slot.close()

    async def images(
        self, request: Request, caller: Caller, *, most: int | None = None
    ) -> list[Part]:
        """The images of a request, at least one. Raises UsageError for anything else in it."""
        found: list[Part] = []
        most_files = self.settings.max_images if most is None else most
        try:
            async with asyncio.timeout_at(request.state.deadline):
                async for part in parts(request, most_bytes=self.most_bytes, most_files=most_files):
                    if part.name is None:
                        raise UsageError(
                            f"there is no field {part.field[:50]!r} here; images are 'file'"
                        )
                    found.append(part)
        except TimeoutError as error:
            raise SlowRequestError(
                f"the request did not arrive whole within {self.settings.seconds:g} seconds"
            ) from error
        if not found:
            raise UsageError("the request has no image; send each as a part 'file'")
        request.state.images = len(found)
        self.charge(caller, len(found) - 1)
        return found


@contextmanager
def running(settings: Settings, metrics: Metrics) -> Iterator[Service]:
    """All parts of a server, ready; at the end nothing is left running and nothing is lost.

    Raises OutputError where another server has the folder, a BundleError leaf for a detector.
    """
    with ExitStack() as stack:
        database = stack.enter_context(Database(settings.state))
        stack.enter_context(held(Path(settings.state) / ".lock", settings.state))
        judges = Judges(
            settings.models,
            attributor=settings.attributor,
            workers=settings.workers,
            most=settings.batch,
            max_pixels=settings.max_pixels,
            seen=metrics.batch,
        )
        stack.callback(judges.close)
        store = JobStore(
            database,
            most_bytes=settings.max_stored,
            most_jobs=settings.max_jobs,
            keep_seconds=settings.keep_hours * 3600,
        )
        worker = Worker(
            store,
            judges,
            Teller(store, settings.webhook_hosts),
            workers=settings.workers,
            seen=lambda report: metrics.judged(report, "job"),
        )
        worker.start()
        stack.callback(worker.stop)
        requests = Admission(settings.queue, _BODIES * settings.max_body)
        service = Service(
            settings, metrics, Keys(database), Rates(), judges, store, worker, requests,
            Admission(_UPLOADS, settings.max_job_body),
        )  # fmt: skip
        _watch(service)
        yield service


def _watch(service: Service) -> None:
    metrics, admission = service.metrics, service.requests
    metrics.watch("requests_inside", "Requests taken in.", lambda: admission.inside)
    metrics.watch("requests_most", "Requests taken in at most.", lambda: admission.most)
    metrics.watch("body_bytes", "Bytes of bodies held.", lambda: admission.bytes)
    metrics.watch("job_images_waiting", "Images of jobs without report.", service.store.waiting)
    metrics.watch_jobs(service.store.counts)


def _key_of(request: Request) -> str:
    """The key in the headers: Bearer, X-API-Key, or the password of Basic (Label Studio's way)."""
    kind, _, value = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return value.strip()
    if kind.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return request.headers.get("x-api-key", "")
