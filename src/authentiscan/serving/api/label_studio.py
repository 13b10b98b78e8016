"""The machine learning backend that Label Studio asks: verdicts as suggestions for its labels.

Label Studio sends tasks with the addresses of their images. Only images of the Label Studio that
the operator named are fetched (``--label-studio``), and images that stand in the task itself
(``data:``). Protocol: https://labelstud.io/guide/ml_create
"""

from __future__ import annotations

import base64
import binascii
import http.client
import os
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes, urljoin, urlsplit
from xml.parsers import expat

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from authentiscan.analysis.report import Report
from authentiscan.core.errors import AuthentiscanError, ForbiddenError, ServiceError, UsageError
from authentiscan.core.records import mistakes
from authentiscan.serving.api import described
from authentiscan.serving.api.dependencies import The, Who
from authentiscan.serving.api.judging import answers
from authentiscan.serving.api.service import Service

router = APIRouter(prefix="/label-studio", tags=["label studio"])
TOKEN = "LABEL_STUDIO_API_KEY"  # noqa: S105 -- the name of an environment variable
_TIMEOUT = 20.0
_MOST_CONFIG = 100_000
_PROBLEMS = described.problems(400, 401, 403, 408, 413, 415, 422, 429, 500, 503)
_EXAMPLE = {
    "tasks": [{"id": 1, "data": {"image": "/data/upload/1/photo.jpg"}}],
    "label_config": '<View><Image name="image" value="$image"/><Choices name="origin" '
    'toName="image"><Choice value="generated"/><Choice value="real"/>'
    '<Choice value="inconclusive"/></Choices></View>',
}


class Task(BaseModel):
    """One task: ``data`` holds the address of its image."""

    model_config = ConfigDict(strict=True)

    id: int | str | None = None
    data: dict[str, JsonValue] = Field(default_factory=dict)


class Asked(BaseModel):
    """What Label Studio posts; all else in it is left aside."""

    model_config = ConfigDict(strict=True)

    tasks: list[Task] = Field(max_length=1000)
    label_config: str = Field(default="", max_length=_MOST_CONFIG)


class Suggestion(BaseModel):
    """A prediction in Label Studio's form; ``score`` is the certainty of the suggested side."""

    model_version: str
    score: float
    result: list[dict[str, JsonValue]]


class Suggestions(BaseModel):
    """One suggestion a task, in order; an empty one where its image could not be judged."""

    results: list[Suggestion]


@dataclass(frozen=True, slots=True)
class Labels:
    """Where a verdict belongs in a project: the tags' names and the choices as they are spelled."""

    field: str
    name: str
    to_name: str
    choices: dict[str, str]


@router.get(
    "/health",
    summary="Does the backend live?",
    responses={**described.answer("It does.", {"status": "UP"}), **described.problems(403, 500)},
)
def health() -> dict[str, str]:
    """What Label Studio asks when the backend is connected."""
    return {"status": "UP", "model_class": "authentiscan"}


@router.post(
    "/setup",
    summary="Say which model this is",
    responses={**described.answer("The model.", {"model_version": "x"}), **_PROBLEMS},
)
def setup(the: The, _who: Who) -> dict[str, str]:
    """The detector's name and version; what Label Studio tells of itself is not used."""
    return {"model_version": _version(the)}


@router.post(
    "/predict",
    response_model=Suggestions,
    summary="Suggest labels",
    responses={**described.answer("One suggestion a task.", {"results": []}), **_PROBLEMS},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"$ref": "#/components/schemas/Asked"},
                    "example": _EXAMPLE,
                }
            },
        }
    },
)
async def predict(request: Request, the: The, who: Who) -> Suggestions:
    """Judge the images of tasks, and suggest the choice that is called like the verdict."""
    async with the.place(request, who) as slot:
        asked = _asked(await request.body())
        labels = read_labels(asked.label_config)
        the.charge(who, len(asked.tasks) - 1)
        request.state.images = len(asked.tasks)
        futures = [
            slot.until(the.judges.submit(_judged, the, labels, task)) for task in asked.tasks
        ]
        reports = await answers(futures, request.state.deadline)
    version = _version(the)
    return Suggestions(results=[_suggestion(report, labels, version) for report in reports])


