"""Frames of one video, and splits that part them."""

from __future__ import annotations

import pyarrow as pa
import pytest

from authentiscan.datasets.frames import torn_frames
from authentiscan.manifest.table import Manifest

SPLITS = ("train", "test", "val", "train")


def manifest(names: list[str], splits: list[str | None], generator: str = "unknown") -> Manifest:
    n = len(names)
    columns = {
        "path": names,
        "name": names,
        "label": pa.array([1] * n, pa.int8()),
        "generator": [generator] * n,
        "dataset": ["d"] * n,
        "group": names,
        "split": pa.array(splits, pa.string()),
    }
    return Manifest(pa.table(columns))


def torn(names: list[str], splits: list[str | None] | None = None, generator: str = "x") -> int:
    found = torn_frames(manifest(names, splits or [SPLITS[i % 4] for i in range(len(names))]))
    return 0 if found is None else found.rows


@pytest.mark.parametrize(
    "names",
    [
        [f"fake/{v:03d}_004/{i * 10:04d}.jpg" for v in range(3) for i in range(4)],
        [f"fake/vid{v}/frame_{i}.png" for v in range(3) for i in range(5)],
        [f"fake/v{v}_frame{i:05d}.jpg" for v in range(3) for i in range(4)],
        [f"train/fake/a{v}/{i}.jpg" for v in range(3) for i in range(4)],
        [f"{v}/clip-{i}" for v in "abc" for i in range(1, 5)],
    ],
)
def test_numbered_frames_in_several_splits_are_told(names: list[str]) -> None:
    assert torn(names) == 3
    found = torn_frames(manifest(names, [SPLITS[i % 4] for i in range(len(names))]))
    assert "--group folder" in str(found)
    by_folder = dict.fromkeys(n.rpartition("/")[0] for n in names)
    if len(by_folder) == 3:
        places = dict(zip(by_folder, ("train", "val", "test"), strict=True))
        assert torn(names, [places[n.rpartition("/")[0]] for n in names]) == 0


@pytest.mark.parametrize(
    "names",
    [
        [f"{c}/{i:04d}.jpg" for c in ("real", "fake") for i in range(8)],  # classes, numbered
        [f"{s}/FAKE/{i:04d}.jpg" for s in ("train", "test") for i in range(8)],
        [f"x/{c}/1_fake/{i:04d}.jpg" for c in ("car", "cat") for i in range(8)],
        [f"fake/{c}/{n}.jpg" for c in ("a", "b") for n in (3, 19, 20, 477)],  # no even steps
        [f"fake/{c}/photo-{n}.jpg" for c in ("a", "b") for n in "uvwx"],
        [f"fake/{c}/{i}.jpg" for c in ("a", "b") for i in range(2)],  # too few
    ],
)
def test_what_is_no_video_is_not(names: list[str]) -> None:
    assert torn(names) == 0


def test_rows_without_a_split_are_not_torn() -> None:
    names = [f"fake/{v}/{i:04d}.jpg" for v in "ab" for i in range(4)]
    assert torn(names, [None] * 8) == 0
    assert torn(names, [None, "train"] * 4) == 0
