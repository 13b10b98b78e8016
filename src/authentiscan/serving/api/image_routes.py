"""Routes that judge the images of one request."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from authentiscan.analysis import assemble, open_image
from authentiscan.analysis.report import Report
from authentiscan.core.errors import DecodeError
from authentiscan.core.views import TargetName, ViewName
from authentiscan.explain import explain as explain_image
from authentiscan.explain import explain_leaning
from authentiscan.explain.overlay import VIEWS, figure, panels
from authentiscan.images.decode import encode, read_source
from authentiscan.provenance import inspect
from authentiscan.serving.api import described
from authentiscan.serving.api.dependencies import ModelName, Stability, The, Who, WithProvenance
from authentiscan.serving.api.judging import Judges, answers
from authentiscan.serving.api.problems import problem, status_of
from authentiscan.serving.api.schemas import Origin, Origins, Reports
from authentiscan.serving.api.uploads import Part

router = APIRouter(tags=["images"])
_PROBLEMS = (400, 401, 403, 404, 408, 413, 415, 422, 429, 500, 503)


@router.post(
    "/v1/scan",
    response_model=Reports,
    summary="Judge images",
    responses={
        **described.answer(
            "One report an image, in order; as JSON lines where `Accept` asks for them.",
            {"reports": [described.REPORT]},
            described.REPORT,
        ),
        **described.problems(*_PROBLEMS),
    },
    openapi_extra=described.multipart(most="One or several"),
)
async def scan(
    *,
    request: Request,
    the: The,
    who: Who,
    model: ModelName = None,
    stability: Stability = False,
    provenance: WithProvenance = True,
) -> Response:
    """Judge one or several images: generated, real or inconclusive, with score and reason.

    Of several images, one that cannot be judged has its `error` in its report. A single image that
    cannot be judged is answered by the error's own status.
    """
    named = the.judges.name(model)
    async with the.place(request, who) as slot:
        images = await the.images(request, who)
        futures = [
            slot.until(
                the.judges.submit(
                    the.judges.report,
                    part.name or "",
                    part.content,
                    named,
                    stability=stability,
                    provenance=provenance,
                )
            )
            for part in images
        ]
        reports = await answers(futures, request.state.deadline)
    for report in reports:
        the.metrics.judged(report, "request")
    if len(reports) == 1 and reports[0].error is not None:
        return _refused(request, reports[0].error, reports[0].error_kind)
    return listed(request, [report.json_line() for report in reports])


@router.post(
    "/v1/explain",
    summary="Show where the evidence lies",
    response_class=Response,
    responses={
        200: {
            "description": "A picture: the image, and a heatmap or other views beside it.",
            "content": {"image/png": {"schema": {"type": "string", "format": "binary"}}},
            "headers": {
                "X-Authentiscan-Verdict": {"schema": {"type": "string"}},
                "X-Authentiscan-Score": {"schema": {"type": "number"}},
            },
        },
        **described.problems(*_PROBLEMS),
    },
    openapi_extra=described.multipart(most="One", one=True),
)
async def explain(
    *,
    request: Request,
    the: The,
    who: Who,
    model: ModelName = None,
    view: Annotated[list[ViewName] | None, Query(description="Pictures to show.")] = None,
    target: Annotated[
        TargetName, Query(description="Evidence for this side; auto: the one the score leans to.")
    ] = TargetName.AUTO,
    opacity: Annotated[float, Query(ge=0, le=1, description="Share of the colours.")] = 0.5,
) -> Response:
    """Draw one image with a heatmap of the evidence over it, as `authentiscan explain` does.

    The map is scaled by its own maximum: it tells where, not how much. It is not proof.
    """
    named = the.judges.name(model)
    chosen = [ViewName.OVERLAY] if view is None else view
    views = VIEWS if ViewName.ALL in chosen else tuple(dict.fromkeys(v.value for v in chosen))
    async with the.place(request, who) as slot:
        (image,) = await the.images(request, who, most=1)
        work = the.judges.submit(
            _drawn, the.judges, named, image.content, views=views, target=target, opacity=opacity
        )
        ((picture, report),) = await answers([slot.until(work)], request.state.deadline)
    headers = {
        "X-Authentiscan-Verdict": str(report.verdict),
        "X-Authentiscan-Score": f"{report.score:.6f}",
    }
    return Response(picture, headers=headers, media_type="image/png")


@router.post(
    "/v1/provenance",
    response_model=Origins,
    summary="What files say of their origin",
    responses={
        **described.answer(
            "One entry a file, in order.",
            {
                "files": [
                    {
                        "path": "photo.jpg",
                        "c2pa": "absent",
                        "claim": "none",
                        "container": "JPEG",
                        "findings": [],
                        "notes": [],
                        "milliseconds": 0.4,
                        "error": None,
                        "error_kind": None,
                    }
                ]
            },
        ),
        **described.problems(*_PROBLEMS),
    },
    openapi_extra=described.multipart(most="One or several"),
)
async def provenance(request: Request, the: The, who: Who) -> Response:
    """Read C2PA content credentials, EXIF, XMP, IPTC and what generators write; no detector runs.

    Unsigned metadata can be written, copied and removed by anyone. A file without any tells
    nothing.
    """
    async with the.place(request, who) as slot:
        files = await the.images(request, who)
        futures = [slot.until(the.judges.submit(_origin, the.judges, part)) for part in files]
        found = await answers(futures, request.state.deadline)
    if len(found) == 1 and found[0].error is not None:
        return _refused(request, found[0].error, found[0].error_kind)
    return Response(Origins(files=tuple(found)).model_dump_json(), media_type="application/json")


def listed(request: Request, reports: list[str], rest: str = "") -> Response:
    """Reports as one JSON object, or as lines where the client would rather have those."""
    if described.LINES in request.headers.get("accept", ""):
        return Response("".join(f"{line}\n" for line in reports), media_type=described.LINES)
    return Response(f'{{"reports":[{",".join(reports)}]{rest}}}', media_type="application/json")


def _refused(request: Request, error: str, kind: str | None) -> Response:
    status = status_of(kind)
    headers = {"Retry-After": "5"} if status == 503 else None
    return problem(request.scope, status, kind or "AuthentiscanError", error, headers)


def _drawn(
    judges: Judges,
    model: str,
    content: bytes,
    *,
    views: tuple[str, ...],
    target: TargetName,
    opacity: float,
) -> tuple[bytes, Report]:
    detector = judges.find(model)
    with judges.pixels.of(content):
        opened = open_image(content, name="", limits=judges.limits)
        image = opened.image
        if target is TargetName.AUTO:
            found = explain_leaning(detector, image)
        else:
            side = "real" if target is TargetName.REAL else "generated"
            found = explain_image(detector, image, target=side)  # type: ignore[arg-type]
        assert found.prediction is not None
        findings = inspect(content, judges.trust, walked=opened.walked)
        report = assemble(image, found.prediction, detector.spec, name="", provenance=findings)
        shown = panels(image.pixels, found, chosen=views, opacity=opacity)
    title = f"{report.verdict}, score {found.score:.3f}  ({detector.spec.name}, gradcam)"
    return encode(figure(shown, title=title), "PNG"), report


def _origin(judges: Judges, part: Part) -> Origin:
    name = part.name or ""
    try:
        found = inspect(read_source(part.content, judges.limits), judges.trust)
    except DecodeError as error:
        return Origin(path=name, error=str(error), error_kind=type(error).__name__)
    return Origin(path=name, **found.model_dump())
