"""Any mix of folders, zips, tables and lists -> one manifest with facts and leak-free splits.

Three passes, each in bounded memory: worker processes read the images' facts, a few thousand at a
time, into parts that outlive an interruption; the parts' hashes (some 30 bytes an image) decide the
splits; the parts are joined, in the inputs' order, into the manifest.
"""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from authentiscan.core.errors import DatasetError, MissingExtraError, UsageError
from authentiscan.core.files import expanded, refuse_inputs, whole_text
from authentiscan.core.parallel import in_processes
from authentiscan.core.progress import Progress
from authentiscan.core.types import JsonObject
from authentiscan.datasets.facts import (
    Chunk,
    Failure,
    GroupBy,
    concluded_of,
    failures_of,
    part_report,
    write_part,
)
from authentiscan.datasets.frames import TornFrames, torn_frames
from authentiscan.datasets.inputs import Input, chunks_of
from authentiscan.datasets.listing import PARTS_ENDING, Beside
from authentiscan.datasets.merge import join_parts, plan_splits
from authentiscan.manifest.hold_out import HoldOut
from authentiscan.manifest.split import DEFAULT_FRACTIONS, check_fractions
from authentiscan.manifest.table import Manifest

_PART_VERSION = 2
_PART = re.compile(r"\.?part-\d{6}\.(?:parquet|json)")


@dataclass(frozen=True, slots=True)
class Organized:
    """What `organize` made.

    failed: images and folders that could not be read. failures: a JSON-lines file with every one
    of them (path, row, error), None where there is none.
    joined: images whose group was merged with another because their bytes are equal.
    concluded: images by label (0 real, 1 generated) and the sign that it was read from.
    left_out: files that are no images, or not read, by reason.
    torn: numbered images that the split parts.
    """

    path: Path
    rows: int
    failed: int
    failures: Path | None
    joined: int
    concluded: Counter[tuple[int, str]]
    left_out: Counter[str]
    torn: TornFrames | None

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
    group_by: GroupBy | None = None,
    trust_headers: bool = False,
    processes: int = 2,
    progress: Progress | None = None,
) -> Organized:
    """Read all inputs into the manifest ``out`` (Parquet); images stay where they are.

    Splits are stratified by data set and generator, keep groups and equal images together and do
    not depend on the order of files or rows (see `split.assign`). Interrupted, it is resumed by
    calling it again: finished parts wait in ``<out>.parts``. group_by: what images must share to
    stay in one split, in place of what their source says (see `facts.group_of`). trust_headers:
    take the facts from the headers and decode no pixels, so that damaged ones stay unseen. What was
    concluded and left out stands in the manifest's metadata too.

    Raises DatasetError for inputs that cannot be read or hold no image, UsageError for options that
    cannot work and for inputs that contradict themselves.
    """
    _check_pyarrow()
    shares = check_fractions(fractions)
    target = Path(out)
    sources = _sources(inputs, target)
    parts_folder = _parts_folder(target)
    beside = Beside()
    chunks = (chunk for source in sources for chunk in chunks_of(source, target.parent, beside))
    parts = read_facts(
        chunks,
        parts_folder,
        group_by=group_by,
        trust_headers=trust_headers,
        processes=processes,
        progress=progress,
    )
    reports = [part_report(part) or {"failed": [], "concluded": []} for part in parts]
    failures = [*beside.unreadable, *(f for report in reports for f in failures_of(report))]
    concluded = sum((concluded_of(report) for report in reports), Counter())
    plan = plan_splits(parts, shares, seed, hold_out, own_split=own_split)
    if not len(plan.codes):
        why = f"; the first of {len(failures)}: {failures[0].error}" if failures else ""
        raise DatasetError(f"no image could be read in {[str(s.path) for s in sources]}{why}")
    notes: JsonObject = {
        "left_out": beside.left_out,
        "concluded": [[*k, n] for k, n in concluded.items()],
        **({"trust_headers": True} if trust_headers else {}),
    }
    join_parts(parts, plan, target, notes)
    listing = _write_failures(failures, target)
    shutil.rmtree(parts_folder)
    return Organized(
        target,
        rows=len(plan.codes),
        failed=len(failures),
        failures=listing,
        joined=plan.joined,
        concluded=concluded,
        left_out=beside.left_out,
        torn=torn_frames(Manifest.read(target)),
    )


def _sources(inputs: Iterable[Input | Path | str], target: Path) -> list[Input]:
    """The inputs of a manifest ``target``, which may be none of them."""
    if target.suffix.lower() != ".parquet":
        raise UsageError(f"--out must end in .parquet, got {target}")
    sources = [i if isinstance(i, Input) else Input.parse(str(i)) for i in inputs]
    if not sources:
        raise UsageError("no inputs; give at least one folder, zip, Parquet table or CSV list")
    refuse_inputs(target, [expanded(s.path) for s in sources])
    return sources


def failures_of_manifest(target: Path) -> Path:
    """Where the images that could not be read are listed, beside the manifest ``target``."""
    return target.parent / f"{target.stem}.failed.jsonl"


def _parts_folder(target: Path) -> Path:
    """The folder of what is read so far; it goes as a whole at the end, so it must be ours."""
    folder = target.with_name(target.name + PARTS_ENDING)
    folder.mkdir(parents=True, exist_ok=True)
    if not all(_PART.match(path.name) for path in folder.iterdir()):
        raise UsageError(f"{folder} holds other files than parts of a manifest; move it away")
    return folder


def read_facts(
    chunks: Iterable[Chunk],
    folder: Path,
    *,
    group_by: GroupBy | None = None,
    trust_headers: bool = False,
    processes: int,
    progress: Progress | None = None,
) -> list[Path]:
    """Write the facts of every chunk into ``folder``; parts that are there already are kept.

    Returns the parts in the order of the chunks. At most three chunks a process are under way, so
    memory does not grow with their number. Raises WorkerError where a worker dies.
    """
    parts: list[Path] = []
    seen = 0

    def report_progress(images: int) -> None:
        nonlocal seen
        seen += images
        if progress:
            progress(seen, None)

    def open_work() -> Iterator[_Work]:
        for number, chunk in enumerate(chunks):
            part = folder / f"part-{number:06d}.parquet"
            parts.append(part)
            headers = ":headers" if trust_headers else ""
            key = f"{_PART_VERSION}:{group_by}{headers}:{chunk.key}"
            report = part_report(part)
            if report is None or report.get("key") != key:
                yield chunk, part, key, group_by, trust_headers
            else:
                report_progress(report["rows"] + len(report["failed"]))

    work = open_work()
    first = list(islice(work, 2))
    # One chunk is quicker here than a process is started.
    done = (
        map(_write, first)
        if len(first) < 2
        else in_processes(chain(first, work), _write, processes, what="reading images")
    )
    for images in done:
        report_progress(images)
    return parts


_Work = tuple[Chunk, Path, str, GroupBy | None, bool]


def _write(work: _Work) -> int:
    return write_part(*work)


def _write_failures(failures: Sequence[Failure], target: Path) -> Path | None:
    listing = failures_of_manifest(target)
    listing.unlink(missing_ok=True)
    if not failures:
        return None
    with whole_text(listing) as stream:
        for failure in failures:
            line = {"path": failure.path, "row": failure.row, "error": failure.error}
            stream.write(json.dumps(line) + "\n")
    return listing


def _check_pyarrow() -> None:
    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("organizing data", "data") from error
