"""One run of `authentiscan scan`: its outputs, its progress, its counts and its closing lines."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from glob import glob
from pathlib import Path
from typing import TYPE_CHECKING

from authentiscan.cli.guard import claim
from authentiscan.cli.scan_table import VerdictTable
from authentiscan.cli.screen import console, note, progress, warn

if TYPE_CHECKING:
    from authentiscan.analysis import Report
    from authentiscan.inference import Detector
    from authentiscan.scan import Item, LeftOut, Options, Scanned, Sink, Sinks
    from authentiscan.scan.batch_page import Pictures
    from authentiscan.scan.resume import Earlier, Way
    from authentiscan.scan.timelines import Undrawn

_INTERRUPTED = 130
_NOTE_SECONDS = 30.0


class ScanRun:
    """One scan: its outputs, its progress and its counts."""

    def __init__(
        self,
        paths: list[str],
        files: list[Path],
        *,
        recursive: bool,
        resume: bool,
        quiet: bool,
        truth: bool,
    ) -> None:
        from authentiscan.core.errors import UsageError
        from authentiscan.scan import LeftOut
        from authentiscan.scan.sinks import HTML_SUFFIXES, JSON_SUFFIXES, PICTURE_SUFFIX

        self.paths = paths
        self.files = files
        self.recursive = recursive
        self.quiet = quiet
        self.counts: Counter[str] = Counter()
        self.left_out: LeftOut = LeftOut()
        self.outputs: dict[Path, Sink] = {}
        self.shown: list[Sink] = []
        self.earlier: Earlier | None = None
        self.pictures: dict[Path, Pictures | Undrawn] = {}
        self.pictured = 0  # earlier rows whose pictures were made again
        kinds = {file.suffix.lower() for file in files}
        self.thumbnails = not kinds.isdisjoint(HTML_SUFFIXES)
        self.drawn = self.thumbnails or PICTURE_SUFFIX in kinds
        self.journal = next((f for f in files if f.suffix.lower() in JSON_SUFFIXES), None)
        if resume and self.journal is None:
            raise UsageError("--resume needs a JSON lines file to go on with: -o result.jsonl")
        self.resume = resume
        self.truth = truth
        self.table: VerdictTable | None = None

    def _named_files(self) -> list[str]:
        """Files that are inputs by name, which no output may replace."""
        return [file for path in self.paths for file in (path, *glob(path))]  # noqa: PTH207

    def open_outputs(self, to_stdout: str) -> None:
        """Open every output before anything is scanned, so that a wrong one is told at once."""
        from authentiscan.scan.resume import Earlier
        from authentiscan.scan.sinks import Csv, JsonLines, open_sink

        claim(*self.files, inputs=self._named_files())
        if self.resume and self.journal is not None:
            self.earlier = Earlier(self.journal)
            self._find_pictures(self.earlier)
        again = self.earlier.again if self.earlier else ()
        for file in self.files:
            going_on = self.resume and file == self.journal
            self.outputs[file] = open_sink(
                file, append=going_on, again=again if going_on else (), left_out=self.left_out
            )
        if to_stdout == "json":
            self.shown.append(JsonLines(sys.stdout))
        elif to_stdout == "csv":
            self.shown.append(Csv(sys.stdout))
        elif not self.files or self.truth or sys.stdout.isatty():
            self.table = VerdictTable(truth=self.truth)
            self.shown.append(self.table)

    def _find_pictures(self, earlier: Earlier) -> None:
        """Pictures of earlier rows; those that are lost, as after a kill, are made again."""
        from authentiscan.scan.batch_page import Pictures
        from authentiscan.scan.sinks import HTML_SUFFIXES, PICTURE_SUFFIX
        from authentiscan.scan.timelines import Undrawn

        for file in self.files:
            if file.suffix.lower() in HTML_SUFFIXES:
                self.pictures[file] = Pictures(file)
            elif file.suffix.lower() == PICTURE_SUFFIX:
                self.pictures[file] = Undrawn()
        for found in self.pictures.values():
            earlier.picture_without(found.has)

    def execute(self, model: str | None, workers: int | None, options: Options) -> int:
        """Scan, write, count; the exit code."""
        from authentiscan.inference import load_detector
        from authentiscan.scan import Sinks

        started = time.perf_counter()
        interrupted = False
        with Sinks([*self.outputs.values(), *self.shown]) as sinks:
            detector = load_detector(model, threads=1)
            if self.earlier is not None:
                self.earlier.refuse_other(_way(detector, options))
                self.earlier.keep()
                self._replay()
            self._show_limits(detector.spec.limits)
            try:
                self._scan(detector, workers, options, sinks)
            except KeyboardInterrupt:
                if not self.counts and self.earlier is None:
                    raise
                interrupted = True
            self._restore()
            if not self.counts and not interrupted and not self._before():
                raise self._nothing_found()
        self._close(time.perf_counter() - started, interrupted=interrupted)
        if self.table is not None and self.counts:
            self.table.explain(detector.spec.limits)
        return _INTERRUPTED if interrupted else 1 if self.counts["failed"] else 0

    def _scan(
        self, detector: Detector, workers: int | None, options: Options, sinks: Sinks
    ) -> None:
        from authentiscan.scan import find
        from authentiscan.scan import scan as scan_items

        notify = None if self.quiet else note
        items: Iterator[Item] = find(
            self.paths,
            recursive=self.recursive,
            limits=options.limits,
            left_out=self.left_out,
            notify=notify,
        )
        if self.earlier is not None:
            items = self.earlier.without(items)
        results = scan_items(items, detector, workers=workers, options=options)
        with closing(results), self._progress() as advance:
            for result in results:
                row = self.earlier.meet(result.report.path) if self.earlier else None
                if row is None:
                    self._count(result.report)
                    sinks.write(result)
                else:
                    self._picture(row, result)
                advance()

    @contextmanager
    def _progress(self) -> Iterator[Callable[[], None]]:
        """A bar where rows do not show how far the work is; a line now and then in a log."""
        if self.quiet or (self.table and sys.stdout.isatty()):
            yield lambda: None
            return
        from authentiscan.scan import count

        total = count(self.paths, recursive=self.recursive) if sys.stderr.isatty() else None
        done = self._before() - (self.earlier.unpictured if self.earlier else 0)
        rest = None if total is None else max(0, total - done)
        noted = time.monotonic()
        with progress("scanning") as update:

            def advance() -> None:
                nonlocal noted
                made = self.counts.total() + self.pictured
                update(made, rest)
                if not sys.stderr.isatty() and time.monotonic() - noted > _NOTE_SECONDS:
                    noted = time.monotonic()
                    note(f"{made:,} images so far")

            yield advance

    def _replay(self) -> None:
        """Give the reports that stay to the outputs that are written anew."""
        assert self.earlier is not None
        anew = [file for file in self.outputs if file != self.journal]
        for report in self.earlier.reports() if anew else ():
            for file in anew:
                if file not in self.pictures or self.earlier.has_picture(report):
                    self._give_back(file, report)

    def _give_back(self, file: Path, report: Report) -> None:
        """Write an earlier report, with the pictures that ``file`` had of it."""
        from authentiscan.scan import Scanned

        pictures = self.pictures.get(file)
        self.outputs[file].write(pictures.of(report) if pictures else Scanned(report))

    def _picture(self, row: Report, result: Scanned) -> None:
        """Show an earlier row with the pictures that were made again; none of another image."""
        self.pictured += 1
        same = row.image and result.report.image and row.image.sha256 == result.report.image.sha256
        for file in self.pictures:
            if same:
                self.outputs[file].write(replace(result, report=row))
            else:
                self._give_back(file, row)

    def _restore(self) -> None:
        """Rows that were to be made again and whose items were not met: nothing is lost.

        They stand in the journal still.
        """
        if self.earlier is None:
            return
        for report in self.earlier.unmet():
            self._count(report)
            for file in self.outputs:
                if file != self.journal:
                    self._give_back(file, report)
        for report in self.earlier.unmet_pictures():
            for file in self.pictures:
                self._give_back(file, report)

    def _show_limits(self, limits: tuple[str, ...]) -> None:
        """A page says in its footer what the detector cannot do."""
        if self.thumbnails:
            from authentiscan.scan.batch_page import BatchPage

            for sink in self.outputs.values():
                if isinstance(sink, BatchPage):
                    sink.limits = limits

    def _count(self, report: Report) -> None:
        self.counts[report.verdict.value if report.verdict else "failed"] += 1

    def _before(self) -> int:
        return 0 if self.earlier is None else self.earlier.number

    def _nothing_found(self) -> Exception:
        from authentiscan.core.errors import UsageError
        from authentiscan.scan.items import summary

        left = summary(self.left_out)
        skipped = f"; {left}" if left else ""
        return UsageError(f"found no images in {', '.join(self.paths)}{skipped}")

    def _close(self, seconds: float, *, interrupted: bool) -> None:
        """The closing lines."""
        from authentiscan.scan.items import not_read, summary

        if unread := not_read(self.left_out):
            warn(unread)
        if self.quiet:
            return
        total, before = self.counts.total(), self._before()
        if not total:
            word = (
                f"interrupted; {before:,}" if interrupted else f"nothing left to do: all {before:,}"
            )
            line = f"{word} images were done before"
        else:
            kinds = ("generated", "real", "inconclusive", "failed")
            parts = ", ".join(f"{self.counts[kind]} {kind}" for kind in kinds)
            word = "interrupted after " if interrupted else ""
            earlier = f", {before} done before" if before else ""
            rate = f"{total / seconds:.1f} images/s" if seconds > 0 else ""
            line = f"{word}{total} image{'' if total == 1 else 's'}: {parts}{earlier}; {rate}"
        if self.pictured:
            line += f"; pictures of {self.pictured:,} of them made again"
        for text in filter(None, (line, summary(self.left_out))):
            console(stderr=not self.table).print(text, markup=False, soft_wrap=True)


def _way(detector: Detector, options: Options) -> Way:
    """What decides the verdicts of this scan."""
    from authentiscan.provenance import TrustList
    from authentiscan.scan.clips import FRAMES
    from authentiscan.scan.resume import Way

    spec, trust = detector.spec, options.trust or TrustList.chosen()
    decision = spec.decision.generated.score, spec.decision.real.score
    namer = options.attributor
    return Way(
        spec.sha256,
        decision,
        options.stability,
        options.provenance,
        trust.sha256,
        options.frames or FRAMES,
        (namer.spec.identity if namer else "") or "",
        options.frames is not None,
    )
