"""Results in Parquet parts, for scans too large for one file or one machine.

The images are taken in parts of some hundred, in their order; the rows of a part are one file,
``part-000000.parquet``, in a folder or below an address of an object store. A part's file says in
its metadata what it was made from. So a scan that was ended by anything goes on at the first part
that is not there, and a part that two machines made is the same part. ``_scan.json``, written last,
says that all is there. Readers of Parquet data sets take the folder as one table.
"""

from __future__ import annotations

import io
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import IO, TYPE_CHECKING

from authentiscan.core import buckets
from authentiscan.core.errors import (
    CorruptImageError,
    EmptyFileError,
    ImageLimitError,
    UnreadableFileError,
    UnsupportedFormatError,
    UsageError,
)
from authentiscan.core.files import write_bytes
from authentiscan.core.parallel import Room, in_threads
from authentiscan.core.types import JsonObject
from authentiscan.scan.engine import Options, judge_together
from authentiscan.scan.items import Item
from authentiscan.scan.rows import parquet_row, parquet_table

if TYPE_CHECKING:
    from authentiscan.analysis import Report
    from authentiscan.inference import Detector

PART_IMAGES = 500
PART_BYTES = 256 * 2**20
"""A part ends at so many images, or files of so many bytes: a minute's work or two."""

SUMMARY = "_scan.json"
_METADATA = b"authentiscan.part"
_VERSION = 1
_NAME = re.compile(r"part-\d{6,}\.parquet")
_LASTING = frozenset(
    kind.__name__
    for kind in (CorruptImageError, EmptyFileError, ImageLimitError, UnsupportedFormatError)
)
"""Failures that stay as long as the file's bytes do."""
_CROPS, _CROPS_CUDA = 8, 32  # that share a batch; more is slower on processors
_LAST_PART = 10**6  # no folder is looked through further


