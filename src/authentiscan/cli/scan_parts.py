"""`authentiscan scan` into Parquet parts, on this machine or on a Ray cluster."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from glob import glob
from pathlib import Path
from typing import TYPE_CHECKING

from authentiscan.cli.guard import claim
from authentiscan.cli.options import CORES
from authentiscan.cli.screen import console, is_quiet, note, progress, warn

if TYPE_CHECKING:
    from authentiscan.scan import LeftOut, Options
    from authentiscan.scan.parts import Done, PartsFolder


class Engine(StrEnum):
    """Where images are judged."""

    LOCAL = "local"
    RAY = "ray"


def is_parts_place(output: str) -> bool:
    """Whether an output is a place for parts: a folder's name that ends in a slash, or an address
    that is not called like a file.
    """
    from authentiscan.core.buckets import is_bucket

    return output.endswith("/") or (is_bucket(output) and not Path(output).suffix)


@dataclass(frozen=True, slots=True)
class PartsRun:
    """One scan into parts. place: a folder or an address. workers: None for all there are.

    model, attributor: as they were named; ``options.attributor`` is the attributor itself.
    """

    paths: list[str]
    place: str
    engine: Engine
    address: str | None
    model: str | None
    attributor: str
    workers: int | None
    options: Options
    recursive: bool

    def execute(self) -> int:
        """Scan, write, count; the exit code."""
        from authentiscan.cli import far
        from authentiscan.scan.parts import PartsFolder
        from authentiscan.scan.rows import parquet_schema

        parquet_schema()  # tells before the work where pyarrow is missing
        folder = PartsFolder(self.place.rstrip("/"))
        if folder.remote:
            with far.claimed(folder.place, self.paths, folder=True):
                return self._made_into(folder)
        named = [file for path in self.paths for file in (path, *glob(path))]  # noqa: PTH207
        claim(folders=[folder.place], inputs=named)
        folder.check()
        return self._made_into(folder)

    def _made_into(self, folder: PartsFolder) -> int:
        from authentiscan.scan import LeftOut

        started, left_out, counts = time.perf_counter(), LeftOut(), Counter[str]()
        number = kept = 0
        with closing(self._made(folder, left_out)) as made, progress("scanning") as update:
            for done in made:
                counts.update(done.counts)
                kept += done.images if done.kept else 0
                number = max(number, done.number + 1)
                update(counts.total(), None)
        if not counts:
            raise self._nothing_found(left_out)
        folder.close(number, counts, left_out)
        self._summarise(counts, number, kept, left_out, time.perf_counter() - started)
        return 1 if counts["failed"] else 0

    def _made(self, folder: PartsFolder, left_out: LeftOut) -> Generator[Done, None, None]:
        from authentiscan.inference import load_detector
        from authentiscan.inference.find import find_bundle
        from authentiscan.scan import find, parts

        detector = load_detector(self.model, threads=1)
        items = find(
            self.paths,
            recursive=self.recursive,
            limits=self.options.limits,
            left_out=left_out,
            notify=None if is_quiet() else note,
        )
        found = parts.parts_of(items, parts.made_by(detector, self.options))
        if self.engine is Engine.LOCAL:
            judge = parts.Judge(detector, self.options, folder, self.workers or CORES)
            yield from parts.on_this_machine(found, judge)
            return
        from authentiscan.attribution.attributor import find_attributor
        from authentiscan.scan.cluster import on_ray

        named = self.options.attributor is not None
        yield from on_ray(
            found,
            find_bundle(self.model),
            self.options,
            folder,
            attributor=find_attributor(self.attributor) if named else None,
            address=self.address,
            workers=self.workers,
        )

    def _nothing_found(self, left_out: LeftOut) -> Exception:
        from authentiscan.core.errors import UsageError
        from authentiscan.scan.items import summary

        text = summary(left_out)
        return UsageError(f"found no images in {', '.join(self.paths)}{'; ' * bool(text)}{text}")

    def _summarise(
        self, counts: Counter[str], parts: int, kept: int, left_out: LeftOut, seconds: float
    ) -> None:
        from authentiscan.scan.items import not_read, summary

        if unread := not_read(left_out):
            warn(unread)
        if is_quiet():
            return
        kinds = ("generated", "real", "inconclusive", "failed")
        text = ", ".join(f"{counts[kind]:,} {kind}" for kind in kinds)
        before = f"; {kept:,} were there before" if kept else ""
        rate = (counts.total() - kept) / max(seconds, 1e-9)
        where = "1 part" if parts == 1 else f"{parts:,} parts"
        line = f"{counts.total():,} images in {where}: {text}{before}; {rate:.1f} images/s"
        for text in filter(None, (line, summary(left_out))):
            console(stderr=True).print(text, markup=False, soft_wrap=True)
