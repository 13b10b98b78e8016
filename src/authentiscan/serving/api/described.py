"""What OpenAPI says beside the signatures: bodies, problems, examples."""

from __future__ import annotations

from http import HTTPStatus

from authentiscan.core.types import JsonObject
from authentiscan.serving.api.problems import MEDIA

DESCRIPTION = """\
Tells camera photographs from AI-generated images, says how sure it is and shows why.

A verdict is `generated`, `real` or `inconclusive`; a score is the probability of *generated*, from
0 (real) to 1 (generated). Reports are the same as those of `authentiscan scan --json`; their schema
is at `/v1/schema`. Of an image or a video judged *generated*, `attribution` names the likely
generator, or `unknown`; it is null for all others. Errors are problem details (RFC 9457) with a
`request_id`. Nothing is kept of a request but jobs, whose images are deleted as soon as each has
its report.
"""

TAGS = [
    {"name": "images", "description": "Judge images that the request carries."},
    {"name": "jobs", "description": "Judge many images; nothing is lost when the server restarts."},
    {"name": "server", "description": "What is served, and how it fares."},
    {"name": "label studio", "description": "The machine learning backend of Label Studio."},
]

REPORT: JsonObject = {
    "schema_version": 1,
    "path": "photo.jpg",
    "verdict": "generated",
    "score": 0.94,
    "reason": "The pixels look generated: the score 0.940 is at or above 0.870.",
    "rule": "pixels",
    "threshold": 0.87,
    "fpr": 0.02,
    "real_below": 0.12,
    "miss": 0.04,
    "rate": "2 % of photographs score so high",
    "pixel_verdict": "generated",
    "spread": 0.08,
    "crops": [{"left": 0, "top": 0, "width": 160, "height": 160, "score": 0.94}],
    "warnings": [{"code": "small", "message": "the image is small"}],
    "stability": None,
    "provenance": None,
    "attribution": {
        "generator": "stable-diffusion-1",
        "candidates": [
            {"generator": "stable-diffusion-1", "probability": 0.71},
            {"generator": "latent-diffusion", "probability": 0.18},
        ],
        "fit": 0.42,
        "least_fit": 0.05,
        "crops": 4,
        "model": {"name": "generators-cpu", "version": "1", "sha256": None},
    },
    "image": None,
    "clip": None,
    "model": None,
    "timings": {"decode_ms": 1.9, "model_ms": 17.2, "attribution_ms": 21.5, "total_ms": 41.3},
    "error": None,
    "error_kind": None,
}
JOB: JsonObject = {
    "id": "5f2b8c1d9e0a4c7fb3d6a8e1f0927364",
    "status": "running",
    "model": "default",
    "total": 200,
    "done": 48,
    "counts": {"generated": 11, "real": 20, "inconclusive": 16, "failed": 1},
    "created": "2026-11-28T10:00:00Z",
    "finished": None,
    "keep_until": None,
    "webhook": None,
    "told": None,
    "webhook_secret": None,
}
_WHY = {
    400: "The body or a field is not what is needed.",
    401: "No API key, or one that is not valid.",
    403: "Not from there, or a webhook's host that is not allowed.",
    404: "There is no such detector or job.",
    408: "The request did not arrive in time.",
    413: "Too many bytes, pixels, frames or images.",
    415: "The body, or its only image, is of a kind that is not taken.",
    422: "A parameter breaks its rule, or the only image is damaged.",
    429: "Too much at once, or above the key's limit; see Retry-After.",
    500: "An unexpected error.",
    503: "The server is stopping, or the answer takes too long.",
    507: "The server's disk is full.",
}
_RETRY = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}
_ID = {"X-Request-ID": {"description": "To find it in the log.", "schema": {"type": "string"}}}


def problems(*statuses: int) -> dict[int | str, JsonObject]:
    """The ``responses`` of a route that may answer so."""
    return {status: _problem(status) for status in statuses}


def multipart(*, most: str, fields: JsonObject | None = None, one: bool = False) -> JsonObject:
    """The ``requestBody`` of a route that takes images."""
    binary = {"type": "string", "format": "binary"}
    many = {"type": "array", "items": binary, "minItems": 1, "description": f"{most} images"}
    schema = {
        "type": "object",
        "required": ["file"],
        "properties": {"file": binary if one else many, **(fields or {})},
        "additionalProperties": False,
    }
    return {
        "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}
    }


def answer(
    description: str, example: JsonObject, lines: JsonObject | None = None
) -> dict[int | str, JsonObject]:
    """The 200 of a route, with an example; lines: of an answer that may also be JSON lines."""
    content: JsonObject = {"application/json": {"example": example}}
    if lines is not None:
        content[LINES] = {"schema": {"type": "string"}, "example": lines}
    return {200: {"description": description, "content": content, "headers": _ID}}


LINES = "application/x-ndjson"


def _problem(status: int) -> JsonObject:
    phrase = HTTPStatus(status).phrase
    example = {
        "type": "about:blank",
        "title": phrase,
        "status": status,
        "detail": _WHY[status],
        "kind": "UsageError",
        "request_id": "8c1d9e0a4c7fb3d6",
    }
    return {
        "description": _WHY[status],
        "headers": {**_ID, **(_RETRY if status in (429, 503) else {})},
        "content": {
            MEDIA: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}
        },
    }
