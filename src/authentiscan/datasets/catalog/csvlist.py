"""CSV lists: one line an image, with its path and label and whatever else is known."""

from __future__ import annotations

from authentiscan.datasets.catalog.base import DataSet

CSV_LIST = DataSet(
    name="csv",
    title="A CSV list: path, label and, where known, generator, dataset, group, split, licence ...",
    licence="the data's own",
    layout=True,
    home="",
)
