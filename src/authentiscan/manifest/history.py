"""Which JPEG generations the images of a manifest carry."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from authentiscan.core.errors import AuthentiscanError, DecodeError
from authentiscan.images.history import JpegHistory
from authentiscan.images.walk.jpeg import read_header
from authentiscan.manifest.table import Manifest

_JPEG = b"\xff\xd8"


def observe_history(manifest: Manifest, *, sample: int | None = None, seed: int = 0) -> JpegHistory:
    """The JPEG qualities and subsamplings of the images, both classes together.

    Taken from the manifest's columns where it has them, else read from the headers of ``sample`` of
    its images, drawn by ``seed`` (of all where it is None). Unreadable images are passed over.
    """
    if _has_columns(manifest):
        columns = (manifest.column("jpeg_quality"), manifest.column("jpeg_subsampling"))
        return JpegHistory.observe(zip(*columns, strict=True))
    rows: Iterable[int] = range(len(manifest))
    if sample is not None:
        rng = np.random.default_rng([seed, 0x4A504547])
        rows = rng.permutation(len(manifest))[:sample].tolist()
    return JpegHistory.observe(_settings(manifest, rows))


def _has_columns(manifest: Manifest) -> bool:
    """Columns of tables that hold parts of images tell of the published files, not of the parts."""
    whole = all(stored in (None, "whole") for stored in manifest.column("stored"))
    return whole and any(s is not None for s in manifest.column("jpeg_subsampling"))


def _settings(manifest: Manifest, rows: Iterable[int]) -> Iterator[tuple[int | None, str | None]]:
    for _, data in manifest.images(rows):
        if isinstance(data, AuthentiscanError) or not data.startswith(_JPEG):
            continue
        try:
            header = read_header(data)
        except DecodeError:
            continue
        yield header.quality, header.subsampling
