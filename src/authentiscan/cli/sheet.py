"""`authentiscan sheet`: all that is known of one image, as a page to hand on."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Annotated

import typer

from authentiscan.cli import screen
from authentiscan.cli.guard import may_replace
from authentiscan.cli.inputs import Images, images
from authentiscan.cli.options import (
    CORES,
    Attributor,
    MaxBytes,
    MaxPixels,
    Model,
    TrustListOption,
    Workers,
    attributor_called,
    limits,
)
from authentiscan.cli.places import Places, stem

_ENDINGS = {".html", ".htm", ".pdf"}


def sheet(
    paths: Images,
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="File to write: .html, or .pdf by an installed Chromium; a folder for many "
            "images. [default: NAME_sheet.html here]",
        ),
    ] = None,
    pdf: Annotated[
        bool, typer.Option("--pdf", help="A PDF too, beside the page, by an installed Chromium.")
    ] = False,
    model: Model = None,
    attributor: Attributor = "default",
    trust_list: TrustListOption = None,
    max_pixels: MaxPixels = None,
    max_bytes: MaxBytes = None,
    workers: Workers = CORES,
) -> None:
    """Make an evidence sheet: two A4 sides on one image, to attach to a mail or keep with a case.

    It holds the picture, the verdict with its error rates, the heatmap, stability, what the file
    says of itself, checksums, versions and how to repeat it. It is one file that loads nothing.
    It shows the picture and its metadata: mind that before you hand it on.

    Examples:
        authentiscan sheet photo.jpg
        authentiscan sheet photo.jpg -o case-12.html --pdf
        authentiscan sheet evidence.zip -o sheets/

    """
    from authentiscan.analysis import open_image
    from authentiscan.core.errors import DecodeError
    from authentiscan.inference import load_detector
    from authentiscan.provenance import TrustList
    from authentiscan.scan.sheet import make_sheet

    trust = TrustList.chosen(trust_list)
    allowed = limits(max_pixels, max_bytes)
    items = images(paths, allowed)
    first = list(islice(items, 2))  # enough to know whether there are several
    several = len(first) > 1
    here = Path("sheets") if several else Path(f"{stem(first[0])}_sheet.html")
    places = Places(output or here, "_sheet.html", several)
    _check(places, pdf=pdf)
    places.claim(paths)
    detector = load_detector(model, threads=workers)
    namer = attributor_called(attributor, threads=workers)
    failed = 0
    for item in chain(first, items):
        try:
            opened = open_image(item.source, name=item.name, limits=allowed)
            report, html = make_sheet(
                opened, detector, trust=trust, attributor=namer, model=model, namer=attributor
            )
        except DecodeError as error:
            failed += 1
            screen.fail(f"{item.name}: {error}")
            continue
        inputs: list[str | Path] = [*paths, *filter(None, [item.path])]
        written = _written(html, places.of(item), inputs, pdf=pdf)
        names = " and ".join(str(place) for place in written)
        typer.echo(screen.plain(f"{item.name}: {report.verdict}, sheet in {names}"))
    if failed:
        raise typer.Exit(1)


def _check(places: Places, *, pdf: bool) -> None:
    """Refuse what cannot be written before anything is judged."""
    from authentiscan.core.errors import UsageError
    from authentiscan.report.pdf import browser

    suffix = places.output.suffix.lower()
    if not places.is_folder and suffix not in _ENDINGS:
        raise UsageError(f"cannot write a sheet to {places.output.name!r}; end it in .html or .pdf")
    if pdf or suffix == ".pdf":
        browser()


def _written(html: str, place: Path, inputs: Sequence[str | Path], *, pdf: bool) -> list[Path]:
    """Write page, PDF or both; the files."""
    from authentiscan.core.files import refuse_inputs, write_text
    from authentiscan.report.pdf import write_pdf

    paper = place.with_suffix(".pdf")
    wanted = [place] if paper == place or not pdf else [place, paper]
    for target in wanted:
        refuse_inputs(target, inputs)
        may_replace(target)
        if target == paper:
            write_pdf(html, target)
        else:
            write_text(target, html)
    return wanted
