"""Reading images' facts, a chunk at a time: what the workers of `organize` do.

A chunk is a few thousand images of one input. Its facts go to one small Parquet file, beside which
a JSON file says, last of all, that it is whole: interrupted work is taken up at the first chunk
without one.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from authentiscan.core.errors import AuthentiscanError
from authentiscan.core.files import whole_path, write_text
from authentiscan.core.text import escaped_bytes
from authentiscan.core.types import CAMERA, ImageFacts, JsonObject, Row
from authentiscan.images.decode import decode, read_header_facts
from authentiscan.manifest.split import name_hash
from authentiscan.manifest.table import COLUMNS

if TYPE_CHECKING:
    import pyarrow as pa

# Written to the parts and left out of the manifest: hashes that the split is made from.
GROUP_HASH, CONTENT_HASH = "__group", "__content"
# Facts that no table says of its own images: they are read from the bytes.
FACTS = ("width", "height", "format", "bytes", "sha256", "jpeg_quality")
MORE_FACTS = {"jpeg_subsampling": "string", "mode": "string"}
NAMED = {"name": "string", **MORE_FACTS}

_NAMING = ("name", "generator", "dataset", "because", "group")  # after folders and files

GroupBy: TypeAlias = Literal["folder", "name"]


@dataclass(slots=True)
class Entry:
    """One image as its source gives it: what is known, and its bytes or why there are none.

    path, row: where it lies, as the manifest will say. data: None where it was not to be read.
    because: which sign the label was read from, in words. extras: values of the source's own
    columns. Bytes of names that are no UTF-8 are escaped, in ``path`` by who makes it.
    """

    path: str
    row: int | None
    name: str
    label: int
    generator: str
    dataset: str
    data: bytes | AuthentiscanError | None
    because: str = ""
    split: str | None = None
    group: str | None = None
    licence: str | None = None
    confidence: str | None = None
    extras: Row = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in _NAMING:
            text = getattr(self, name)
            if text is not None:
                setattr(self, name, escaped_bytes(text))


@dataclass(frozen=True, slots=True)
class Failure:
    """An image that was left out, and why."""

    path: str
    row: int | None
    error: str


class Chunk(Protocol):
    """A bounded number of images of one input; small, and sent to a worker process."""

    @property
    def key(self) -> str:
        """Changes whenever the chunk would read anything else."""
        ...

    def extra_types(self) -> dict[str, pa.DataType]:
        """The source's own columns that are kept, and their types."""
        ...

    def entries(self, *, read: bool = True) -> Iterator[Entry | Failure]:
        """The images, one at a time; without their bytes where ``read`` is False."""
        ...


class DigestedChunk:
    """A chunk, a dataclass, whose `key` is a hash of all that it shows of itself."""

    __slots__ = ()

    @property
    def key(self) -> str:
        """Hash of paths, sizes, modification times and how they are read."""
        return blake2b(repr(self).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def write_part(
    chunk: Chunk,
    target: Path,
    key: str,
    group_by: GroupBy | None = None,
    trust_headers: bool = False,
) -> int:
    """Read all facts of a chunk into ``target`` (Parquet), beside a JSON file of it.

    key: what the JSON file says the part was made from. group_by: see `group_of`. trust_headers:
    decode no pixels. Returns the number of images seen.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows: list[JsonObject] = []
    failed: list[Failure] = []
    concluded: Counter[tuple[int, str]] = Counter()
    for entry in chunk.entries():
        try:
            if isinstance(entry, Failure):
                failed.append(entry)
            else:
                rows.append(_row(entry, group_by, trust_headers=trust_headers))
                concluded[entry.label, entry.because] += 1
        except AuthentiscanError as error:
            failed.append(Failure(entry.path, entry.row, str(error)))
    types = {**_types(), **chunk.extra_types()}
    columns = {n: pa.array([r.get(n) for r in rows], type=t) for n, t in types.items()}
    with whole_path(target, durable=False) as partial:
        pq.write_table(pa.table(columns), partial, compression="zstd")
    report = {
        "key": key,
        "rows": len(rows),
        "failed": [[f.path, f.row, f.error] for f in failed],
        "concluded": [[label, because, n] for (label, because), n in concluded.items()],
    }
    write_text(target.with_suffix(".json"), json.dumps(report), durable=False)
    return len(rows) + len(failed)


def part_report(target: Path) -> JsonObject | None:
    """What `write_part` said of a finished part; None where there is none."""
    try:
        report = json.loads(target.with_suffix(".json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return report if isinstance(report, dict) and target.is_file() else None


def group_of(entry: Entry, group_by: GroupBy) -> str | None:
    """The group of an image by where it lies; None where its source tells no file name.

    ``folder``: the images of one folder, as of frames of one video. ``name``: of one folder and one
    name but for the number at its end, as of ``clip3_0001.jpg``.
    """
    folder, slash, name = entry.name.rpartition("/")
    stem = re.sub(r"\d+$", "", PurePosixPath(name).stem)
    if group_by == "folder":
        place = folder if slash else None
    else:
        place = f"{folder}{slash}{stem}" if stem else None
    if place is None:
        return None
    root = entry.path if entry.row is not None else entry.path.removesuffix(entry.name)
    return f"{root.rstrip('/')}:{place}"


def failures_of(report: JsonObject) -> list[Failure]:
    """The images that a part left out."""
    return [Failure(str(path), row, str(error)) for path, row, error in report["failed"]]


def concluded_of(report: JsonObject) -> Counter[tuple[int, str]]:
    """Images of a part by label (0 real, 1 generated) and the sign that it was read from."""
    return Counter({(int(label), str(sign)): int(n) for label, sign, n in report["concluded"]})


def columns(entry: Entry, group: str) -> JsonObject:
    """The columns of a manifest that need no look into the image."""
    return {
        **entry.extras,
        "path": entry.path,
        "row": entry.row,
        "name": entry.name,
        "label": entry.label,
        "generator": CAMERA if entry.label == 0 else entry.generator,
        "dataset": entry.dataset,
        "split": entry.split,
        "group": group,
        "licence": entry.licence,
        "confidence": entry.confidence,
    }


def _row(entry: Entry, group_by: GroupBy | None, *, trust_headers: bool) -> JsonObject:
    if isinstance(entry.data, AuthentiscanError):
        raise entry.data
    assert entry.data is not None
    facts: ImageFacts = read_header_facts(entry.data) if trust_headers else decode(entry.data).facts
    shared = group_of(entry, group_by) if group_by else None
    group = shared or entry.group or facts.sha256[:16]
    return {
        **columns(entry, group),
        **{n: getattr(facts, n) for n in (*FACTS, *MORE_FACTS)},
        GROUP_HASH: name_hash(group),
        CONTENT_HASH: int(facts.sha256[:16], 16),
    }


def _types() -> dict[str, pa.DataType]:
    import pyarrow as pa

    named = {n: pa.type_for_alias(t) for n, t in {**COLUMNS, **NAMED}.items()}
    return {**named, GROUP_HASH: pa.uint64(), CONTENT_HASH: pa.uint64()}
