"""What routes declare that they need: the caller and the service."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query, Request, Security
from fastapi.security import APIKeyHeader, HTTPBearer

from authentiscan.serving.api.service import Caller, Service

# Only declared here, so that OpenAPI says it; `Service.caller` reads the headers.
_BEARER = HTTPBearer(auto_error=False, description="`Authorization: Bearer KEY`")
_HEADER = APIKeyHeader(name="X-API-Key", auto_error=False, description="`X-API-Key: KEY`")


def service_of(request: Request) -> Service:
    """The running service."""
    found: Service = request.app.state.service
    return found


def caller_of(
    request: Request,
    _bearer: Annotated[object, Security(_BEARER)],
    _header: Annotated[object, Security(_HEADER)],
) -> Caller:
    """Who asks; raises AccessError."""
    return service_of(request).caller(request)


The = Annotated[Service, Depends(service_of)]
Who = Annotated[Caller, Depends(caller_of)]
ModelName = Annotated[
    str | None,
    Query(
        min_length=1,
        max_length=200,
        description="A detector of `/v1/models`; the default one where not given.",
        examples=["default"],
    ),
]
Stability = Annotated[
    bool,
    Query(
        description="Score changed copies too (JPEG, resize, crop); a verdict that flips becomes "
        "inconclusive. About six times slower."
    ),
]
WithProvenance = Annotated[bool, Query(description="Read C2PA, EXIF, XMP and generator metadata.")]
