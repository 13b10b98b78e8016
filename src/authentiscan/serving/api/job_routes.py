"""Routes of jobs: many images, judged in the background."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from authentiscan.core.errors import SlowRequestError, UsageError
from authentiscan.core.types import JsonObject
from authentiscan.serving.api import described
from authentiscan.serving.api.dependencies import ModelName, Stability, The, Who, WithProvenance
from authentiscan.serving.api.image_routes import listed
from authentiscan.serving.api.jobs import Wanted
from authentiscan.serving.api.schemas import Job, Jobs, Results
from authentiscan.serving.api.service import Caller, Service
from authentiscan.serving.api.uploads import Part, parts
from authentiscan.serving.api.webhooks import checked

router = APIRouter(tags=["jobs"])
_SECONDS = 3600.0  # to receive a job
_PAGE = 1000
JobId = Annotated[
    str,
    Path(
        pattern="^[0-9a-f]{32}$",
        description="The `id` that making the job gave.",
        examples=[described.JOB["id"]],
    ),
]
_ASKING = (401, 403, 404, 422, 500)


def _shown(status: int, example: JsonObject) -> dict[int | str, JsonObject]:
    return {status: {"content": {"application/json": {"example": example}}}}


@router.post(
    "/v1/jobs",
    status_code=202,
    response_model=Job,
    summary="Make a job",
    responses={
        202: {
            "description": "All images are stored; the job goes on whatever happens to the server.",
            "headers": {"Location": {"schema": {"type": "string"}}},
            "content": {"application/json": {"example": described.JOB}},
        },
        **described.problems(400, 401, 403, 404, 408, 413, 415, 422, 429, 500, 503, 507),
    },
    openapi_extra=described.multipart(
        most="Up to 10,000",
        fields={
            "webhook": {
                "type": "string",
                "maxLength": 2000,
                "description": "An address that is told when the job is finished. The server's "
                "operator allows its host by `--webhook-host`.",
            }
        },
    ),
)
async def make(
    *,
    request: Request,
    the: The,
    who: Who,
    model: ModelName = None,
    stability: Stability = False,
    provenance: WithProvenance = True,
) -> Response:
    """Store many images, to be judged one after the other; ask for progress and results later."""
    wanted = Wanted(who.name, the.judges.name(model), stability, provenance)
    the.charge(who, 1)
    slot = the.uploads.enter()
    try:
        job = await asyncio.to_thread(the.store.begin, wanted)
        try:
            await _receive(request, the, who, job)
        except BaseException:
            the.store.drop(job)
            raise
    finally:
        slot.close()
    made = await asyncio.to_thread(the.store.accept, job)
    the.worker.call()
    return Response(
        made.model_dump_json(), 202, {"Location": f"/v1/jobs/{job}"}, media_type="application/json"
    )


async def _receive(request: Request, the: Service, who: Caller, job: str) -> None:
    number = 0
    try:
        async with asyncio.timeout(_SECONDS):
            async for part in parts(
                request, most_bytes=the.most_bytes, most_files=the.settings.max_job_images
            ):
                if part.name is None:
                    await asyncio.to_thread(_field, the, job, part)
                    continue
                the.charge(who, int(number > 0))
                await asyncio.to_thread(the.store.add, job, number, part.name, part.content)
                number += 1
    except TimeoutError as error:
        raise SlowRequestError(f"the job did not arrive within {_SECONDS:g} seconds") from error
    if not number:
        raise UsageError("the job has no image; send each as a part 'file'")
    request.state.images = number


def _field(the: Service, job: str, part: Part) -> None:
    if part.field != "webhook":
        raise UsageError(
            f"there is no field {part.field[:50]!r} here; allowed are 'file' and 'webhook'"
        )
    address = part.content.decode("utf-8", "replace").strip()
    the.store.set_webhook(job, checked(address, the.settings.webhook_hosts))


@router.get(
    "/v1/jobs",
    response_model=Jobs,
    summary="List the jobs",
    responses={**_shown(200, {"jobs": [described.JOB]}), **described.problems(401, 403, 500)},
)
def every(the: The, who: Who) -> Response:
    """The jobs that this key has made, the newest first."""
    jobs = Jobs(jobs=tuple(the.store.all(who.name)))
    return Response(jobs.model_dump_json(), media_type="application/json")


@router.get(
    "/v1/jobs/{job}",
    response_model=Job,
    summary="Ask how far a job is",
    responses={**_shown(200, described.JOB), **described.problems(*_ASKING)},
)
def one(the: The, who: Who, job: JobId) -> Response:
    """How far a job is, and what its images were judged to be."""
    return Response(the.store.get(job, who.name).model_dump_json(), media_type="application/json")


@router.get(
    "/v1/jobs/{job}/results",
    response_model=Results,
    summary="Get the reports of a job",
    responses={
        **described.answer(
            "Reports in the order of the images; as JSON lines where `Accept` asks for them.",
            {"reports": [described.REPORT], "next": None},
            described.REPORT,
        ),
        **described.problems(*_ASKING),
    },
)
def results(
    *,
    request: Request,
    the: The,
    who: Who,
    job: JobId,
    after: Annotated[int, Query(ge=0, le=2**31, description="Leave out this many images.")] = 0,
    limit: Annotated[int, Query(ge=1, le=_PAGE, description="At most this many.")] = 100,
) -> Response:
    """The reports that are there so far, without a gap: also of a job that is still running."""
    the.store.get(job, who.name)
    reports, following = the.store.results(job, after, limit)
    rest = f',"next":{"null" if following is None else following}'
    return listed(request, reports, rest)


@router.delete(
    "/v1/jobs/{job}",
    status_code=204,
    summary="Delete a job",
    responses=described.problems(*_ASKING),
)
def remove(the: The, who: Who, job: JobId) -> Response:
    """Stop a job where it still runs, and delete its images and reports."""
    the.store.remove(job, who.name)
    return Response(status_code=204)
