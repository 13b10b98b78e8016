"""`authentiscan attribution name`: the likely generator of images, whatever their verdict."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from authentiscan.cli import screen
from authentiscan.cli.inputs import Images, images
from authentiscan.cli.options import CORES, MaxBytes, MaxPixels, Workers, limits

if TYPE_CHECKING:
    from authentiscan.attribution import Attribution


def name(
    paths: Images,
    *,
    attributor: Annotated[
        str,
        typer.Option(
            "--attributor",
            metavar="ATTRIBUTOR",
            help="`default` (the packaged one), a bundle's folder, a run's folder or name.",
        ),
    ] = "default",
    as_json: Annotated[
        bool, typer.Option("--json", help="JSON lines on standard output, one an image.")
    ] = False,
    max_pixels: MaxPixels = None,
    max_bytes: MaxBytes = None,
    workers: Workers = CORES,
) -> None:
    """Name the likely generator of images that are known to be generated.

    `scan` asks about images that its detector judges generated, and about no others. This asks
    about all, and judges nothing: a photograph gets an answer too, which means nothing.

    Exit codes: 0 fine, 1 some inputs failed, 2 it cannot work as given.

    Examples:
        authentiscan attribution name generated.png
        authentiscan attribution name generated/ --attributor runs/mine --json > names.jsonl

    """
    from authentiscan.attribution import load_attributor
    from authentiscan.core.errors import AuthentiscanError
    from authentiscan.images.inputs import load_image

    allowed = limits(max_pixels, max_bytes)
    ready = load_attributor(attributor, threads=workers)
    failed = False
    for item in images(paths, allowed):
        try:
            found, error = ready.attribute(load_image(item.source, limits=allowed)[0]), None
        except AuthentiscanError as raised:
            failed, found, error = True, None, str(raised)
        if as_json:
            typer.echo(_line(item.name, found, error))
        elif found is None:
            screen.fail(f"{item.name}: {error}")
        else:
            typer.echo(screen.plain(f"{item.name}: {found.sentence()}; fit {found.fit:.2f}"))
    if failed:
        raise typer.Exit(1)


def _line(path: str, found: Attribution | None, error: str | None) -> str:
    attribution = None if found is None else found.model_dump(mode="json")
    return json.dumps({"path": path, "attribution": attribution, "error": error})
