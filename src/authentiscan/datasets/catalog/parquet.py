"""Parquet tables with the images' bytes in a column."""

from __future__ import annotations

from authentiscan.datasets.catalog.base import DataSet

PARQUET = DataSet(
    name="parquet",
    title="A Parquet table with image bytes and labels, or a folder of such tables",
    licence="the data's own",
    layout=True,
    home="",
)
