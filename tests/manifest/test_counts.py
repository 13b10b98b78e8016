"""Rows counted by data set, label, generator and split."""

from __future__ import annotations

import pyarrow as pa

from authentiscan.manifest.counts import count_rows
from authentiscan.manifest.table import Manifest


def test_rows_are_counted() -> None:
    columns = {
        "path": ["p"] * 5,
        "label": [0, 1, 1, 1, 0],
        "generator": ["camera", "flux", "flux", "sdxl", "camera"],
        "dataset": ["b", "b", "b", "b", "a"],
        "group": ["g"] * 5,
    }
    split = ["train", "train", "test", None, "test"]
    assert count_rows(Manifest(pa.table({**columns, "split": split}))) == {
        ("a", 0, "camera"): {"test": 1},
        ("b", 0, "camera"): {"train": 1},
        ("b", 1, "flux"): {"train": 1, "test": 1},
        ("b", 1, "sdxl"): {None: 1},
    }
    assert count_rows(Manifest(pa.table(columns)))["b", 1, "flux"] == {None: 2}
