"""`authentiscan scan`: many images to a table, JSON lines, CSV, HTML or Parquet."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from authentiscan.cli.guard import claim
from authentiscan.cli.options import CORES, MaxPixels, Model, TrustListOption, Workers, limits
from authentiscan.cli.screen import is_quiet, is_verbose

if TYPE_CHECKING:
    from rich.console import Console

    from authentiscan.analysis import Report
    from authentiscan.images.decode import Limits
    from authentiscan.scan import Scanned, Sink, Sinks

_INTERRUPTED = 130


def scan(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATHS",
            help="Images, folders, 'globs', lists of paths (.txt), zip or tar archives; "
            "- reads paths from standard input, one a line.",
        ),
    ],
    *,
    model: Model = None,
    json: Annotated[
        bool, typer.Option("--json", help="JSON lines on standard output, one report a line.")
    ] = False,
    csv: Annotated[bool, typer.Option("--csv", help="CSV on standard output.")] = False,
    output: Annotated[
        list[Path] | None,
        typer.Option(
            "--output",
            "-o",
            "--html",
            "--parquet",
            help="Write to this file too, as its ending says: .jsonl, .csv, .html (a page with "
            "thumbnails) or .parquet. May be given several times.",
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on with the .jsonl file given by -o: what it holds is not scanned again.",
        ),
    ] = False,
    workers: Workers = CORES,
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
    trust_list: TrustListOption = None,
    max_pixels: MaxPixels = None,
    recursive: Annotated[
        bool, typer.Option("--recursive/--no-recursive", help="Look into folders of folders.")
    ] = True,
) -> None:
    """Judge images: generated, real or inconclusive, with a score from 0 (real) to 1 (generated).

    A file that cannot be read gets a row with its error; the others go on.

    Exit codes: 0 fine, 1 some inputs failed, 2 it cannot work as given, 130 interrupted.

    Examples:
        authentiscan scan photos/
        authentiscan scan photos/ -o result.jsonl -o page.html --resume
        find . -name '*.jpg' | authentiscan scan - --json > result.jsonl

    """
    from authentiscan.core.errors import UsageError

    if json and csv:
        raise UsageError("--json and --csv both write to standard output; use -o FILE for one")
    files = list(output or [])
    run = _Run(paths, files, recursive=recursive, resume=resume, quiet=is_quiet())
    run.open_outputs(to_stdout="json" if json else "csv" if csv else "table")
    code = run.execute(
        model,
        workers,
        stability=stability,
        provenance=provenance,
        trust_list=trust_list,
        allowed=limits(max_pixels),
    )
    if code:
        raise typer.Exit(code)


class _Run:
    """One scan: its outputs, its progress and its counts."""

    def __init__(
        self, paths: list[str], files: list[Path], *, recursive: bool, resume: bool, quiet: bool
    ) -> None:
        from authentiscan.core.errors import UsageError
        from authentiscan.scan.sinks import HTML_SUFFIXES, JSON_SUFFIXES

        self.paths = paths
        self.files = files
        self.recursive = recursive
        self.quiet = quiet
        self.counts: Counter[str] = Counter()
        self.sinks: list[Sink] = []
        self.earlier: list[Report] = []
        self.thumbnails = any(file.suffix.lower() in HTML_SUFFIXES for file in files)
        self.journal = next((f for f in files if f.suffix.lower() in JSON_SUFFIXES), None)
        if resume and self.journal is None:
            raise UsageError("--resume needs a JSON lines file to go on with: -o result.jsonl")
        self.resume = resume
        self.table: _Table | None = None

    def open_outputs(self, to_stdout: str) -> None:
        """Open every output before anything is scanned, so that a wrong one is told at once."""
        from authentiscan.scan import resume as journal
        from authentiscan.scan.sinks import Csv, JsonLines, open_sink

        claim(*self.files, inputs=[path for path in self.paths if path != "-"])
        if self.resume and self.journal is not None:
            journal.repair(self.journal)
            self.earlier = list(journal.done(self.journal))
        self.sinks = [open_sink(f, append=self.resume and f == self.journal) for f in self.files]
        if to_stdout == "json":
            self.sinks.append(JsonLines(sys.stdout, close=False))
        elif to_stdout == "csv":
            self.sinks.append(Csv(sys.stdout, close=False))
        elif not self.files or sys.stdout.isatty():
            self.table = _Table()
            self.sinks.append(self.table)

    def execute(
        self,
        model: str | None,
        workers: int | None,
        *,
        stability: bool,
        provenance: bool,
        trust_list: Path | None,
        allowed: Limits,
    ) -> int:
        """Scan, write, count; the exit code."""
        from authentiscan.inference import load_detector
        from authentiscan.provenance import TrustList
        from authentiscan.scan import Options, Sinks, find
        from authentiscan.scan import resume as journal
        from authentiscan.scan import scan as scan_items

        trust = TrustList.chosen(trust_list)
        detector = load_detector(model, threads=1)
        self._check_same_model(detector.spec.sha256)
        self._tell_limits(detector.spec.limits)
        items = find(self.paths, recursive=self.recursive)
        items = journal.without(items, {report.path for report in self.earlier})
        options = Options(stability, provenance, self.thumbnails, allowed, trust=trust)
        started = time.perf_counter()
        code = 0
        with Sinks(self.sinks) as sinks:
            self._replay()
            results = scan_items(items, detector, workers=workers, options=options)
            try:
                self._take(results, sinks)
            except KeyboardInterrupt:
                code = _INTERRUPTED
            except BrokenPipeError:
                # The reader has gone, as in `… | head`; Python must not flush to it at exit.
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                return 1
            finally:
                with suppress(AttributeError):
                    results.close()  # type: ignore[attr-defined]
        self._close(time.perf_counter() - started, interrupted=code == _INTERRUPTED)
        return code or (1 if self.counts["failed"] else 0)

    def _tell_limits(self, limits: tuple[str, ...]) -> None:
        """A page says in its footer what the detector cannot do."""
        if self.thumbnails:
            from authentiscan.scan.page import Page

            for sink in self.sinks:
                if isinstance(sink, Page):
                    sink.limits = limits

    def _take(self, results: Iterable[Scanned], sinks: Sinks) -> None:
        for result in self._progress(results):
            kind = result.report.verdict.value if result.report.verdict else "failed"
            self.counts[kind] += 1
            sinks.write(result)

    def _progress(self, results: Iterable[Scanned]) -> Iterable[Scanned]:
        console = _console(stderr=True)
        if self.quiet or not console.is_terminal:
            yield from results
            return
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
        from rich.progress import TimeRemainingColumn as Remaining

        from authentiscan.scan import count

        total = count(self.paths, recursive=self.recursive)
        rest = None if total is None else max(0, total - len(self.earlier))
        columns = (TextColumn("scanning"), BarColumn(), MofNCompleteColumn(), Remaining())
        with Progress(*columns, console=console, transient=True) as progress:
            yield from progress.track(results, total=rest)

    def _replay(self) -> None:
        """Give the reports of the resumed file to the outputs that are written anew."""
        from authentiscan.scan import Scanned
        from authentiscan.scan.sinks import JsonLines

        for sink in self.sinks:
            if not isinstance(sink, JsonLines | _Table):
                for report in self.earlier:
                    sink.write(Scanned(report))

    def _check_same_model(self, sha256: str | None) -> None:
        from authentiscan.core.errors import UsageError

        before = {report.model.sha256 for report in self.earlier if report.model is not None}
        if before - {sha256}:
            raise UsageError(
                f"cannot resume {self.journal}: it was made with another detector; "
                "name that one with --model, or another output file"
            )

    def _close(self, seconds: float, *, interrupted: bool) -> None:
        from authentiscan.core.errors import UsageError

        total = sum(self.counts.values())
        if not total and not self.earlier and not interrupted:
            raise UsageError(f"found no images in {', '.join(self.paths)}")
        if self.quiet:
            return
        kinds = ("generated", "real", "inconclusive", "failed")
        parts = ", ".join(f"{self.counts[kind]} {kind}" for kind in kinds)
        before = f", {len(self.earlier)} done before" if self.earlier else ""
        word = "interrupted after " if interrupted else ""
        rate = f"{total / seconds:.1f} images/s" if seconds > 0 else ""
        line = f"{word}{total} image{'' if total == 1 else 's'}: {parts}{before}; {rate}"
        _console(stderr=self.table is None).print(line, highlight=False)


_COLOURS = {"generated": "red", "real": "green", "inconclusive": "yellow", "failed": "magenta"}


class _Table:
    """Rows for people, printed in blocks so that a large scan shows something before its end."""

    _BLOCK = 200

    def __init__(self) -> None:
        self._rows: list[Report] = []

    def write(self, result: Scanned) -> None:
        """Keep one row; a full block is printed."""
        self._rows.append(result.report)
        if len(self._rows) >= self._BLOCK:
            self.close()

    def close(self) -> None:
        """Print what is there."""
        from rich.table import Table
        from rich.text import Text

        if not self._rows:
            return
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("file", overflow="fold", ratio=3)
        table.add_column("verdict", no_wrap=True)
        for name in ("score", "spread"):
            table.add_column(name, justify="right", no_wrap=True)
        table.add_column("why" if is_verbose() else "warnings", overflow="fold", ratio=2)
        table.add_column("ms", justify="right", no_wrap=True)
        for report in self._rows:
            kind = report.verdict.value if report.verdict else "failed"
            told = ", ".join(warning.code for warning in report.warnings)
            if is_verbose():
                told = " ".join([report.reason, *(f"{w.message}." for w in report.warnings)])
            table.add_row(
                Text(_plain(report.path)),
                Text(kind, style=_COLOURS[kind]),
                "" if report.score is None else f"{report.score:.3f}",
                "" if report.score is None else f"{report.spread:.2f}",
                Text(_plain(report.error or told)),
                f"{report.timings['total_ms']:.0f}" if "total_ms" in report.timings else "",
            )
        self._rows = []
        _console(stderr=False).print(table)


def _plain(text: str) -> str:
    """Text without control characters, which could drive the terminal."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def _console(*, stderr: bool) -> Console:
    from rich.console import Console

    return Console(stderr=stderr)
