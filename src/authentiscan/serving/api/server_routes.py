"""Routes about the server itself."""

from __future__ import annotations

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import JSONResponse, Response

import authentiscan
from authentiscan.analysis import json_schema
from authentiscan.core.errors import ServiceError
from authentiscan.core.types import JsonObject
from authentiscan.serving.api import described
from authentiscan.serving.api.dependencies import The, Who
from authentiscan.serving.api.schemas import Health, Models

router = APIRouter(tags=["server"])
_HEALTH = {"status": "ok", "version": "0.1.0"}


@router.get(
    "/v1/models",
    response_model=Models,
    summary="List the detectors",
    responses=described.problems(401, 403, 500),
)
def models(the: The, _who: Who) -> Response:
    """The detectors of this server: thresholds with their error rates, and limits in words.

    `attributor` is what names likely generators; null where the server names none.
    """
    return Response(the.judges.served().model_dump_json(), media_type="application/json")


@router.get(
    "/v1/schema",
    summary="The JSON schema of a report",
    responses={
        200: {"content": {"application/json": {"schema": {"type": "object"}}}},
        **described.problems(403, 500),
    },
)
def schema() -> Response:
    """The schema that every report follows: the file docs/report.schema.json of this version."""
    found: JsonObject = json_schema()
    return JSONResponse(found)


@router.get(
    "/healthz",
    response_model=Health,
    summary="Does the server live?",
    responses={**described.answer("It does.", _HEALTH), **described.problems(403, 500)},
)
def healthz() -> Response:
    """Answers as long as the process lives; needs no key."""
    return _health()


@router.get(
    "/readyz",
    response_model=Health,
    summary="Can the server take requests?",
    responses={**described.answer("It can.", _HEALTH), **described.problems(403, 500, 503)},
)
def readyz(the: The) -> Response:
    """Answers 503 while all places are taken; needs no key."""
    if the.requests.inside >= the.requests.most:
        raise ServiceError("all places are taken; ask again in a moment")
    return _health()


@router.get(
    "/metrics",
    summary="Figures for Prometheus",
    response_class=Response,
    responses={
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
        **described.problems(401, 403, 500),
    },
)
def metrics(the: The, _who: Who) -> Response:
    """Requests, images by verdict, batches, jobs, memory; needs a key where others do."""
    return Response(the.metrics.text(), media_type=CONTENT_TYPE_LATEST)


def _health() -> Response:
    health = Health(status="ok", version=authentiscan.__version__)
    return Response(health.model_dump_json(), media_type="application/json")
