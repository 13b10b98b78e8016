"""One pass over the images of a manifest in worker processes, in bounded memory and in row order.

The parent reads the encoded bytes (a manifest may lie in one big table that only one process should
hold), workers do everything that costs time. A few chunks are under way at once, no more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias, TypeVar

from authentiscan.core.errors import AuthentiscanError
from authentiscan.core.parallel import in_processes
from authentiscan.core.progress import Progress
from authentiscan.manifest.table import Manifest

Result = TypeVar("Result")
Item: TypeAlias = tuple[int, bytes | str]
"""A row number with its encoded bytes, or with the reason why there are none."""

_CHUNK_IMAGES = 256
_CHUNK_BYTES = 16 * 2**20


def sweep(
    manifest: Manifest,
    work: Callable[[list[Item]], list[Result]],
    *,
    rows: Sequence[int] | None = None,
    workers: int = 2,
    progress: Progress | None = None,
) -> Iterator[list[Result]]:
    """Lists of what ``work`` made of each chunk of ``rows`` (all rows by default), in order.

    ``work`` must be picklable and must not raise because of one image. With fewer than two
    ``workers``, or few images, everything runs in this process.
    """
    order = range(len(manifest)) if rows is None else rows
    chunks = _chunks(manifest, order)
    if len(order) < 2 * _CHUNK_IMAGES:
        workers = 1
    results = in_processes(chunks, work, workers, what="reading images")
    done = 0
    for result in results:
        done += len(result)
        yield result
        if progress is not None:
            progress(done, len(order))


def _chunks(manifest: Manifest, rows: Sequence[int]) -> Iterator[list[Item]]:
    chunk: list[Item] = []
    size = 0
    for row in rows:
        try:
            data: bytes | str = manifest.image_bytes(row)
        except AuthentiscanError as error:
            data = str(error)
        chunk.append((row, data))
        size += len(data)
        if len(chunk) >= _CHUNK_IMAGES or size >= _CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk
