"""`authentiscan scan`: many images to a table, JSON lines, CSV, HTML or Parquet."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from authentiscan.cli.inputs import Images
from authentiscan.cli.options import (
    Attributor,
    MaxBytes,
    MaxPixels,
    Model,
    TrustListOption,
    attributor_called,
    limits,
    workers_of,
)
from authentiscan.cli.scan_parts import Engine, PartsRun, is_parts_place
from authentiscan.cli.scan_run import ScanRun
from authentiscan.cli.screen import is_quiet


def scan(
    paths: Images,
    *,
    model: Model = None,
    json: Annotated[
        bool, typer.Option("--json", help="JSON lines on standard output, one report a line.")
    ] = False,
    csv: Annotated[bool, typer.Option("--csv", help="CSV on standard output.")] = False,
    output: Annotated[
        list[str] | None,
        typer.Option(
            "--output",
            "-o",
            "--html",
            "--parquet",
            metavar="FILE",
            help="Write to this file too, as its ending says: .jsonl, .csv, .html (a page with "
            "thumbnails), .parquet, or .png (timelines of videos); also s3://bucket/file. May be "
            "given several times. A folder with a slash at its end takes Parquet parts, and goes "
            "on with those that are there.",
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on with the .jsonl file given by -o: what it holds is not scanned again.",
        ),
    ] = False,
    workers: Annotated[
        int | None,
        workers_of("How many threads, or workers of a cluster, work at once. Default: all cores."),
    ] = None,
    engine: Annotated[
        Engine,
        typer.Option(
            "--engine",
            help="ray: on a Ray cluster (needs the extra `cluster`). -o then names one folder or "
            "address that all its machines reach, for Parquet parts.",
        ),
    ] = Engine.LOCAL,
    ray_address: Annotated[
        str | None,
        typer.Option(
            "--ray-address",
            metavar="ADDRESS",
            help="The cluster: auto, HOST:PORT or ray://HOST:PORT. Default: one on this machine.",
        ),
    ] = None,
    stability: Annotated[
        bool,
        typer.Option(
            "--stability/--no-stability",
            help="Score changed copies too (JPEG, resize, crop); a verdict that flips becomes "
            "inconclusive. About six times slower.",
        ),
    ] = False,
    provenance: Annotated[
        bool,
        typer.Option(
            "--provenance/--no-provenance", help="Read C2PA, EXIF, XMP and generator metadata."
        ),
    ] = True,
    frames: Annotated[
        int | None,
        typer.Option(
            "--frames",
            min=1,
            max=1000,
            metavar="N",
            help="Judge N frames of each video, spread over it; also of animated GIF, WebP, PNG "
            "and AVIF files. [default: 16 of a video, the first picture of an animation]",
        ),
    ] = None,
    trust_list: TrustListOption = None,
    attributor: Attributor = "default",
    truth: Annotated[
        bool,
        typer.Option(
            "--truth",
            help="In the table: show what the folders' names say (real/, fake/, photographs/, ...) "
            "beside each verdict, and count. Figures with intervals: authentiscan evaluate.",
        ),
    ] = False,
    max_pixels: MaxPixels = None,
    max_bytes: MaxBytes = None,
    recursive: Annotated[
        bool, typer.Option("--recursive/--no-recursive", help="Look into folders of folders.")
    ] = True,
) -> None:
    """Judge images: generated, real or inconclusive, with a score from 0 (real) to 1 (generated).

    A file that cannot be read gets a row with its error; the others go on. A video that is named
    gets one row too: its score is the median of its frames' (extra `video`).

    Exit codes: 0 fine, 1 some inputs failed, 2 it cannot work as given, 130 interrupted.

    Examples:
        authentiscan scan photos/
        authentiscan scan photos/ -o result.jsonl -o page.html --resume
        authentiscan scan clip.mp4 --frames 32 -o clip.html -o timeline.png
        find . -name '*.jpg' | authentiscan scan - --json > result.jsonl
        authentiscan scan s3://bucket/photos -o s3://bucket/verdicts/ --engine ray

    """
    from authentiscan.cli import far
    from authentiscan.core.errors import UsageError
    from authentiscan.provenance import TrustList
    from authentiscan.scan import Options

    outputs = list(output or [])
    to_stdout = "json" if json else "csv" if csv else "table"
    _check_outputs(outputs, json=json, csv=csv, truth=truth, resume=resume)
    trust = TrustList.chosen(trust_list)
    options = Options(
        stability,
        provenance,
        limits=limits(max_pixels, max_bytes),
        trust=trust,
        frames=frames,
        attributor=attributor_called(attributor),
    )
    if engine is Engine.RAY or any(map(is_parts_place, outputs)):
        if json or csv or len(outputs) != 1:
            raise UsageError(
                "Parquet parts are the only output of their scan: give one -o FOLDER/ or -o "
                "s3://bucket/folder, and neither --json nor --csv"
            )
        where = outputs[0], engine, ray_address
        code = PartsRun(paths, *where, model, attributor, workers, options, recursive).execute()
    else:
        if ray_address is not None:
            raise UsageError("--ray-address needs --engine ray")
        with far.as_files(outputs, paths) as files:
            run = ScanRun(
                paths, files, recursive=recursive, resume=resume, quiet=is_quiet(), truth=truth
            )
            run.open_outputs(to_stdout=to_stdout)
            code = run.execute(model, workers, replace(options, thumbnails=run.drawn))
    if code:
        raise typer.Exit(code)


def _check_outputs(outputs: list[str], *, json: bool, csv: bool, truth: bool, resume: bool) -> None:
    """Raise UsageError where outputs exclude each other, or cannot be gone on with."""
    from authentiscan.core import buckets
    from authentiscan.core.errors import UsageError
    from authentiscan.scan.sinks import JSON_SUFFIXES

    if json and csv:
        raise UsageError("--json and --csv both write to standard output; use -o FILE for one")
    if truth and (json or csv):
        raise UsageError("--truth is for the table on the screen; leave out --json and --csv")
    journals = [o for o in outputs if Path(o).suffix.lower() in JSON_SUFFIXES]
    if resume and journals and buckets.is_bucket(journals[0]):
        raise UsageError("--resume goes on from a .jsonl file on this machine")
