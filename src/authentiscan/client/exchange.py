"""What both clients share: requests to send, answers to read, when to try again."""

from __future__ import annotations

import os
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias, TypeVar

import httpx
from pydantic import ValidationError

from authentiscan.analysis.report import Report
from authentiscan.core import errors
from authentiscan.core.errors import (
    AuthentiscanError,
    BusyError,
    MissingExtraError,
    ServiceError,
    UsageError,
)
from authentiscan.core.records import Record
from authentiscan.images.decode import read_source
from authentiscan.serving.api.schemas import Problem, Reports

R = TypeVar("R", bound=Record)
Image: TypeAlias = Path | str | bytes
"""A file's path, or its encoded bytes."""

Parameter: TypeAlias = str | int | float | bool | list[str]
Parameters: TypeAlias = Mapping[str, Parameter]

KEY = "AUTHENTISCAN_API_KEY"
"""Environment variable with the key, where none is given."""

PAGE = 500  # reports of a job in one answer
_TRY_AGAIN = frozenset({429, 503})
_MOST_WAIT = 60.0


@dataclass(frozen=True, slots=True)
class Call:
    """One request: method, path, parameters, and the parts of its body."""

    method: str
    path: str
    parameters: Parameters = field(default_factory=dict)
    files: Sequence[tuple[str, tuple[str, bytes]]] = ()
    fields: Mapping[str, str] = field(default_factory=dict)

    def options(self) -> dict[str, object]:
        """As httpx takes them."""
        found: dict[str, object] = {"params": dict(self.parameters)}
        if self.files:
            found |= {"files": list(self.files), "data": dict(self.fields)}
        return found


def headers(key: str | None) -> dict[str, str]:
    """Headers of every request: the key given, or that of the environment."""
    key = key or os.environ.get(KEY)
    return {"Authorization": f"Bearer {key}"} if key else {}


def scan(images: Iterable[Image], *, model: str | None, stability: bool, provenance: bool) -> Call:
    """Judge images."""
    return Call("POST", "/v1/scan", _query(model, stability, provenance), parts(images))


def job(
    images: Iterable[Image],
    *,
    model: str | None,
    stability: bool,
    provenance: bool,
    webhook: str | None,
) -> Call:
    """Make a job."""
    fields = {"webhook": webhook} if webhook else {}
    query = _query(model, stability, provenance)
    return Call("POST", "/v1/jobs", query, parts(images), fields)


def explain(
    image: Image, *, model: str | None, view: Sequence[str], target: str, opacity: float
) -> Call:
    """Draw an image with its evidence."""
    query: dict[str, Parameter] = {"view": list(view), "target": target, "opacity": opacity}
    if model is not None:
        query["model"] = model
    return Call("POST", "/v1/explain", query, parts([image]))


def results(job_id: str, after: int) -> Call:
    """A page of a job's reports."""
    return Call("GET", f"/v1/jobs/{job_id}/results", {"after": after, "limit": PAGE})


def parts(images: Iterable[Image]) -> list[tuple[str, tuple[str, bytes]]]:
    """The images as parts of a form, with their names. Raises a DecodeError leaf, UsageError."""
    found = []
    for image in images:
        name = "image" if isinstance(image, bytes) else Path(image).name
        found.append(("file", (name, read_source(image))))
    if not found:
        raise UsageError("there are no images to send; give at least one")
    return found


def read(kind: type[R], answer: httpx.Response) -> R:
    """The record in an answer. Keys that a newer server adds are left aside."""
    try:
        return kind.model_validate_json(answer.content, extra="ignore")
    except ValidationError as error:
        raise ServiceError(
            f"{answer.url.host} answered what this version does not understand; is it an "
            "authentiscan server of the same version?"
        ) from error


def read_reports(answer: httpx.Response) -> list[Report]:
    """The reports of `scan`."""
    return list(read(Reports, answer).reports)


def checked(answer: httpx.Response) -> httpx.Response:
    """The answer where it is a good one; else raises the error that the server tells of."""
    if answer.is_success:
        return answer
    try:
        problem = Problem.model_validate_json(answer.content, extra="ignore")
    except ValidationError:
        raise ServiceError(
            f"{answer.url.host} answered {answer.status_code} {answer.reason_phrase}; "
            "is there an authentiscan server?"
        ) from None
    kind = getattr(errors, problem.kind, None)
    detail = f"{problem.detail} (request {problem.request_id})"
    if kind is BusyError:
        raise BusyError(detail, int(wait(answer, 0)))
    if not (isinstance(kind, type) and issubclass(kind, AuthentiscanError)):
        kind = ServiceError
    if issubclass(kind, MissingExtraError):  # an extra of the server's, not of ours
        kind = ServiceError
    raise kind(detail)


def again(answer: httpx.Response, tries: int, most: int) -> bool:
    """Whether to send the same request once more, after `wait`."""
    return answer.status_code in _TRY_AGAIN and tries < most


def wait(answer: httpx.Response, tries: int) -> float:
    """Seconds before the next try: as the server says, else longer each time."""
    seconds = answer.headers.get("Retry-After", "")
    if seconds.isdecimal():
        return min(_MOST_WAIT, float(seconds))
    return min(_MOST_WAIT, 2.0**tries) * random.uniform(0.5, 1)  # noqa: S311 -- no secret


def unreachable(error: httpx.HTTPError, server: str) -> ServiceError:
    """The error to raise where no answer came."""
    why = "no answer in time" if isinstance(error, httpx.TimeoutException) else "no connection"
    return ServiceError(f"{server} cannot be reached ({why}); is it running? authentiscan serve")


def _query(model: str | None, stability: bool, provenance: bool) -> Parameters:
    named: dict[str, Parameter] = {} if model is None else {"model": model}
    return {**named, "stability": stability, "provenance": provenance}
