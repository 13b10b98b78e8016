"""Going on with a scan that was interrupted: what its JSON lines file already holds.

A row belongs to an item by its name and, where names are equal (members of a zip, escaped bytes),
by its place among the rows of that name: results stand in the order of the items. Where one row of
a name failed, all rows of that name are made anew, so that this stays true.

The file never has fewer rows than before: a new row takes the place of an old one in one step
(`authentiscan.scan.sinks.Journal`), and where only a row's picture is lost, the row stays.
"""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Container, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from authentiscan.analysis import Report
from authentiscan.analysis.report import ModelInfo
from authentiscan.core.errors import UsageError
from authentiscan.core.files import cannot_write
from authentiscan.core.records import mistakes
from authentiscan.core.types import Verdict
from authentiscan.images.video import ANIMATED
from authentiscan.scan.items import Item

_BEGINNING = b'{"schema_version":'  # of every line that a scan writes


class Way(NamedTuple):
    """What decides the verdicts of a scan beside the images.

    model: the detector's sha256. decision: its thresholds for *generated* and *real*. trust: the
    trust list's sha256; empty where reports do not name it. frames: judged of a clip. attributor:
    the sha256 of what names generators, empty for nobody. animated: whether animations were judged
    frame by frame. None: the report does not tell.
    """

    model: str | None
    decision: tuple[float | None, float | None]
    stability: bool | None
    provenance: bool | None
    trust: str
    frames: int | None = None
    attributor: str | None = None
    animated: bool | None = None

    @classmethod
    def of(cls, report: Report, model: ModelInfo) -> Way:
        """The way a report was made."""
        return cls(
            model.sha256,
            (report.threshold, report.real_below),
            report.stability is not None if report.clip is None else None,
            report.provenance is not None if report.clip is None else None,
            report.provenance.trust_list if report.provenance else "",
            None if report.clip is None else report.clip.asked,
            _namer(report),
            _animated(report),
        )

    def against(self, other: Way) -> str:
        """How this way, the earlier one, is not ``other``, and what to do; empty where it is."""
        stable = "with" if self.stability else "without"
        option = "--provenance" if self.provenance else "--no-provenance"
        differences = (
            (self.model != other.model, "by another detector: name that one with --model"),
            (
                self.decision != other.decision,
                "by this detector before its thresholds were changed: scan all anew",
            ),
            (self.stability not in (None, other.stability), f"{stable} --stability: do the same"),
            (self.provenance not in (None, other.provenance), f"with {option}: do the same"),
            (
                bool(self.trust and self.provenance) and self.trust != other.trust,
                "with another trust list: give the same --trust-list",
            ),
            (self.frames not in (None, other.frames), f"with --frames {self.frames}: do the same"),
            (
                None not in (self.attributor, other.attributor)
                and self.attributor != other.attributor,
                "by another attributor: name that one with --attributor"
                if self.attributor
                else "without an attributor: give --attributor none",
            ),
            (
                self.animated not in (None, other.animated),
                f"with{'' if self.animated else 'out'} --frames, which counts for animations: "
                "do the same",
            ),
        )
        return next((difference for differs, difference in differences if differs), "")


def _animated(report: Report) -> bool | None:
    """Whether an animation was judged by its frames; None of other images, and of videos."""
    image = report.image
    if image is None or image.format not in ANIMATED:
        return None
    return report.clip is not None if report.clip or image.frames > 1 else None


def _namer(report: Report) -> str | None:
    """The attributor's sha256, empty where none was asked; only *generated* rows can tell."""
    if report.verdict is not Verdict.GENERATED:
        return None
    return report.attribution.model.sha256 if report.attribution else ""


