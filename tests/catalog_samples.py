"""Tiny data sets in every layout of the catalog, made of any photographs.

The "generated" images are the same photographs, smoothed: samples show layouts, they teach nothing.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from authentiscan.core.types import RGBImage
from authentiscan.images.decode import encode

Photos = Mapping[str, RGBImage]


def tiles(photos: Photos, size: int = 48) -> Iterator[RGBImage]:
    """Distinct square crops of the photographs, ``size`` pixels a side, without end."""
    names = sorted(photos)
    index = 0
    while True:
        photo = photos[names[index % len(names)]]
        step = index // len(names)
        top = 7 * step % (photo.shape[0] - size)
        left = 13 * step % (photo.shape[1] - size)
        yield np.ascontiguousarray(photo[top : top + size, left : left + size])
        index += 1


def smooth(pixels: RGBImage) -> RGBImage:
    """The image with each pixel averaged with its right and lower neighbour."""
    wide = pixels.astype(np.uint16)
    mean = (wide + np.roll(wide, 1, axis=0) + np.roll(wide, 1, axis=1)) // 3
    return mean.astype(np.uint8)


def sample_bytes(pixels: RGBImage, name: str, generated: bool) -> bytes:
    """The encoded image, in the format the name's ending asks for (PNG or JPEG)."""
    kind = "PNG" if name.lower().endswith(".png") else "JPEG"
    return encode(smooth(pixels) if generated else pixels, kind)


def lay_out(
    folder: Path, photos: Photos, files: Iterable[tuple[str, bool]], size: int = 48
) -> Path:
    """Write one image for every (relative path, generated?) below ``folder``; gives ``folder``."""
    for (name, generated), pixels in zip(files, tiles(photos, size), strict=False):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(sample_bytes(pixels, name, generated))
    return folder


def _genimage(folder: Path, photos: Photos) -> Path:
    """Six images of each of three generators, two of them in the nested form the zips unpack to."""
    roots = (
        ("Midjourney", "mj"),
        ("stable_diffusion_v_1_4/imagenet_ai_0419_sdv4", "sdv4"),
        ("ADM/imagenet_ai_0508_adm", "adm"),
    )
    files = [
        (f"{root}/{split}/{kind}/{name}", kind == "ai")
        for root, mark in roots
        for split, count in (("train", 2), ("val", 1))
        for kind in ("ai", "nature")
        for name in (
            f"{i:03d}_{mark}_{split}.png" if kind == "ai" else f"n01440764_{mark}{split}{i}.JPEG"
            for i in range(count)
        )
    ]
    return lay_out(folder, photos, files)


def _cifake(folder: Path, photos: Photos) -> Path:
    """Twelve 32x32 images in the published layout."""
    files = [
        (f"{split}/{kind}/{i:04d}{' (2)' if i % 2 else ''}.jpg", kind == "FAKE")
        for split, count in (("train", 4), ("test", 2))
        for kind in ("REAL", "FAKE")
        for i in range(count)
    ]
    return lay_out(folder, photos, files, size=32)


def _faces(folder: Path, photos: Photos) -> Path:
    """Sixteen images in the published layout."""
    files = [
        (f"real_vs_fake/real-vs-fake/{split}/{kind}/{name}.jpg", kind == "fake")
        for split, count in (("train", 4), ("valid", 2), ("test", 2))
        for kind in ("real", "fake")
        for name in (
            f"{ord(split[0]) * 100 + i:05d}" if kind == "real" else f"{split.upper()}{i:05d}X"
            for i in range(count)
        )
    ]
    return lay_out(folder, photos, files)


def _forensynths(folder: Path, photos: Photos) -> Path:
    """A training class, a test generator with classes and one without."""
    places = ("train/airplane", "train/cat", "test/stylegan/car", "test/biggan")
    files = [
        (f"{place}/{kind}/{i:05d}.png", kind == "1_fake")
        for place in places
        for kind in ("0_real", "1_fake")
        for i in range(2)
    ]
    return lay_out(folder, photos, files)


def _plain(folder: Path, photos: Photos) -> Path:
    """``raw/real`` and ``raw/fake`` with six images each."""
    files = [
        (f"raw/{kind}/{i:03d}.jpg", kind == "fake") for kind in ("real", "fake") for i in range(6)
    ]
    return lay_out(folder, photos, files)


def _ganattributes(folder: Path, photos: Photos) -> Path:
    """Three generators and real photographs, four images each."""
    files = [
        (f"{name}/{i:04d}.png", name != "real")
        for name in ("real", "ProGAN", "StyleGAN2", "BigGAN")
        for i in range(4)
    ]
    return lay_out(folder, photos, files)


def _huggingface(folder: Path, photos: Photos) -> Path:
    """A train and a test shard with class labels, as the `datasets` library writes them."""
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


def _parquet(folder: Path, photos: Photos) -> Path:
    """Ten images in two row groups, with columns of their own."""
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


def _csvlist(folder: Path, photos: Photos) -> Path:
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


_SAMPLES: dict[str, Callable[[Path, Photos], Path]] = {
    "genimage": _genimage,
    "cifake": _cifake,
    "faces": _faces,
    "forensynths": _forensynths,
    "folders": _plain,
    "generators": _ganattributes,
    "huggingface": _huggingface,
    "parquet": _parquet,
    "csv": _csvlist,
}


def sample(name: str, folder: Path, photos: Photos) -> Path:
    """Write the sample of an entry of the catalog; gives the path to organize."""
    return _SAMPLES[name](folder, photos)