def read_labels(config: str) -> Labels | None:
    """The first ``Choices`` over an ``Image`` in a project's labelling interface.

    None where there is none. Raises UsageError where it is no XML, or declares entities.
    """
    images: dict[str, str] = {}
    found: list[dict[str, str]] = []
    choices: list[str] = []

    def start(tag: str, attributes: dict[str, str]) -> None:
        if tag == "Image":
            images[attributes.get("name", "")] = attributes.get("value", "").removeprefix("$")
        elif tag == "Choices":
            found.append(attributes)
        elif tag == "Choice" and len(found) == 1:
            choices.append(attributes.get("value", ""))

    def refuse(*_: object) -> None:
        raise UsageError("the label_config declares a document type, which is not read")

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(config or "<View/>", True)
    except expat.ExpatError as error:
        raise UsageError(f"the label_config is no XML: {error}") from error
    fitting = [a for a in found[:1] if a.get("toName") in images and a.get("name")]
    if not fitting:
        return None
    to_name = fitting[0]["toName"]
    spelled = {choice.lower(): choice for choice in choices}
    return Labels(images[to_name], fitting[0]["name"], to_name, spelled)


def fetch(address: str, server: str | None, most: int) -> bytes:
    """The image at ``address``: in itself (``data:``), or of the Label Studio at ``server``.

    Raises ForbiddenError for any other place, ServiceError where it cannot be had, UsageError for
    an address that is none.
    """
    if address.startswith("data:"):
        return _inline(address)
    if server is None:
        raise ForbiddenError(
            "images of Label Studio are not fetched here; authentiscan serve --label-studio ADDRESS"
        )
    try:
        whole, base = urlsplit(urljoin(server, address)), urlsplit(server)
        same = (whole.scheme, whole.hostname, whole.port) == (base.scheme, base.hostname, base.port)
    except ValueError as error:
        raise UsageError("the task's image has no possible address") from error
    if not same or whole.scheme not in ("http", "https"):
        raise ForbiddenError("the task's image is not on the Label Studio that this server knows")
    kind = http.client.HTTPSConnection if whole.scheme == "https" else http.client.HTTPConnection
    connection = kind(whole.hostname or "", whole.port, timeout=_TIMEOUT)
    try:
        where = whole.path + (f"?{whole.query}" if whole.query else "")
        token = os.environ.get(TOKEN)
        headers = {"Authorization": f"Token {token}"} if token else {}
        connection.request("GET", where, headers={"User-Agent": "authentiscan", **headers})
        answer = connection.getresponse()
        if answer.status != 200:
            raise ServiceError(f"Label Studio answered {answer.status} for the task's image")
        return answer.read(most + 1)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise ServiceError("Label Studio did not give the task's image") from error
    finally:
        connection.close()


def _inline(address: str) -> bytes:
    head, _, data = address.partition(",")
    try:
        raw = unquote_to_bytes(data)
        return base64.b64decode(raw, validate=True) if head.endswith(";base64") else raw
    except (binascii.Error, ValueError) as error:
        raise UsageError("the task's data: address is broken") from error


def _asked(body: bytes) -> Asked:
    try:
        return Asked.model_validate_json(body)
    except ValidationError as error:
        raise UsageError(f"this is no request of Label Studio: {mistakes(error)}") from error


def _judged(the: Service, labels: Labels | None, task: Task) -> Report:
    field = labels.field if labels else "image"
    address = task.data.get(field)
    try:
        if not isinstance(address, str):
            raise UsageError(f"the task's data has no text {field!r}")
        content = fetch(address, the.settings.label_studio, the.most_bytes)
        report = the.judges.report("", content, None, stability=False, provenance=True)
    except AuthentiscanError as error:
        report = Report.failed("", error)
    the.metrics.judged(report, "request")
    return report


def _suggestion(report: Report, labels: Labels | None, version: str) -> Suggestion:
    empty = Suggestion(model_version=version, score=0.0, result=[])
    if report.verdict is None or report.score is None or labels is None:
        return empty
    choice = labels.choices.get(report.verdict.value)
    if choice is None:
        return empty
    value: dict[str, JsonValue] = {
        "from_name": labels.name,
        "to_name": labels.to_name,
        "type": "choices",
        "value": {"choices": [choice]},
        "meta": {"text": [report.reason]},
    }
    sure = max(report.score, 1 - report.score)
    return Suggestion(model_version=version, score=sure, result=[value])


def _version(the: Service) -> str:
    (first, *_) = the.judges.served().models
    return f"{first.name} {first.version}"