@dataclass(frozen=True, slots=True)
class Part:
    """Some images in a row, and a hash of what their rows will be made from."""

    number: int
    items: tuple[Item, ...]
    key: str

    @property
    def name(self) -> str:
        """Of its file."""
        return _name(self.number)


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a part: images by verdict (``failed`` without one); kept: it was there."""

    number: int
    counts: dict[str, int]
    kept: bool = False

    @property
    def images(self) -> int:
        """How many rows it has."""
        return sum(self.counts.values())


def made_by(detector: Detector, options: Options) -> str:
    """What besides the images decides the rows: other detectors and options make other parts."""
    trust = "" if options.trust is None else repr(options.trust)
    limits = options.limits.model_dump_json()
    named = None if options.attributor is None else options.attributor.spec.identity
    asked = (options.stability, options.provenance, options.frames, limits, trust)
    return repr((_VERSION, detector.spec.sha256, named, *asked))


def parts_of(items: Iterable[Item], maker: str) -> Iterator[Part]:
    """The items in parts, lazily and in order. maker: what `made_by` says."""
    held: list[Item] = []
    digest, size, number = _digest(maker), 0, 0
    for item in items:
        stamp, weight = _stamp(item)
        digest.update(stamp.encode("utf-8", "backslashreplace") + b"\n")
        held.append(item)
        size += weight
        if len(held) >= PART_IMAGES or size >= PART_BYTES:
            yield Part(number, tuple(held), digest.hexdigest())
            held, digest, size, number = [], _digest(maker), 0, number + 1
    if held:
        yield Part(number, tuple(held), digest.hexdigest())


def _digest(maker: str) -> blake2b:
    return blake2b(maker.encode(), digest_size=16)


def _stamp(item: Item) -> tuple[str, int]:
    """What says that an item is still the same, and its bytes."""
    if item.content is not None:
        return f"{item.name}\t{blake2b(item.content, digest_size=16).hexdigest()}", len(
            item.content
        )
    if item.path is not None:
        try:
            found = item.path.stat()
        except (OSError, ValueError):
            return f"{item.name}\tabsent", 0
        size = found.st_size if item.row is None else 0
        return f"{item.name}\t{found.st_size}\t{found.st_mtime_ns}", size
    return f"{item.name}\t{item.error}", 0


class PartsFolder:
    """Where parts go: a folder, or an address in an object store; may be sent to other machines."""

    def __init__(self, place: str) -> None:
        self.place = place

    @property
    def remote(self) -> bool:
        """Whether it lies in an object store."""
        return buckets.is_bucket(self.place)

    def check(self) -> None:
        """Raise UsageError where a folder holds other files than parts of a scan."""
        folder = Path(self.place)
        if self.remote or not folder.is_dir():
            return
        for path in folder.iterdir():
            ours = _NAME.fullmatch(path.name) or path.name == SUMMARY or path.name.startswith(".")
            if not ours:
                raise UsageError(
                    f"{folder} holds other files than parts of a scan ({path.name}); "
                    "name a new or an empty folder"
                )

    def finished(self, part: Part) -> Done | None:
        """What became of a part that is there, made from the same; None where it is not."""
        found = self._state(part.name)
        if found is None or found.get("key") != part.key or found.get("passing"):
            return None
        return Done(part.number, found["counts"], kept=True)

    def write(self, part: Part, reports: Sequence[Report]) -> Done:
        """Write the rows of a part. Raises OutputError.

        A part with failures that may pass, such as a file that may not be read, never counts as
        finished: the next run makes it anew.
        """
        import pyarrow.parquet as pq

        counts = Counter(report.verdict or "failed" for report in reports)
        passing = any(r.error is not None and r.error_kind not in _LASTING for r in reports)
        table = parquet_table([parquet_row(report) for report in reports])
        state = json.dumps({"key": part.key, "counts": counts, "passing": passing})
        buffer = io.BytesIO()
        pq.write_table(
            table.replace_schema_metadata({_METADATA: state}), buffer, compression="zstd"
        )
        self._write(part.name, buffer.getvalue())
        return Done(part.number, dict(counts))

    def close(self, done: int, counts: Mapping[str, int], left_out: Mapping[str, int]) -> None:
        """Say that all parts are there; later ones, of an earlier and longer scan, are removed."""
        for number in range(done, _LAST_PART):
            if self._state(_name(number)) is None:
                break
            if self.remote:
                buckets.remove(buckets.join(self.place, _name(number)))
            else:
                Path(self.place, _name(number)).unlink()
        state = {"parts": done, "images": sum(counts.values()), "counts": dict(counts)}
        state["left_out"] = dict(left_out)
        self._write(SUMMARY, json.dumps(state, indent=1).encode())

    def _write(self, name: str, content: bytes) -> None:
        if self.remote:
            buckets.write(buckets.join(self.place, name), content)
        else:
            write_bytes(Path(self.place, name), content)

    def _state(self, name: str) -> JsonObject | None:
        """What a part's file says of itself; None where there is none that is whole."""
        import pyarrow.parquet as pq

        try:
            file: IO[bytes] | Path = Path(self.place, name)
            if self.remote:
                file = buckets.opened(buckets.join(self.place, name))
            state = (pq.read_metadata(file).metadata or {}).get(_METADATA)
            found = json.loads(state) if state else None
        except (OSError, ValueError, UnreadableFileError):
            return None
        return found if isinstance(found, dict) else None


@dataclass(frozen=True, slots=True)
class Judge:
    """Makes parts: what one machine does, and each worker of a cluster.

    detector: loaded with ``threads=1``. threads: images are judged on so many.
    """

    detector: Detector
    options: Options
    folder: PartsFolder
    threads: int = 1

    def __call__(self, part: Part) -> Done:
        """The part of that name, whole; what is there already is kept."""
        found = self.folder.finished(part)
        if found is not None:
            return found
        work = partial(judge_together, detector=self.detector, options=self.options)
        groups = self._groups(part.items)
        if self.threads > 1:
            room: Room[tuple[Item, ...]] = Room(2 * self.threads, 1)
            made = in_threads(groups, work, self.threads, room, what="scanning")
        else:
            made = (work(group) for group in groups)
        return self.folder.write(part, [result.report for group in made for result in group])

    def _groups(self, items: tuple[Item, ...]) -> Iterator[tuple[Item, ...]]:
        """Images whose crops share a batch: one where it takes several crops of an image."""
        networks = [weighted.network for weighted in self.detector.networks]
        cuda = any("CUDA" in getattr(n.backend, "provider", "") for n in networks)
        crops = max(network.preprocess.max_crops for network in networks)
        size = max(1, (_CROPS_CUDA if cuda else _CROPS) // crops)
        for start in range(0, len(items), size):
            yield items[start : start + size]


def on_this_machine(parts: Iterable[Part], judge: Judge) -> Iterator[Done]:
    """One part after the other, on the threads of ``judge``."""
    return map(judge, parts)


def _name(number: int) -> str:
    return f"part-{number:06d}.parquet"


def as_record(done: Done) -> JsonObject:
    """A `Done` in words that any process can read."""
    return asdict(done)
