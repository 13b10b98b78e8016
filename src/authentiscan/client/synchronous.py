"""The client for plain programs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence

import httpx

from authentiscan.analysis.report import Report
from authentiscan.client import exchange
from authentiscan.client.exchange import Call, Image
from authentiscan.serving.api.schemas import (
    Job,
    Jobs,
    JobStatus,
    Models,
    Origin,
    Origins,
    Results,
    Served,
)


class Client:
    """A server's API. Use it as a context, or close it.

    server: its address. key: the API key; None for that of the environment variable
    AUTHENTISCAN_API_KEY. seconds: to wait for an answer. tries: further ones where the server is
    busy or stopping, each after the time that it names.

    Methods raise what the server tells of, as the error of `authentiscan.core.errors` that it would
    be here; ServiceError where it cannot be reached.
    """

    def __init__(
        self,
        server: str = "http://127.0.0.1:8000",
        *,
        key: str | None = None,
        seconds: float = 120.0,
        tries: int = 5,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._server, self._tries = server, tries
        self._http = httpx.Client(
            base_url=server, headers=exchange.headers(key), timeout=seconds, transport=transport
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def scan(
        self,
        image: Image,
        *,
        model: str | None = None,
        stability: bool = False,
        provenance: bool = True,
    ) -> Report:
        """Judge one image: a path or encoded bytes. Raises a DecodeError leaf as `analyze` does."""
        call = exchange.scan([image], model=model, stability=stability, provenance=provenance)
        return exchange.read_reports(self._send(call))[0]

    def scan_many(
        self,
        images: Iterable[Image],
        *,
        model: str | None = None,
        stability: bool = False,
        provenance: bool = True,
    ) -> Iterator[Report]:
        """Judge images one after the other, in order; one that fails gives `Report.failed`.

        For many images make a job: `submit`.
        """
        from authentiscan.core.errors import DecodeError

        for image in images:
            try:
                yield self.scan(image, model=model, stability=stability, provenance=provenance)
            except DecodeError as error:
                name = "image" if isinstance(image, bytes) else str(image)
                yield Report.failed(name, error)

    def explain(
        self,
        image: Image,
        *,
        model: str | None = None,
        view: Sequence[str] = ("overlay",),
        target: str = "auto",
        opacity: float = 0.5,
    ) -> bytes:
        """A PNG of the image with a heatmap beside it.

        view: of ``overlay``, ``residual``, ``spectrum``, ``ela``, ``all``. target: ``auto``,
        ``generated``, ``real``. opacity: share of the colours in [0, 1].
        """
        call = exchange.explain(image, model=model, view=view, target=target, opacity=opacity)
        return self._send(call).content

    def provenance(self, image: Image) -> Origin:
        """What the file says of its own origin."""
        answer = self._send(Call("POST", "/v1/provenance", files=exchange.parts([image])))
        return exchange.read(Origins, answer).files[0]

    def submit(
        self,
        images: Iterable[Image],
        *,
        model: str | None = None,
        stability: bool = False,
        provenance: bool = True,
        webhook: str | None = None,
    ) -> Job:
        """Make a job of many images; it goes on whatever happens to this program or the server.

        webhook: an address that is told at the end, on a host that the server's operator allows.
        """
        call = exchange.job(
            images, model=model, stability=stability, provenance=provenance, webhook=webhook
        )
        return exchange.read(Job, self._send(call))

    def job(self, job_id: str) -> Job:
        """How far a job is. Raises NotThereError where there is none."""
        return exchange.read(Job, self._send(Call("GET", f"/v1/jobs/{job_id}")))

    def jobs(self) -> list[Job]:
        """The jobs of this key, the newest first."""
        return list(exchange.read(Jobs, self._send(Call("GET", "/v1/jobs"))).jobs)

    def wait(
        self,
        job_id: str,
        *,
        every: float = 1.0,
        progress: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> Job:
        """Wait until a job is finished, asking every so many seconds; progress: done, total."""
        while True:
            found = self.job(job_id)
            progress(found.done, found.total)
            if found.status is JobStatus.FINISHED:
                return found
            time.sleep(every)

    def results(self, job_id: str) -> Iterator[Report]:
        """The reports of a job so far, in the order of its images; of a finished one all."""
        after: int | None = 0
        while after is not None:
            page = exchange.read(Results, self._send(exchange.results(job_id, after)))
            yield from page.reports
            after = page.next

    def delete(self, job_id: str) -> None:
        """Delete a job with its images and reports."""
        self._send(Call("DELETE", f"/v1/jobs/{job_id}"))

    def models(self) -> list[Served]:
        """The server's detectors."""
        return list(exchange.read(Models, self._send(Call("GET", "/v1/models"))).models)

    def _send(self, call: Call) -> httpx.Response:
        tries = 0
        while True:
            try:
                answer = self._http.request(call.method, call.path, **call.options())  # type: ignore[arg-type]
            except httpx.HTTPError as error:
                raise exchange.unreachable(error, self._server) from error
            if not exchange.again(answer, tries, self._tries):
                return exchange.checked(answer)
            time.sleep(exchange.wait(answer, tries))
            tries += 1
