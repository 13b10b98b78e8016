"""Small pictures: from pixels that are there, never larger than asked, never an upscaled one."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import pytest

from authentiscan.images.decode import decode, encode
from authentiscan.manifest.table import Manifest
from authentiscan.report.thumbnails import address, shrunk, thumbnail


@pytest.mark.parametrize(
    ("size", "want"), [((400, 200), (100, 50)), ((30, 40), (30, 40)), ((7, 900), (1, 100))]
)
def test_the_longer_side_is_what_was_asked(size: tuple[int, int], want: tuple[int, int]) -> None:
    pixels = np.full((*size, 3), 90, np.uint8)
    small = shrunk(pixels, 100)
    assert small.shape == (*want, 3)
    assert small.dtype == np.uint8
    assert (small == 90).all()


def test_an_address_holds_the_file() -> None:
    data = encode(np.zeros((4, 4, 3), np.uint8), "PNG")
    head, _, body = address(data, "png").partition(",")
    assert head == "data:image/png;base64"
    assert base64.b64decode(body) == data


def test_a_row_is_shown_or_told_as_unreadable(tmp_path: Path) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    image = encode(np.full((300, 150, 3), 200, np.uint8), "PNG")
    table = pa.table({"image": [image, b"no image"], "label": pa.array([0, 1], pa.int8())})
    pq.write_table(table, tmp_path / "t.parquet")
    from authentiscan.datasets.open import open_data

    manifest: Manifest = open_data(tmp_path / "t.parquet")
    found = thumbnail(manifest, 0, side=60)
    assert found is not None
    data = base64.b64decode(found.partition(",")[2])
    assert decode(data).pixels.shape == (60, 30, 3)
    assert thumbnail(manifest, 1) is None
