"""Parquet tables with the images' bytes in a column."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from pathlib import Path

from authentiscan.core.types import RGBImage
from authentiscan.datasets.catalog.base import DataSet
from authentiscan.datasets.catalog.samples import sample_bytes, tiles


def sample(folder: Path, photos: Mapping[str, RGBImage]) -> Path:
    """Ten images in two row groups, with columns of their own."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir(parents=True, exist_ok=True)
    images = [
        sample_bytes(pixels, "x.jpg" if i % 4 < 2 else "x.png", i % 2 == 1)
        for i, pixels in enumerate(islice(tiles(photos), 10))
    ]
    table = pa.table(
        {
            "image": pa.array(images, pa.binary()),
            "label": pa.array([i % 2 for i in range(10)], pa.int8()),
            "generator": ["flux" if i % 2 else "camera" for i in range(10)],
            "group": [f"scene {i // 2}" for i in range(10)],
            "style": ["photo"] * 10,
        }
    )
    target = folder / "table.parquet"
    pq.write_table(table, target, row_group_size=5)
    return target


PARQUET = DataSet(
    name="parquet",
    title="A Parquet table with image bytes and labels, or a folder of such tables",
    licence="the data's own",
    layout=True,
    home="",
    sample=sample,
)
