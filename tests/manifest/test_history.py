"""The JPEG generations of a manifest, from its columns or from its images."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from authentiscan.images.decode import encode
from authentiscan.images.history import JpegHistory
from authentiscan.manifest.history import observe_history
from authentiscan.manifest.table import Manifest


def manifest(images: list[bytes], **columns: list[object]) -> Manifest:
    n = len(images)
    must = {"label": [0] * n, "generator": ["camera"] * n, "dataset": ["d"] * n, "group": ["g"] * n}
    return Manifest(pa.table({"image": pa.array(images, pa.binary()), **must, **columns}))


@pytest.fixture
def images(photos: dict[str, np.ndarray]) -> list[bytes]:
    tile = np.ascontiguousarray(photos["coffee"][:48, :48])
    kinds = [encode(tile, "JPEG", quality=80), encode(tile, "PNG"), b"", b"\xff\xd8broken"]
    return kinds * 25


def test_headers_are_read_where_columns_say_nothing(images: list[bytes]) -> None:
    assert observe_history(manifest(images)) == JpegHistory(((80, "4:2:0"),), (25,))
    empty = {"jpeg_quality": [None] * 100, "jpeg_subsampling": [None] * 100}
    assert observe_history(manifest(images, **empty)).settings == ((80, "4:2:0"),)


def test_columns_are_believed_before_anything_is_read() -> None:
    stated = {"jpeg_quality": [66, None] * 25, "jpeg_subsampling": ["4:4:4", None] * 25}
    unread = manifest([b"no image"] * 50, **stated)
    assert observe_history(unread) == JpegHistory(((66, "4:4:4"),), (25,))


def test_columns_of_published_files_say_nothing_of_parts_of_them(images: list[bytes]) -> None:
    stated = {
        "jpeg_quality": [66] * 100,
        "jpeg_subsampling": ["4:4:4"] * 100,
        "stored": ["whole"] * 99 + ["lossless-crop"],
    }
    assert observe_history(manifest(images, **stated)).settings == ((80, "4:2:0"),)


def test_a_sample_is_drawn_by_the_seed(images: list[bytes]) -> None:
    found = [observe_history(manifest(images), sample=90, seed=s).counts for s in range(6)]
    assert found[0] == observe_history(manifest(images), sample=90, seed=0).counts
    assert len(set(found)) > 1
    assert all(20 <= count <= 25 for (count,) in found)
