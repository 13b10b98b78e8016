"""Any mix of folders, zips, tables and lists -> one manifest with facts and leak-free splits.

Three passes, each in bounded memory: worker processes read the images' facts, a few thousand at a
time, into parts that outlive an interruption; the parts' hashes (some 30 bytes an image) decide the
splits; the parts are joined, in the inputs' order, into the manifest.
"""

from __future__ import annotations

import json
import shutil
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from itertools import chain, islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from authentiscan.core.errors import DatasetError, MissingExtraError, UsageError
from authentiscan.datasets import catalog
from authentiscan.datasets.facts import (
    Chunk,
    Failure,
    failures_of,
    manifest_path,
    part_report,
    write_part,
)
from authentiscan.datasets.folders import folder_chunks, recognize, walk
from authentiscan.datasets.merge import join_parts, plan_splits
from authentiscan.datasets.tables import is_table, table_chunks
from authentiscan.manifest.split import DEFAULT_FRACTIONS, HoldOut, check_fractions
from authentiscan.manifest.table import Manifest

Progress = Callable[[int, int | None], None]
"""Called with the images seen so far and the total, None while that is not known."""

_PART_VERSION = 1


@dataclass(frozen=True, slots=True)
class Input:
    """A folder, zip, Parquet table, CSV list or manifest to organize.

    layout: a catalog name; None: found out from the folder names. dataset: in place of the data
    set's or the folder's name. generator: for generated images whose generator nothing tells.
    labels: label values of a table -> 0 real, 1 generated, where they do not say it themselves.
    """

    path: Path
    layout: str | None = None
    dataset: str | None = None
    generator: str | None = None
    labels: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str, **options: Any) -> Input:
        """Read ``PATH`` or ``NAME=PATH``, NAME being a catalog name."""
        name, equals, path = text.partition("=")
        if equals and name in catalog.CATALOG:
            return cls(Path(path), **{**options, "layout": name})
        return cls(Path(text), **options)


@dataclass(frozen=True, slots=True)
class Organized:
    """What `organize` made.

    failures: a JSON-lines file with every image left out (path, row, error), None where there is
    none.
    joined: images whose group was merged with another because their bytes are equal.
    """

    path: Path
    rows: int
    failed: int
    failures: Path | None
    joined: int

    def manifest(self) -> Manifest:
        """The manifest, read back."""
        return Manifest.read(self.path)


def organize(
    inputs: Iterable[Input | Path | str],
    out: Path | str,
    *,
    fractions: Sequence[float] = DEFAULT_FRACTIONS,
    seed: int = 0,
    hold_out: Sequence[HoldOut] = (),
    own_split: bool = False,
    processes: int = 2,
    progress: Progress | None = None,
) -> Organized:
    """Read all inputs into the manifest ``out`` (Parquet); images stay where they are.

    Splits are stratified by data set and generator, keep groups and equal images together and do
    not depend on the order of files or rows (see `split.assign`). Interrupted, it is resumed by
    calling it again: finished parts wait in ``<out>.parts``.

    Raises DatasetError for inputs that cannot be read or hold no image, UsageError for options that
    cannot work.
    """
    _check_pyarrow()
    shares = check_fractions(fractions)
    target = Path(out)
    if target.suffix.lower() != ".parquet":
        raise UsageError(f"--out must end in .parquet, got {target}")
    sources = [i if isinstance(i, Input) else Input.parse(str(i)) for i in inputs]
    if not sources:
        raise UsageError("no inputs; give at least one folder, zip, Parquet table or CSV list")
    parts_folder = target.with_name(target.name + ".parts")
    parts_folder.mkdir(parents=True, exist_ok=True)
    chunks = (chunk for source in sources for chunk in chunks_of(source, target.parent))
    parts = read_facts(chunks, parts_folder, processes=processes, progress=progress)
    failures = [f for part in parts for f in failures_of(part_report(part) or {"failed": []})]
    plan = plan_splits(parts, shares, seed, hold_out, own_split=own_split)
    if not len(plan.codes):
        why = f"; the first of {len(failures)}: {failures[0].error}" if failures else ""
        raise DatasetError(f"no image could be read in {[str(s.path) for s in sources]}{why}")
    join_parts(parts, plan, target)
    listing = _write_failures(failures, target)
    shutil.rmtree(parts_folder)
    return Organized(target, len(plan.codes), len(failures), listing, plan.joined)


