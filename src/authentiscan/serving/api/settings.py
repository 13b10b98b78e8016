"""What a server is started with."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from authentiscan.core.places import user_data
from authentiscan.core.records import Record
from authentiscan.images.decode import DEFAULT_LIMITS
from authentiscan.serving.address import is_loopback

MIB = 2**20
STATE = "AUTHENTISCAN_STATE"
"""Environment variable that names the folder of keys and jobs."""

Positive = Annotated[int, Field(gt=0)]


def default_state() -> Path:
    """The folder of keys and jobs: the one that the environment names, else the user's own."""
    named = os.environ.get(STATE)
    return Path(named) if named else user_data() / "server"


class Settings(Record):
    """What a server listens to, whom it serves and how much it takes.

    models: detectors as `find_bundle` understands them; the first answers where none is named.
    attributor: names likely generators; as `find_bundle` understands it, or ``none``.
    state: folder of keys and jobs. keys: whether requests need a key; ``auto``: unless ``host`` is
    this machine alone. workers: images judged at once, one core each. batch: most crops in one call
    of the network.

    queue: requests taken in at once, beyond which the answer is 429. seconds: from a request's head
    to its answer. max_body, max_job_body: bytes of a request. max_images, max_job_images: of one
    request. max_pixels: of one image, and of all images decoded at once. max_stored: bytes of
    images that wait in jobs. max_jobs: kept at once. keep_hours: how long results of a finished
    job are kept. stop_seconds: for requests under way when the server is asked to stop.

    webhook_hosts: hosts that may be told of finished jobs; none are told else. label_studio:
    address of a Label Studio whose images are fetched. bookmark: whether the pages of other sites
    may post to ``/v1/scan``; only where ``host`` is this machine alone.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    models: tuple[str, ...] = Field(default=("default",), min_length=1)
    attributor: str = "default"
    state: Path = Field(default_factory=default_state)
    keys: Literal["auto", "on", "off"] = "auto"
    workers: Positive = 2
    batch: Positive = 32
    queue: Positive = 64
    seconds: float = Field(default=60.0, gt=0)
    max_body: Positive = 64 * MIB
    max_job_body: Positive = 2048 * MIB
    max_images: Positive = 64
    max_job_images: Positive = 10_000
    max_pixels: Positive = DEFAULT_LIMITS.pixels
    max_stored: Positive = 8192 * MIB
    max_jobs: Positive = 1000
    keep_hours: float = Field(default=24.0, gt=0)
    stop_seconds: int = Field(default=30, gt=0)
    webhook_hosts: tuple[str, ...] = ()
    label_studio: str | None = None
    bookmark: bool = False

    @property
    def local(self) -> bool:
        """Whether only this machine can reach the server."""
        return is_loopback(self.host)

    @property
    def needs_key(self) -> bool:
        """Whether requests need a key."""
        return self.keys == "on" or (self.keys == "auto" and not self.local)
