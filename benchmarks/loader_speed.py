"""Is the loader the bottleneck? Steps a second on real JPEG files against ready tensors in memory.

Rival: the same model, optimizer and batch size fed with random tensors that cost nothing to load.
Three ways to load are measured: every image decoded anew, decoded pixels kept in memory, and the
whole of full-size images augmented before cropping (how most training code does it).

    python benchmarks/loader_speed.py [--workers 2] [--batch 32] [--size 128] [--model NAME]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from PIL import Image
from skimage import data as skimage_data
from sklearn.datasets import load_sample_images
from torch.utils.data import DataLoader, Dataset

from authentiscan import models
from authentiscan.core.images import decode, encode
from authentiscan.core.manifest import Manifest
from authentiscan.core.preprocess import Preprocess
from authentiscan.data import degrade
from authentiscan.data.augment import AugmentSettings
from authentiscan.data.loaders import Batch, Collate, Draw, Sample, TrainingImages

CHAIN = (
    "resize:scale=0.6..1.4 ?0.3 | blur:sigma=0.2..1.2 ?0.1 | noise ?0.1 "
    "| jpeg:quality=60..96,subsampling=4:2:0/4:4:4 ?0.5"
)


def photographs(folder: Path, side: int, count: int = 96) -> Manifest:
    """JPEG files of about ``side`` pixels cut from sample photographs, enlarged where needed."""
    sources = [skimage_data.astronaut(), skimage_data.coffee(), *load_sample_images().images]
    rng = np.random.default_rng(0)
    rows: dict[str, list[object]] = {
        k: [] for k in ("path", "label", "generator", "dataset", "group")
    }
    for index in range(count):
        image = Image.fromarray(sources[index % len(sources)])
        scale = side / min(image.size)
        image = image.resize((round(image.width * scale), round(image.height * scale)))
        pixels = np.roll(np.asarray(image), int(rng.integers(100)), axis=0)
        (folder / f"{index}.jpg").write_bytes(
            encode(pixels, "JPEG", quality=int(rng.integers(75, 96)))
        )
        values = (f"{index}.jpg", index % 2, "toy" if index % 2 else "camera", "toy", str(index))
        for key, value in zip(rows, values, strict=True):
            rows[key].append(value)
    return Manifest(pa.table(rows), folder)


class WholeImages(Dataset[Sample]):
    """The usual way: decode, degrade the whole image, crop at the end."""

    def __init__(self, manifest: Manifest, preprocess: Preprocess) -> None:
        self.paths = [manifest.root / p for p in manifest.column("path")]
        self.preprocess, self.chain = preprocess, degrade.parse(CHAIN)

    def __getitem__(self, draw: Draw) -> Sample:
        rng = np.random.default_rng([draw.epoch, draw.position])
        pixels, _ = self.chain(decode(self.paths[draw.row]).pixels, rng)
        pixels = self.preprocess.fit(pixels)
        top, left = (int(rng.integers(n - self.preprocess.size + 1)) for n in pixels.shape[:2])
        size = self.preprocess.size
        return Sample(pixels[top : top + size, left : left + size], draw.row % 2, draw.row)


def draws(images: int, batch: int, batches: int, epoch: int) -> Iterator[list[Draw]]:
    for index in range(batches):
        yield [Draw((index * batch + i) % images, epoch, index * batch + i) for i in range(batch)]


def feed(images: Dataset[Sample], options: argparse.Namespace, epoch: int) -> DataLoader[Sample]:
    return DataLoader(
        images,
        batch_sampler=list(draws(96, options.batch, options.steps + 2, epoch)),
        num_workers=options.workers,
        collate_fn=Collate(Preprocess(size=options.size)),
        prefetch_factor=4 if options.workers else None,
    )


def steps_per_second(batches: Iterator[Batch], options: argparse.Namespace) -> float:
    """Training steps a second, the first two not counted; without a model only the loading."""
    torch.manual_seed(0)
    model = models.create(options.model) if options.model != "none" else None
    optimizer = torch.optim.AdamW(model.parameters()) if model else None
    started = 0.0
    for step, batch in enumerate(batches):
        if step == 2:
            started = time.perf_counter()
        if model is not None and optimizer is not None:
            loss = torch.nn.functional.binary_cross_entropy_with_logits(
                model(batch.images), batch.labels
            )
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    return options.steps / (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--side", type=int, nargs="+", default=[320, 1024])
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--model", default="efficientnet_b0", help="or 'none': loading alone")
    options = parser.parse_args()
    preprocess = Preprocess(size=options.size)
    settings = AugmentSettings(history="match", degrade=CHAIN)
    shape = (options.batch, 3, options.size, options.size)
    ready = Batch(
        torch.randn(shape), torch.arange(options.batch) % 2.0, torch.arange(options.batch), ()
    )
    base = 0.0
    print(
        f"{options.model}, batch {options.batch} of {options.size} px, {options.workers} workers, "
    )
    print(f"{torch.get_num_threads()} torch threads\n{'fed with':46s} steps/s   share   images/s")
    if options.model != "none":
        base = steps_per_second(iter([ready] * (options.steps + 2)), options)
        print(
            f"{'tensors in memory (rival)':46s} {base:7.2f} {1:7.2f} {base * options.batch:10.0f}"
        )
    for side in options.side:
        with tempfile.TemporaryDirectory() as folder:
            manifest = photographs(Path(folder), side)
            anew = TrainingImages(manifest, preprocess, settings)
            kept = TrainingImages(manifest, preprocess, settings, cache_bytes=1 << 30)
            for row in range(96):
                kept[row]  # fills the cache
            ways = {"decoded anew": anew, "kept in memory": kept}
            ways["decoded anew, whole image degraded"] = WholeImages(manifest, preprocess)  # type: ignore[assignment]
            for name, images in ways.items():
                speed = steps_per_second(iter(feed(images, options, 1)), options)
                share = f"{speed / base:7.2f}" if base else "       "
                label = f"{side} px JPEG, {name}"
                print(f"{label:46s} {speed:7.2f} {share} {speed * options.batch:10.0f}", flush=True)


if __name__ == "__main__":
    main()