def chunks_of(source: Input, manifest_folder: Path) -> Iterator[Chunk]:
    """The chunks of one input. Raises DatasetError where it is absent or nothing recognizes it."""
    path = source.path.expanduser()
    if not path.exists():
        raise DatasetError(f"there is no {path}; give a folder, zip, Parquet table or CSV list")
    path = path.resolve()
    entry = catalog.find(source.layout) if source.layout else None
    named = source.dataset or (entry.name if entry and not entry.layout else None)
    options: dict[str, Any] = {"generator": source.generator}
    if entry and not entry.layout:
        options["licence"] = entry.licence
        if len(entry.generators) == 1:
            options["generator"] = source.generator or entry.generators[0]
    if path.is_file() and is_table(path):
        yield from table_chunks(
            path, manifest_folder, named or path.stem, labels=source.labels, **options
        )
        return
    if path.is_dir() and next(walk(path), None) is None:
        yield from _chunks_of_files_within(source, path, manifest_folder)
        return
    entry = entry or recognize(path)
    if not entry.layout:
        options["licence"] = entry.licence
    name = named or (path.stem if entry.layout else entry.name)
    yield from folder_chunks(path, entry, manifest_path(path, manifest_folder), name, **options)


def _chunks_of_files_within(source: Input, folder: Path, manifest_folder: Path) -> Iterator[Chunk]:
    """A folder without image files: its tables (a Hugging Face data set), else its zips."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and not _hidden(p, folder))
    held = [p for p in files if p.suffix.lower() == ".parquet"] or [
        p for p in files if p.suffix.lower() == ".zip"
    ]
    if not held:
        raise DatasetError(f"{folder} holds no image files, Parquet tables or zip archives")
    name = source.dataset or (None if source.layout else folder.name)
    for path in held:
        inner = Input(path, source.layout, name, source.generator, source.labels)
        yield from chunks_of(inner, manifest_folder)


def read_facts(
    chunks: Iterable[Chunk], folder: Path, *, processes: int, progress: Progress | None = None
) -> list[Path]:
    """Write the facts of every chunk into ``folder``; parts that are there already are kept.

    Gives the parts in the order of the chunks. At most three chunks a process are under way, so
    memory does not grow with their number. Raises DatasetError where a worker dies.
    """
    parts: list[Path] = []
    seen = 0

    def tell(images: int) -> None:
        nonlocal seen
        seen += images
        if progress:
            progress(seen, None)

    def open_work() -> Iterator[_Work]:
        for number, chunk in enumerate(chunks):
            part = folder / f"part-{number:06d}.parquet"
            parts.append(part)
            key = f"{_PART_VERSION}:{chunk.key}"
            report = part_report(part)
            if report is None or report.get("key") != key:
                yield chunk, part, key
            else:
                tell(report["rows"] + len(report["failed"]))

    work = open_work()
    first = list(islice(work, 2))
    # One chunk is quicker here than a process is started.
    done = map(_write, first) if len(first) < 2 else _written(chain(first, work), processes)
    for images in done:
        tell(images)
    return parts


_Work = tuple[Chunk, Path, str]


def _write(work: _Work) -> int:
    return write_part(*work)


def _written(work: Iterator[_Work], processes: int) -> Iterator[int]:
    """Images seen in each piece of work, in order; 1 process means this one."""
    if processes < 2:
        yield from map(_write, work)
        return
    # Not forked: pyarrow's threads may hold locks that a forked child would wait for forever.
    pool = ProcessPoolExecutor(processes, get_context("spawn"), _leave_interrupts_to_the_parent)
    under_way: deque[Future[int]] = deque()
    try:
        for piece in work:
            under_way.append(pool.submit(_write, piece))
            if len(under_way) >= 3 * processes:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    except BrokenProcessPool as error:
        raise DatasetError(
            "a worker process died (out of memory, or a script without the usual "
            "`if __name__ == '__main__':`); run it again to go on, or with processes=1"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _leave_interrupts_to_the_parent() -> None:
    """A worker finishes its chunk, so that an interruption loses nothing."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _write_failures(failures: Sequence[Failure], target: Path) -> Path | None:
    listing = target.with_suffix(".failed.jsonl")
    listing.unlink(missing_ok=True)
    if not failures:
        return None
    with listing.open("w", encoding="utf-8") as stream:
        for failure in failures:
            line = {"path": failure.path, "row": failure.row, "error": failure.error}
            stream.write(json.dumps(line) + "\n")
    return listing


def _hidden(path: Path, root: Path) -> bool:
    return any(p.startswith(".") for p in path.relative_to(root).parts)


def _check_pyarrow() -> None:
    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("organizing data", "data") from error
