"""CSV lists: one line an image, with its path and label and whatever else is known."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from authentiscan.core.types import RGBImage
from authentiscan.datasets.catalog.base import DataSet
from authentiscan.datasets.catalog.samples import lay_out


def sample(folder: Path, photos: Mapping[str, RGBImage]) -> Path:
    """Eight images and a list that gives their label, generator and group."""
    names = [(f"images/{i}.jpg", i % 2 == 1) for i in range(8)]
    lay_out(folder, photos, names)
    target = folder / "list.csv"
    with target.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["path", "label", "generator", "group", "photographer"])
        for i, (name, generated) in enumerate(names):
            row = [name, "fake" if generated else "real", "sdxl" if generated else "", f"g{i // 4}"]
            writer.writerow([*row, f"nr {i}"])
    return target


CSV_LIST = DataSet(
    name="csv",
    title="A CSV list: path, label and, where known, generator, dataset, group, split, licence ...",
    licence="the data's own",
    layout=True,
    home="",
    sample=sample,
)
