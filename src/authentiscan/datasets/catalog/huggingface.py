"""Hugging Face image data sets as they lie on the hub: Parquet shards, images as {bytes, path}."""

from __future__ import annotations

from authentiscan.datasets.catalog.base import DataSet

HUGGING_FACE = DataSet(
    name="huggingface",
    title="A Hugging Face image data set: its Parquet shards, class names read from the file",
    licence="the data's own",
    layout=True,
    home="https://huggingface.co/datasets",
    manual=(
        "1. huggingface-cli download --repo-type dataset OWNER/NAME --local-dir {folder}\n"
        "2. authentiscan data organize {folder} --out data.parquet"
    ),
)
