"""Loaders: the same samples whatever the worker count, cache or way the images are stored."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from torch.utils.data import DataLoader

from authentiscan.images.decode import encode
from authentiscan.images.history import JpegHistory
from authentiscan.images.preprocess import Preprocess
from authentiscan.manifest.table import Manifest
from authentiscan.training.augment import AugmentSettings
from authentiscan.training.loaders import (
    Batch,
    Collate,
    Draw,
    TrainingImages,
    ValidationImages,
)
from authentiscan.training.pixel_cache import PixelCache

PREPROCESS = Preprocess(size=48)
AUGMENT = AugmentSettings(degrade="resize:scale=0.7..1.3 ?0.5 | jpeg:quality=60..95 ?0.5")


def encoded(photos: dict[str, np.ndarray], count: int = 12) -> list[bytes]:
    tiles = []
    for index in range(count):
        photo = photos[sorted(photos)[index % len(photos)]]
        tile = photo[20 : 20 + 70 + index, 10 : 10 + 90]
        tiles.append(encode(tile, "JPEG", quality=80) if index % 2 == 0 else encode(tile, "PNG"))
    return tiles


def columns(count: int) -> dict[str, list[object]]:
    return {
        "label": [i % 2 for i in range(count)],
        "generator": ["toy" if i % 2 else "camera" for i in range(count)],
        "dataset": ["toy"] * count,
        "group": [f"g{i}" for i in range(count)],
    }


def files_manifest(folder: Path, images: list[bytes]) -> Manifest:
    paths = []
    for index, data in enumerate(images):
        (folder / f"{index}.img").write_bytes(data)
        paths.append(f"{index}.img")
    return Manifest(pa.table({"path": paths, **columns(len(images))}), folder)


def table_manifest(folder: Path, images: list[bytes]) -> Manifest:
    pq.write_table(pa.table({"image": images}), folder / "images.parquet", row_group_size=5)
    count = len(images)
    return Manifest(
        pa.table({"path": ["images.parquet"] * count, "row": list(range(count)), **columns(count)}),
        folder,
    )


def inline_manifest(images: list[bytes]) -> Manifest:
    return Manifest(pa.table({"image": images, **columns(len(images))}))


def batches(images: TrainingImages, workers: int) -> list[Batch]:
    draws = [[Draw((e * 5 + p * 7) % 12, e, p) for p in range(6)] for e in range(3)]
    loader = DataLoader(
        images, batch_sampler=draws, num_workers=workers, collate_fn=Collate(PREPROCESS)
    )
    return list(loader)


def test_same_batches_whatever_workers_cache_and_storage(
    tmp_path: Path, photos: dict[str, np.ndarray]
) -> None:
    data = encoded(photos)
    history = JpegHistory(((70, "4:2:0"),), (1,))
    reference = None
    for manifest in (
        files_manifest(tmp_path, data),
        table_manifest(tmp_path, data),
        inline_manifest(data),
    ):
        for workers, cache in ((0, 0), (2, 1 << 20), (1, 60_000)):
            images = TrainingImages(
                manifest, PREPROCESS, AUGMENT, seed=5, history=history, cache_bytes=cache
            )
            found = batches(images, workers)
            reference = reference or found
            for ours, theirs in zip(found, reference, strict=True):
                assert torch.equal(ours.images, theirs.images)
                assert torch.equal(ours.labels, theirs.labels)
                assert torch.equal(ours.rows, theirs.rows)


def test_epoch_position_and_seed_decide(photos: dict[str, np.ndarray]) -> None:
    manifest = inline_manifest(encoded(photos))
    images = TrainingImages(manifest, PREPROCESS, AUGMENT, seed=1)
    other = TrainingImages(manifest, PREPROCESS, AUGMENT, seed=2)
    one = images[Draw(3, 0, 0)].crop
    assert np.array_equal(one, images[Draw(3, 0, 0)].crop)
    assert not np.array_equal(one, images[Draw(3, 1, 0)].crop)
    assert not np.array_equal(one, images[Draw(3, 0, 1)].crop)
    assert not np.array_equal(one, other[Draw(3, 0, 0)].crop)


def test_images_become_what_the_contract_makes_of_them(photos: dict[str, np.ndarray]) -> None:
    images = TrainingImages(inline_manifest(encoded(photos)), PREPROCESS, AUGMENT)
    sample = images[0]
    assert sample.crop is not None
    batch = Collate(PREPROCESS)([sample])
    assert np.array_equal(batch.images.numpy(), PREPROCESS.tensor(sample.crop[None]))
    assert batch.images.dtype == torch.float32


def test_unreadable_images_are_left_out_and_named(
    tmp_path: Path, photos: dict[str, np.ndarray]
) -> None:
    data = encoded(photos, 4)
    manifest = files_manifest(tmp_path, [data[0], data[1][:50], b"", data[3]])
    (tmp_path / "3.img").unlink()
    images = TrainingImages(manifest, PREPROCESS, AUGMENT)
    batch = Collate(PREPROCESS)([images[i] for i in range(4)])
    assert batch.rows.tolist() == [0]
    assert [row for row, _ in batch.failures] == [1, 2, 3]
    empty = Collate(PREPROCESS)([images[1]])
    assert tuple(empty.images.shape) == (0, 3, 48, 48)


def test_validation_is_the_centre_and_never_changes(photos: dict[str, np.ndarray]) -> None:
    manifest = inline_manifest(encoded(photos))
    first = ValidationImages(manifest, PREPROCESS, AUGMENT, seed=3)
    second = ValidationImages(manifest, PREPROCESS, AUGMENT, seed=3)
    for row in range(len(manifest)):
        assert np.array_equal(first[row].crop, second[row].crop)
    plain = ValidationImages(manifest, PREPROCESS, AugmentSettings(history="none"))
    from authentiscan.images.decode import decode

    pixels = decode(manifest.image_bytes(1)).pixels
    centre = PREPROCESS.model_copy(update={"max_crops": 1}).crops(pixels)[0][0]
    assert np.array_equal(plain[1].crop, centre)
    assert not np.array_equal(first[1].crop, centre)  # row 1 is a PNG: it got a history
    assert np.array_equal(first[0].crop, plain[0].crop)  # row 0 is a JPEG: it keeps its own


def test_cache_stops_at_its_budget() -> None:
    cache = PixelCache(4, 2 * 300)
    image = np.arange(300, dtype=np.uint8).reshape(10, 10, 3)
    assert [cache.put(i, image, i == 1) for i in range(4)] == [True, True, False, False]
    assert not cache.put(0, image, False)  # kept once
    kept = cache.get(1)
    assert kept is not None
    assert np.array_equal(kept[0], image)
    assert kept[1] is True
    assert cache.get(2) is None
    assert (len(cache), cache.used) == (2, 600)


def test_workers_fill_one_cache(photos: dict[str, np.ndarray]) -> None:
    images = TrainingImages(
        inline_manifest(encoded(photos)), PREPROCESS, AUGMENT, cache_bytes=1 << 20
    )
    batches(images, workers=2)
    cache = images._images.cache
    assert cache is not None
    assert len(cache) == 8  # the rows that were drawn


@pytest.mark.parametrize("module", ["augment", "pixel_cache"])
def test_torch_stays_out(module: str) -> None:
    code = f"import sys, authentiscan.training.{module}; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ})
