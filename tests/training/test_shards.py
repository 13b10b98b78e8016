"""Shards hold the same images and facts as the manifest they were packed from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from authentiscan.core.errors import ManifestError, UsageError
from authentiscan.datasets.catalog.samples import tiles
from authentiscan.datasets.organize import organize
from authentiscan.images.decode import encode
from authentiscan.manifest.table import Manifest
from authentiscan.training.shards import epoch_order, pack, stream

Photos = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory, photos: Photos) -> Manifest:
    root = tmp_path_factory.mktemp("shards")
    for i, pixels in zip(range(60), tiles(photos), strict=False):
        target = root / "raw" / ("real", "fake")[i % 2] / f"{i}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(encode(pixels, "PNG"))
    return organize([root / "raw"], root / "m.parquet", processes=1).manifest()


def test_everything_comes_back(manifest: Manifest, tmp_path: Path) -> None:
    packed = pack(manifest, tmp_path / "s", row_group_bytes=40_000, groups_per_file=2)
    back = Manifest.read(packed.manifest)
    assert packed.rows == len(back) == 60
    assert packed.files > 3
    facts = ("name", "label", "split", "group", "sha256", "width", "generator")
    before = {m["name"]: m for m in manifest.table.select(facts).to_pylist()}
    for i, row in enumerate(back.table.select(facts).to_pylist()):
        assert before[row["name"]] == row
        at = manifest.column("name").index(row["name"])
        assert back.image_bytes(i) == manifest.image_bytes(at)


def test_row_groups_have_the_size_asked_for_and_splits_their_own_files(
    manifest: Manifest, tmp_path: Path
) -> None:
    pack(manifest, tmp_path / "s", row_group_bytes=40_000, groups_per_file=2)
    for path in (tmp_path / "s").glob("*-*.parquet"):
        file = pq.ParquetFile(path)
        assert file.num_row_groups <= 2
        for group in range(file.num_row_groups):
            table = file.read_row_group(group)
            assert sum(table["bytes"].to_pylist()) <= 40_000 + max(manifest.column("bytes"))
            assert set(table["split"].to_pylist()) == {path.name.split("-")[0]}


def test_order_is_shuffled_by_the_seed(manifest: Manifest, tmp_path: Path) -> None:
    names = [
        Manifest.read(pack(manifest, tmp_path / str(i), seed=seed).manifest).column("name")
        for i, seed in enumerate((0, 0, 1))
    ]
    assert names[0] == names[1] != names[2]
    assert names[0] != sorted(names[0])


def test_stream_reads_a_split_in_order(manifest: Manifest, tmp_path: Path) -> None:
    packed = pack(manifest, tmp_path / "s", row_group_bytes=40_000)
    back = Manifest.read(packed.manifest).where(split="train")
    rows = list(stream(tmp_path / "s", split="train", columns=["name", "label"]))
    assert [r["name"] for r in rows] == back.column("name")
    assert rows[3]["image"] == back.image_bytes(3)


def test_epochs_visit_every_row_once_and_each_row_group_in_one_go(
    manifest: Manifest, tmp_path: Path
) -> None:
    back = Manifest.read(pack(manifest, tmp_path / "s", row_group_bytes=40_000).manifest)
    order = epoch_order(back, seed=1, buffer=1)
    assert sorted(order.tolist()) == list(range(60))
    groups = np.array(back.column("shard_group"))[order]
    assert np.count_nonzero(np.diff(groups)) == len(set(groups.tolist())) - 1
    assert order.tolist() != epoch_order(back, seed=2, buffer=1).tolist()
    with pytest.raises(ManifestError, match="not of shards"):
        epoch_order(manifest, seed=0)


def test_full_folder_and_changed_images_are_refused(manifest: Manifest, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    with pytest.raises(UsageError, match="not empty"):
        pack(manifest, tmp_path / "full")
    changed = manifest.with_column("sha256", ["0" * 64] * len(manifest))
    with pytest.raises(ManifestError, match="changed since"):
        pack(changed, tmp_path / "s")
    assert not (tmp_path / "s").exists()
