"""`authentiscan serve`: the REST API."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from authentiscan.cli import screen
from authentiscan.cli.options import CORES, HOST, Attributor, Host, MaxPixels, Workers, detectors_of

if TYPE_CHECKING:
    from authentiscan.serving.api.settings import Settings

_MIB = 2**20


class KeysWanted(StrEnum):
    """Whether requests need a key."""

    AUTO = "auto"
    ON = "on"
    OFF = "off"


State = Annotated[
    Path | None,
    typer.Option(
        "--state",
        metavar="FOLDER",
        help="Folder of keys and jobs. Default: what AUTHENTISCAN_STATE names, else the user's "
        "own folder for data.",
    ),
]


def serve(
    *,
    model: Annotated[
        list[str] | None,
        detectors_of(
            "Once a detector: `default`, a bundle's folder, a run's folder or name. Requests "
            "choose by name; the first answers where none is named."
        ),
    ] = None,
    host: Host = HOST,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any free one.")] = 8000,
    state: State = None,
    keys: Annotated[
        KeysWanted,
        typer.Option(
            help="Whether requests need a key of `authentiscan keys add`; auto: unless only this "
            "machine can reach the server."
        ),
    ] = KeysWanted.AUTO,
    attributor: Attributor = "default",
    workers: Workers = CORES,
    queue: Annotated[
        int, typer.Option(min=1, help="Requests taken in at once; more are answered 429.")
    ] = 64,
    seconds: Annotated[
        float, typer.Option(min=0.1, help="Time a request has, from its head to its answer.")
    ] = 60.0,
    max_body: Annotated[
        int, typer.Option(min=1, metavar="MIB", help="Largest request, in MiB.")
    ] = 64,
    max_job_body: Annotated[
        int, typer.Option(min=1, metavar="MIB", help="Largest request that makes a job, in MiB.")
    ] = 2048,
    max_pixels: MaxPixels = None,
    keep_hours: Annotated[
        float, typer.Option(min=0.01, help="How long results of finished jobs are kept.")
    ] = 24.0,
    webhook_host: Annotated[
        list[str] | None,
        typer.Option(help="A host that may be told of finished jobs; may be given several times."),
    ] = None,
    label_studio: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="The Label Studio whose images may be fetched."),
    ] = None,
    bookmark: Annotated[
        bool,
        typer.Option("--bookmark", help="Let any page post an image here: see /bookmark."),
    ] = False,
) -> None:
    """Serve the REST API: judge images, explain them, run batches as jobs.

    Ctrl-C or SIGTERM finishes what is under way, then ends with exit code 0; a second one ends at
    once. Jobs go on at the next start. The log is JSON lines on standard error, without names or
    content of images; -v logs probes too. GET /openapi.json describes everything.

    Examples:
        authentiscan serve
        authentiscan serve --bookmark --attributor none
        authentiscan serve --host 0.0.0.0 --state /var/lib/authentiscan -m default -m runs/mine

    """
    from authentiscan.core.errors import MissingExtraError, UsageError

    try:
        from authentiscan.serving.api import logs
        from authentiscan.serving.api.server import serve as run
        from authentiscan.serving.api.settings import Settings, default_state
    except ModuleNotFoundError as error:
        raise MissingExtraError("serve", "api") from error
    settings = Settings(
        host=host,
        port=port,
        models=tuple(model or ["default"]),
        attributor=attributor,
        state=state or default_state(),
        keys=keys.value,
        workers=workers,
        queue=queue,
        seconds=seconds,
        max_body=max_body * _MIB,
        max_job_body=max_job_body * _MIB,
        max_pixels=max_pixels or Settings().max_pixels,
        keep_hours=keep_hours,
        webhook_hosts=tuple(webhook_host or ()),
        label_studio=label_studio,
        bookmark=bookmark,
    )
    if label_studio and not re.match(r"https?://[^/\s]", label_studio):
        raise UsageError(f"--label-studio is {label_studio!r}; it begins with http:// or https://")
    for name in webhook_host or ():
        if not re.fullmatch(r"[\w.-]+|[0-9a-f]*:[0-9a-f]*:[0-9a-f.:]*", name):
            raise UsageError(f"--webhook-host is {name!r}; a host without port or path is wanted")
    if bookmark and (not settings.local or settings.needs_key):
        raise UsageError("--bookmark is for a server on this machine alone, without keys")
    logs.begin(verbose=screen.is_verbose(), quiet=screen.is_quiet())
    run(settings, lambda address: _note_address(settings, address))


def _note_address(settings: Settings, address: str) -> None:
    screen.note(f"authentiscan answers at {address}; {address}/openapi.json describes it")
    if settings.needs_key:
        screen.note("requests need a key: authentiscan keys add NAME")
    elif not settings.local:
        screen.warn("whoever reaches this address may use it: --keys is off")
    if settings.bookmark:
        screen.note(f"the bookmark is at {address}/bookmark")
