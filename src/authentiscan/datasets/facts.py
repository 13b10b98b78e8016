"""Reading images' facts, a chunk at a time: what the workers of `organize` do.

A chunk is a few thousand images of one input. Its facts go to one small Parquet file, beside which
a JSON file says, last of all, that it is whole: interrupted work is taken up at the first chunk
without one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from authentiscan.core.errors import AuthentiscanError
from authentiscan.core.types import CAMERA, ImageFacts
from authentiscan.images.decode import decode
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


@dataclass(slots=True)
class Entry:
    """One image as its source gives it: what is known, and its bytes or why there are none.

    path, row: where it lies, as the manifest will say. extras: values of the source's own columns.
    """

    path: str
    row: int | None
    name: str
    label: int
    generator: str
    dataset: str
    data: bytes | AuthentiscanError
    split: str | None = None
    group: str | None = None
    licence: str | None = None
    confidence: str | None = None
    extras: Mapping[str, Any] = field(default_factory=dict)


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

    def entries(self) -> Iterator[Entry | Failure]:
        """The images, one at a time."""
        ...


def write_part(chunk: Chunk, target: Path, key: str) -> int:
    """Read all facts of a chunk into ``target`` (Parquet) and its JSON file; gives the images seen.

    key: what the JSON file says the part was made from.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows: list[dict[str, Any]] = []
    failed: list[Failure] = []
    for entry in chunk.entries():
        try:
            if isinstance(entry, Failure):
                failed.append(entry)
            else:
                rows.append(_row(entry))
        except AuthentiscanError as error:
            failed.append(Failure(entry.path, entry.row, f"{type(error).__name__}: {error}"))
    types = {**_types(), **chunk.extra_types()}
    columns = {n: pa.array([r.get(n) for r in rows], type=t) for n, t in types.items()}
    partial = target.with_suffix(".partial")
    pq.write_table(pa.table(columns), partial, compression="zstd")
    partial.replace(target)
    report = {
        "key": key,
        "rows": len(rows),
        "failed": [[f.path, f.row, f.error] for f in failed],
    }
    partial.write_text(json.dumps(report), encoding="utf-8")
    partial.replace(target.with_suffix(".json"))
    return len(rows) + len(failed)


def part_report(target: Path) -> dict[str, Any] | None:
    """What `write_part` said of a finished part; None where there is none."""
    try:
        report = json.loads(target.with_suffix(".json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return report if isinstance(report, dict) and target.is_file() else None


def failures_of(report: Mapping[str, Any]) -> list[Failure]:
    """The images that a part left out."""
    return [Failure(str(path), row, str(error)) for path, row, error in report["failed"]]


def _row(entry: Entry) -> dict[str, Any]:
    if isinstance(entry.data, AuthentiscanError):
        raise entry.data
    facts: ImageFacts = decode(entry.data).facts
    group = entry.group or facts.sha256[:16]
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
        **{n: getattr(facts, n) for n in (*FACTS, *MORE_FACTS)},
        GROUP_HASH: name_hash(group),
        CONTENT_HASH: int(facts.sha256[:16], 16),
    }


def _types() -> dict[str, pa.DataType]:
    import pyarrow as pa

    named = {n: pa.type_for_alias(t) for n, t in {**COLUMNS, **NAMED}.items()}
    return {**named, GROUP_HASH: pa.uint64(), CONTENT_HASH: pa.uint64()}


def manifest_path(source: Path, manifest_folder: Path) -> str:
    """How a manifest in ``manifest_folder`` names ``source``.

    Relative where both lie below one folder other than the root, so that they can move together;
    absolute otherwise. Always with forward slashes.
    """
    source, folder = source.absolute(), manifest_folder.absolute()
    try:
        shared = Path(os.path.commonpath([source, folder]))
    except ValueError:  # different drives
        return source.as_posix()
    if shared == Path(shared.anchor):
        return source.as_posix()
    return Path(os.path.relpath(source, folder)).as_posix()
