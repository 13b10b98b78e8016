"""Hugging Face image data sets as they lie on the hub: Parquet shards, images as {bytes, path}."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import islice
from pathlib import Path

from authentiscan.core.types import RGBImage
from authentiscan.datasets.catalog.base import DataSet
from authentiscan.datasets.catalog.samples import sample_bytes, tiles


def sample(folder: Path, photos: Mapping[str, RGBImage]) -> Path:
    """A train and a test shard with class labels, as the `datasets` library writes them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    features = {
        "image": {"_type": "Image"},
        "label": {"names": ["fake", "real"], "_type": "ClassLabel"},
    }
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    images = iter(tiles(photos))
    (folder / "data").mkdir(parents=True, exist_ok=True)
    for split, count in (("train", 6), ("test", 2)):
        rows = [
            {"bytes": sample_bytes(pixels, f"{i}.jpg", i % 2 == 0), "path": f"{split}{i}.jpg"}
            for i, pixels in enumerate(islice(images, count))
        ]
        table = pa.table(
            {
                "image": pa.array(rows, pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
                "label": pa.array([i % 2 for i in range(count)], pa.int64()),
            }
        ).replace_schema_metadata(metadata)
        pq.write_table(table, folder / "data" / f"{split}-00000-of-00001.parquet")
    return folder


HUGGING_FACE = DataSet(
    name="huggingface",
    title="A Hugging Face image data set: its Parquet shards, class names read from the file",
    licence="the data's own",
    layout=True,
    home="https://huggingface.co/datasets",
    sample=sample,
    manual=(
        "1. huggingface-cli download --repo-type dataset OWNER/NAME --local-dir {folder}\n"
        "2. authentiscan data organize {folder} --out data.parquet"
    ),
)
