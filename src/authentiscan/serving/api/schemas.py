"""What the API answers, beside the `Report` of every image. The client reads the same records."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import Field

from authentiscan.analysis.report import Report
from authentiscan.core.records import Record
from authentiscan.provenance.records import Provenance


class Problem(Record):
    """What went wrong (RFC 9457, ``application/problem+json``).

    title: the status in words. detail: what was wrong and what to do. kind: the error's name, the
    same as a report's ``error_kind``. request_id: to be found in the server's log.
    """

    type: Literal["about:blank"] = "about:blank"
    title: str
    status: int = Field(ge=400, le=599)
    detail: str
    kind: str
    request_id: str


class Reports(Record):
    """One report for every image of the request, in its order."""

    reports: tuple[Report, ...]


class Origin(Provenance):
    """What one file says of its own origin; ``error`` says why nothing could be read.

    The same keys as a line of ``authentiscan provenance --json``.
    """

    path: str
    error: str | None = None
    error_kind: str | None = None


class Origins(Record):
    """One entry for every file of the request, in its order."""

    files: tuple[Origin, ...]


class JobStatus(StrEnum):
    """How far a job is."""

    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"


class Counts(Record):
    """Images of a job by what was said of them."""

    generated: int = 0
    real: int = 0
    inconclusive: int = 0
    failed: int = 0


class Job(Record):
    """A batch of images and how far it is.

    done of ``total`` images have a report. keep_until: when a finished job is removed.
    webhook: the address that is told; told: ``pending``, ``told`` or ``failed``, None without one.
    webhook_secret: only in the answer to the request that made the job: the key of the signatures.
    """

    id: str
    status: JobStatus
    model: str
    total: int = Field(ge=0)
    done: int = Field(ge=0)
    counts: Counts
    created: datetime
    finished: datetime | None = None
    keep_until: datetime | None = None
    webhook: str | None = None
    told: Literal["pending", "told", "failed"] | None = None
    webhook_secret: str | None = None


class Jobs(Record):
    """The jobs of this key, the newest first."""

    jobs: tuple[Job, ...]


class Results(Record):
    """Reports of a job in the order of its images.

    next: what to give as ``after`` to go on; None where the end of what is finished is reached.
    """

    reports: tuple[Report, ...]
    next: int | None = None


class Served(Record):
    """A detector of this server.

    sha256: of its graph, as in every report. generated_from, real_below: its thresholds; fpr: the
    share of photographs at or above the first; miss: the share of generated images under the
    second, None where never measured. limits: what it cannot do, in words.
    """

    name: str
    version: str
    architecture: str
    sha256: str | None
    default: bool
    generated_from: float
    fpr: float
    real_below: float
    miss: float | None
    parameters: int
    licence: str
    summary: str
    limits: tuple[str, ...]


class Namer(Record):
    """What names the likely generator of images judged generated.

    sha256: as in every report's ``attribution.model``. generators: the names it may give beside
    ``unknown``. least_fit: fits under this are ``unknown``. limits: what it cannot do, in words.
    """

    name: str
    version: str
    sha256: str | None
    generators: tuple[str, ...]
    least_fit: float
    limits: tuple[str, ...]


class Models(Record):
    """The detectors that a request may name with ``model``.

    attributor: what names generators, None where the server names none.
    """

    models: tuple[Served, ...]
    attributor: Namer | None = None


class Health(Record):
    """What a server that lives (``/healthz``) and can take requests (``/readyz``) answers."""

    status: Literal["ok"]
    version: str
