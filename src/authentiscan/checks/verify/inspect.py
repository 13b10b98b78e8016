"""The first pass of verify: every image is read once, decoded, hashed, fingerprinted."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from authentiscan.checks.duplicates import GREY_SIDE, HASHES, hashes, is_flat, small_grey
from authentiscan.checks.verify.sweep import Item, sweep
from authentiscan.core.errors import AuthentiscanError
from authentiscan.core.progress import Progress
from authentiscan.core.types import DecodedImage, ImageFacts
from authentiscan.images.decode import decode
from authentiscan.manifest.table import Manifest

_CLAIMS = ("width", "height", "bytes", "sha256", "format", "jpeg_quality")


@dataclass(frozen=True, slots=True)
class Seen:
    """What a worker says of one image; ``facts`` is None where it could not be read."""

    row: int
    error: str = ""
    facts: ImageFacts | None = None
    content: bytes = b""
    grey: bytes = b""
    hashes: bytes = b""
    flat: bool = False


@dataclass(slots=True)
class Inspection:
    """What was seen of ``n`` images, by row; about 120 bytes each in memory.

    errors: row -> why it could not be read. file, content: hashes of the encoded bytes and of the
    pixels (n, 16). greys: (n, 32, 32) uint8, in a temporary file. hashes: (n, 7) uint64.
    usable: readable and with enough contrast to look for near copies.
    mismatches: (row, column, claimed, found) where the manifest says something else of the file.
    """

    errors: dict[int, str]
    file: NDArray[np.uint8]
    content: NDArray[np.uint8]
    greys: NDArray[np.uint8]
    hashes: NDArray[np.uint64]
    readable: NDArray[np.bool_]
    usable: NDArray[np.bool_]
    mismatches: list[tuple[int, str, str, str]] = field(default_factory=list)


def inspect(
    manifest: Manifest,
    *,
    workers: int = 2,
    progress: Progress | None = None,
) -> Inspection:
    """Read every image of ``manifest`` once; never raises because of one image."""
    n = len(manifest)
    # The pictures are needed for the few candidate pairs only, so they lie on disk.
    pictures = tempfile.TemporaryFile(prefix="authentiscan-verify-")  # noqa: SIM115
    shape = (max(n, 1), GREY_SIDE, GREY_SIDE)
    seen = Inspection(
        errors={},
        file=np.zeros((n, 16), np.uint8),
        content=np.zeros((n, 16), np.uint8),
        greys=np.memmap(pictures, dtype=np.uint8, mode="w+", shape=shape),
        hashes=np.zeros((n, HASHES), np.uint64),
        readable=np.zeros(n, np.bool_),
        usable=np.zeros(n, np.bool_),
    )
    claims = _Claims(manifest)
    for chunk in sweep(manifest, look, workers=workers, progress=progress):
        for one in chunk:
            _enter(seen, one, claims)
    return seen


def look(items: list[Item]) -> list[Seen]:
    """Decode and fingerprint a chunk of images; runs in a worker process."""
    found: list[Seen] = []
    for row, data in items:
        if isinstance(data, str):
            found.append(Seen(row, error=data))
            continue
        try:
            image = decode(data)
        except AuthentiscanError as error:
            found.append(Seen(row, error=str(error)))
            continue
        found.append(_seen(row, image))
    return found


def _seen(row: int, image: DecodedImage) -> Seen:
    digest = blake2b(str(image.pixels.shape).encode(), digest_size=16)
    digest.update(np.ascontiguousarray(image.pixels).data)
    grey = small_grey(image.pixels)[None]
    return Seen(
        row,
        facts=image.facts,
        content=digest.digest(),
        grey=grey.tobytes(),
        hashes=hashes(grey).tobytes(),
        flat=bool(is_flat(grey)[0]),
    )


def _enter(seen: Inspection, one: Seen, claims: _Claims) -> None:
    if one.facts is None:
        seen.errors[one.row] = one.error
        return
    file = bytes.fromhex(one.facts.sha256)[:16]
    seen.file[one.row] = np.frombuffer(file, np.uint8)
    seen.content[one.row] = np.frombuffer(one.content, np.uint8)
    seen.greys[one.row] = np.frombuffer(one.grey, np.uint8).reshape(GREY_SIDE, GREY_SIDE)
    seen.hashes[one.row] = np.frombuffer(one.hashes, np.uint64)
    seen.readable[one.row] = True
    seen.usable[one.row] = not one.flat
    seen.mismatches += claims.against(one.row, one.facts)


class _Claims:
    """What the manifest says of its files, column by column."""

    def __init__(self, manifest: Manifest) -> None:
        names = manifest.table.column_names
        self.columns = {c: manifest.table[c] for c in _CLAIMS if c in names}
        # Tables of crops name the format of the source, not of what they hold.
        self.stored = manifest.table["stored"] if "stored" in names else None

    def against(self, row: int, facts: ImageFacts) -> list[tuple[int, str, str, str]]:
        wrong = []
        for name, column in self.columns.items():
            claimed, found = column[row].as_py(), getattr(facts, name)
            if claimed is None or claimed == found:
                continue
            if name == "format" and self.stored is not None and self.stored[row].as_py() != "whole":
                continue
            wrong.append((row, name, str(claimed), str(found)))
        return wrong