class Earlier:
    """What the file of an earlier scan holds; nothing where there is no file.

    Raises UsageError where the file is of another kind, where a line is no report of this version,
    or where it was made in another way. done: rows that stay, by name. again: rows of the names of
    which one failed, to be made anew.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.done: Counter[str] = Counter()
        self.again: Counter[str] = Counter()
        self._waiting: dict[str, deque[int]] = defaultdict(deque)  # where those rows begin
        self._unpictured: dict[str, deque[int]] = defaultdict(deque)
        self._whole = 0  # bytes up to the end of the last whole line
        self._ways: set[Way] = set()
        failed: set[str] = set()
        for _, report in self._reports():
            self.done[report.path] += 1
            if report.error is not None:
                failed.add(report.path)
            elif report.model is not None:
                self._ways.add(Way.of(report, report.model))
        for name in failed:
            self.again[name] = self.done.pop(name)
        self._note(self._waiting, self.again)

    def picture_without(self, shown: Callable[[Report], bool]) -> None:
        """Have pictures made again of rows that ``shown`` is false of; the rows stay."""
        lost = {report.path for report in self.reports() if not shown(report)}
        self._note(self._unpictured, lost - self._unpictured.keys())

    def _note(self, places: dict[str, deque[int]], names: Container[str]) -> None:
        for start, report in self._reports() if names else ():
            if report.path in names:
                places[report.path].append(start)

    @property
    def number(self) -> int:
        """Rows that need not be made again."""
        return self.done.total()

    @property
    def unpictured(self) -> int:
        """Rows among them whose pictures are made again."""
        return sum(map(len, self._unpictured.values()))

    def refuse_other(self, way: Way) -> None:
        """Raise UsageError where rows were made by another detector or with other options."""
        for difference in filter(None, (earlier.against(way) for earlier in self._ways)):
            raise UsageError(
                f"cannot go on with {self.path}: it was made {difference}, or name another output "
                "file (without --resume it is written anew)"
            )

    def keep(self) -> None:
        """Cut off a last line that is not whole. Raises OutputError where that is not possible."""
        try:
            if self.path.exists() and self.path.stat().st_size > self._whole:
                os.truncate(self.path, self._whole)
        except OSError as error:
            raise cannot_write(self.path, error) from error

    def reports(self) -> Iterator[Report]:
        """The reports that stay, in order."""
        return (report for _, report in self._reports() if report.path in self.done)

    def has_picture(self, report: Report) -> bool:
        """Whether the pictures of a report that stays need not be made again."""
        return report.path not in self._unpictured

    def without(self, items: Iterable[Item]) -> Iterator[Item]:
        """The items that have no row yet, only one that failed, or one whose picture is lost."""
        left = Counter({name: n for name, n in self.done.items() if name not in self._unpictured})
        for item in items:
            if left[item.name] > 0:
                left[item.name] -= 1
            else:
                yield item

    def meet(self, name: str) -> Report | None:
        """Tell of a result; the row that stays and of which it is only the picture, else None."""
        if self._waiting.get(name):
            self._waiting[name].popleft()
        starts = self._unpictured.get(name)
        return self._at(starts.popleft()) if starts else None

    def unmet(self) -> Iterator[Report]:
        """Rows that were to be made again and of which no result was met: they stay."""
        return (self._at(start) for starts in self._waiting.values() for start in starts)

    def unmet_pictures(self) -> Iterator[Report]:
        """Rows whose pictures stay lost."""
        return (self._at(start) for starts in self._unpictured.values() for start in starts)

    def _at(self, start: int) -> Report:
        with self.path.open("rb") as lines:
            lines.seek(start)
            return Report.model_validate_json(lines.readline())

    def _reports(self) -> Iterator[tuple[int, Report]]:
        """Every report with the place where its line begins."""
        if not self.path.exists():
            return
        start = 0
        with self.path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if not line.endswith(b"\n"):  # a killed process leaves it so
                    if not _BEGINNING.startswith(line[: len(_BEGINNING)]):
                        raise self._refused(number, "it is cut off, and not by us")
                    break
                if line.strip():
                    yield start, self._report(number, line)
                start += len(line)
        self._whole = start

    def _report(self, number: int, line: bytes) -> Report:
        try:
            found = json.loads(line.decode())
            if not isinstance(found, dict) or "schema_version" not in found:
                raise self._refused(number, "it has no schema_version")
            return Report.model_validate(found)
        except ValidationError as error:
            raise self._refused(number, mistakes(error)) from error
        except UnicodeDecodeError as error:
            raise self._refused(number, "it is no UTF-8 text") from error
        except (ValueError, RecursionError) as error:
            raise self._refused(number, str(error)) from error

    def _refused(self, number: int, why: str) -> UsageError:
        return UsageError(
            f"cannot go on with {self.path}: line {number} is no report of a scan ({why}); "
            "name another output file"
        )
