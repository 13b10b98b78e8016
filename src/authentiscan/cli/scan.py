"""`authentiscan scan`: many images to a table, JSON lines, CSV, HTML or Parquet."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from glob import glob
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from authentiscan.cli.guard import claim
from authentiscan.cli.inputs import Images
from authentiscan.cli.options import CORES, MaxPixels, Model, TrustListOption, Workers, limits
from authentiscan.cli.screen import console, is_quiet, is_verbose, note, progress
from authentiscan.core.text import one_line

if TYPE_CHECKING:
    from rich.table import Table

    from authentiscan.analysis import Report
    from authentiscan.inference import Detector
    from authentiscan.scan import Item, LeftOut, Options, Scanned, Sink, Sinks
    from authentiscan.scan.page import Pictures
    from authentiscan.scan.resume import Earlier

_INTERRUPTED = 130
_NOTE_SECONDS = 30.0


def scan(
    paths: Images,
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
    from authentiscan.provenance import TrustList
    from authentiscan.scan import Options

    if json and csv:
        raise UsageError("--json and --csv both write to standard output; use -o FILE for one")
    files = list(output or [])
    run = _Run(paths, files, recursive=recursive, resume=resume, quiet=is_quiet())
    run.open_outputs(to_stdout="json" if json else "csv" if csv else "table")
    trust = TrustList.chosen(trust_list)
    options = Options(stability, provenance, run.thumbnails, limits(max_pixels), trust=trust)
    code = run.execute(model, workers, options)
    if code:
        raise typer.Exit(code)


class _Run:
    """One scan: its outputs, its progress and its counts."""

    def __init__(
        self, paths: list[str], files: list[Path], *, recursive: bool, resume: bool, quiet: bool
    ) -> None:
        from authentiscan.core.errors import UsageError
        from authentiscan.scan import LeftOut
        from authentiscan.scan.sinks import HTML_SUFFIXES, JSON_SUFFIXES

        self.paths = paths
        self.files = files
        self.recursive = recursive
        self.quiet = quiet
        self.counts: Counter[str] = Counter()
        self.left_out: LeftOut = LeftOut()
        self.outputs: dict[Path, Sink] = {}
        self.shown: list[Sink] = []
        self.earlier: Earlier | None = None
        self.pictures: dict[Path, Pictures] = {}
        self.thumbnails = any(file.suffix.lower() in HTML_SUFFIXES for file in files)
        self.journal = next((f for f in files if f.suffix.lower() in JSON_SUFFIXES), None)
        if resume and self.journal is None:
            raise UsageError("--resume needs a JSON lines file to go on with: -o result.jsonl")
        self.resume = resume
        self.table = False

    def _named_files(self) -> list[str]:
        """Files that are inputs by name, which no output may replace."""
        return [file for path in self.paths for file in (path, *glob(path))]  # noqa: PTH207

    def open_outputs(self, to_stdout: str) -> None:
        """Open every output before anything is scanned, so that a wrong one is told at once."""
        from authentiscan.scan.resume import Earlier
        from authentiscan.scan.sinks import HTML_SUFFIXES, Csv, JsonLines, open_sink

        claim(*self.files, inputs=self._named_files())
        if self.resume and self.journal is not None:
            from authentiscan.scan.page import Pictures

            self.earlier = Earlier(self.journal)
            pages = [file for file in self.files if file.suffix.lower() in HTML_SUFFIXES]
            self.pictures = {page: Pictures(page) for page in pages}
            for found in self.pictures.values():  # a killed scan left no page to take them from
                self.earlier.make_again_without(found.has)
        for file in self.files:
            going_on = self.resume and file == self.journal
            self.outputs[file] = open_sink(file, append=going_on, left_out=self.left_out)
        if to_stdout == "json":
            self.shown.append(JsonLines(sys.stdout))
        elif to_stdout == "csv":
            self.shown.append(Csv(sys.stdout))
        elif not self.files or sys.stdout.isatty():
            self.table = True
            self.shown.append(_Table())

    def execute(self, model: str | None, workers: int | None, options: Options) -> int:
        """Scan, write, count; the exit code."""
        from authentiscan.inference import load_detector
        from authentiscan.scan import Sinks

        started = time.perf_counter()
        interrupted = False
        with Sinks([*self.outputs.values(), *self.shown]) as sinks:
            detector = load_detector(model, threads=1)
            if self.earlier is not None:
                self.earlier.refuse_other(
                    detector.spec.sha256,
                    stability=options.stability,
                    provenance=options.provenance,
                )
                self.earlier.keep()
                self._replay()
            self._tell_limits(detector.spec.limits)
            try:
                self._scan(detector, workers, options, sinks)
            except KeyboardInterrupt:
                if not self.counts and self.earlier is None:
                    raise
                interrupted = True
            self._restore()
            if not self.counts and not interrupted and not self._before():
                raise self._nothing_found()
        self._tell(time.perf_counter() - started, interrupted=interrupted)
        return _INTERRUPTED if interrupted else 1 if self.counts["failed"] else 0

    def _scan(
        self, detector: Detector, workers: int | None, options: Options, sinks: Sinks
    ) -> None:
        from authentiscan.scan import find
        from authentiscan.scan import scan as scan_items

        say = None if self.quiet else note
        items: Iterator[Item] = find(
            self.paths,
            recursive=self.recursive,
            limits=options.limits,
            left_out=self.left_out,
            say=say,
        )
        again: dict[str, list[Report]] = {}
        if self.earlier is not None:
            items, again = self.earlier.without(items), self.earlier.again
        results = scan_items(items, detector, workers=workers, options=options)
        with closing(results), self._progress() as advance:
            for result in results:
                self._count(result.report)
                sinks.write(result)
                again.pop(result.report.path, None)
                advance()

    @contextmanager
    def _progress(self) -> Iterator[Callable[[], None]]:
        """A bar where rows do not show how far the work is; a line now and then in a log."""
        if self.quiet or (self.table and sys.stdout.isatty()):
            yield lambda: None
            return
        from authentiscan.scan import count

        total = count(self.paths, recursive=self.recursive) if sys.stderr.isatty() else None
        rest = None if total is None else max(0, total - self._before())
        told = time.monotonic()
        with progress("scanning") as update:

            def advance() -> None:
                nonlocal told
                done = self.counts.total()
                update(done, rest)
                if not sys.stderr.isatty() and time.monotonic() - told > _NOTE_SECONDS:
                    told = time.monotonic()
                    note(f"{done:,} images so far")

            yield advance

    def _replay(self) -> None:
        """Give the reports that stay to the outputs that are written anew."""
        from authentiscan.scan import Scanned

        assert self.earlier is not None
        anew = {file: sink for file, sink in self.outputs.items() if file != self.journal}
        if not anew:
            return
        for report in self.earlier.reports():
            for file, sink in anew.items():
                pictures = self.pictures.get(file)
                sink.write(pictures.of(report) if pictures else Scanned(report))

    def _restore(self) -> None:
        """Put back failed rows whose items were not met again: nothing is lost."""
        from authentiscan.scan import Scanned

        again = {} if self.earlier is None else self.earlier.again
        for report in (report for rows in again.values() for report in rows):
            self._count(report)
            for sink in self.outputs.values():
                sink.write(Scanned(report))

    def _tell_limits(self, limits: tuple[str, ...]) -> None:
        """A page says in its footer what the detector cannot do."""
        if self.thumbnails:
            from authentiscan.scan.page import Page

            for sink in self.outputs.values():
                if isinstance(sink, Page):
                    sink.limits = limits

    def _count(self, report: Report) -> None:
        self.counts[report.verdict.value if report.verdict else "failed"] += 1

    def _before(self) -> int:
        return 0 if self.earlier is None else self.earlier.number

    def _nothing_found(self) -> Exception:
        from authentiscan.core.errors import UsageError
        from authentiscan.scan.items import summary

        left = summary(self.left_out)
        told = f"; {left}" if left else ""
        return UsageError(f"found no images in {', '.join(self.paths)}{told}")

    def _tell(self, seconds: float, *, interrupted: bool) -> None:
        """The closing lines."""
        from authentiscan.scan.items import summary

        if self.quiet:
            return
        total, before = self.counts.total(), self._before()
        if not total:
            line = f"nothing left to do: all {before:,} images were done before"
        else:
            kinds = ("generated", "real", "inconclusive", "failed")
            parts = ", ".join(f"{self.counts[kind]} {kind}" for kind in kinds)
            word = "interrupted after " if interrupted else ""
            earlier = f", {before} done before" if before else ""
            rate = f"{total / seconds:.1f} images/s" if seconds > 0 else ""
            line = f"{word}{total} image{'' if total == 1 else 's'}: {parts}{earlier}; {rate}"
        for text in filter(None, (line, summary(self.left_out))):
            console(stderr=not self.table).print(text, markup=False, soft_wrap=True)


_COLOURS = {"generated": "red", "real": "green", "inconclusive": "yellow", "failed": "magenta"}


class _Table:
    """Rows for people, each printed as it comes; widths are those of the screen, not of rows."""

    def __init__(self) -> None:
        self._console = console()
        self._begun = False

    def write(self, result: Scanned) -> None:
        """Print one row."""
        from rich.text import Text

        report = result.report
        kind = report.verdict.value if report.verdict else "failed"
        told = ", ".join(warning.code for warning in report.warnings)
        if is_verbose():
            told = " ".join([report.reason, *(f"{w.message}." for w in report.warnings)])
        table = self._empty()
        table.add_row(
            Text(one_line(report.path)),
            Text(kind, style=_COLOURS[kind]),
            "" if report.score is None else f"{report.score:.3f}",
            "" if report.score is None else f"{report.spread:.2f}",
            Text(one_line(report.error or told)),
            f"{report.timings['total_ms']:.0f}" if "total_ms" in report.timings else "",
        )
        self._console.print(table)

    def close(self) -> None:
        """Nothing is waiting."""

    def discard(self) -> None:
        """Nothing can be taken back."""

    def _empty(self) -> Table:
        from rich.table import Table

        table = Table(
            box=None, pad_edge=False, header_style="bold", expand=True, show_header=not self._begun
        )
        self._begun = True
        table.add_column("file", overflow="fold", ratio=3)
        table.add_column("verdict", no_wrap=True, width=12)
        for name in ("score", "spread"):
            table.add_column(name, justify="right", no_wrap=True, width=6)
        table.add_column("why" if is_verbose() else "warnings", overflow="fold", ratio=2)
        table.add_column("ms", justify="right", no_wrap=True, width=6)
        return table
