"""`authentiscan app`: the web page."""

from __future__ import annotations

from typing import Annotated

import typer

from authentiscan.cli.options import (
    CORES,
    HOST,
    Attributor,
    Host,
    MaxPixels,
    TrustListOption,
    Workers,
    attributor_called,
    detectors_of,
    limits,
)
from authentiscan.cli.screen import note, warn
from authentiscan.serving.address import is_loopback


def app(
    *,
    model: Annotated[
        list[str] | None,
        detectors_of(
            "Offer this detector; may be given several times. Default: the packaged one and those "
            "of the runs below runs/."
        ),
    ] = None,
    host: Host = HOST,
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, help="Port; 0 for any. [default: the first free one from 8501]"
        ),
    ] = None,
    max_upload: Annotated[
        int, typer.Option(min=1, max=2048, metavar="MB", help="Largest file taken, in megabytes.")
    ] = 128,
    attributor: Attributor = "default",
    max_pixels: MaxPixels = None,
    workers: Workers = CORES,
    trust_list: TrustListOption = None,
    no_open: Annotated[
        bool, typer.Option("--no-open", help="Do not open the page in the browser.")
    ] = False,
) -> None:
    """Serve the web page: drop images, see the verdict, why, and what the file says of itself.

    It listens on this machine only, unless --host says otherwise; then everyone who can reach
    the address may use it, without a password. Images stay in memory while their page is open:
    nothing is kept, nothing is sent anywhere. Ctrl-C ends it. Needs the extra `app`.

    Examples:
        authentiscan app
        authentiscan app -m default -m runs/mine --port 9000
        authentiscan app --host 0.0.0.0 --no-open --max-upload 32

    """
    from authentiscan.inference.find import known
    from authentiscan.provenance import TrustList
    from authentiscan.serving.app import launch
    from authentiscan.serving.app.settings import MEGABYTE, Detectors, Settings

    launch.require()
    detectors = Detectors(model or known())
    for name in detectors.names if model else detectors.names[:1]:
        detectors.get(name)
    bounds = limits(max_pixels).model_copy(update={"bytes": max_upload * MEGABYTE})
    local = is_loopback(host)
    namer = attributor_called(attributor)
    chosen = Settings(detectors, bounds, workers, TrustList.chosen(trust_list), local, namer)
    port = launch.free_port(host, port)
    if not local:
        warn(f"everyone who can reach {host} may use the page; it asks for no password")
    shown = f"[{host}]" if ":" in host else host
    note(f"the page is at http://{shown}:{port} (Ctrl-C ends it)")
    launch.serve(chosen, host, port, open_browser=not no_open)
