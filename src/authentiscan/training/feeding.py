"""Between data sets and the loop: loaders, devices, unreadable images, validation, progress."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import numpy as np
import torch
from lightning.fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader

from authentiscan.core.errors import TrainingError
from authentiscan.core.watchdog import watched
from authentiscan.manifest.table import Manifest
from authentiscan.metrics.ranking import METRICS, measure
from authentiscan.models.base import ImageClassifier
from authentiscan.training.loaders import Batch
from authentiscan.training.parts import SOURCE
from authentiscan.training.recipe import Recipe
from authentiscan.training.sampling import EpochPlan


class Rows(Protocol):
    """A torch data set over a manifest: `TrainingImages`, `ValidationImages` or their features."""

    manifest: Manifest

    def __len__(self) -> int:
        """Rows of the manifest."""
        ...

    def __getitem__(self, index: Any) -> Any:
        """A sample, by `Draw` or row."""
        ...


@dataclass(frozen=True)
class TrainingData:
    """What an engine reads: data sets for training and validation, the plan of the epochs, and what
    makes a `Batch` of their samples.
    """

    train: Rows
    val: Rows
    plan: EpochPlan
    collate: Callable[[Sequence[Any]], Batch]


@dataclass(frozen=True)
class Feeder:
    """Makes loaders as the recipe says and brings their batches to the device."""

    recipe: Recipe
    collate: Callable[[Sequence[Any]], Batch]
    fabric: Fabric

    def loader(self, images: Any, **options: Any) -> DataLoader[Any]:
        """A loader over ``images``; its workers stay where it has a batch sampler."""
        workers = self.recipe.workers
        return DataLoader(
            images,
            num_workers=workers,
            collate_fn=self.collate,
            pin_memory=self.fabric.device.type == "cuda",
            persistent_workers=workers > 0 and "batch_sampler" in options,
            prefetch_factor=4 if workers else None,
            generator=torch.Generator(),  # leaves the global one to dropout
            **options,
        )

    def batches(self, loader: DataLoader[Any]) -> Iterator[Any]:
        """The batches of ``loader``; a line says so where none comes for long."""
        return watched(loader, what="reading images", waiting="a reader process, or the disk")

    def checks(self, images: int) -> int:
        """Steps of a validation of so many ``images``."""
        mine = -(-images // self.fabric.world_size)
        return -(-mine // (2 * self.recipe.batch_size))

    def on_device(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Images (N, 3, S, S) and labels (N,) of ``batch`` where the model is."""
        images = batch.images.to(self.fabric.device, non_blocking=True)
        if self.recipe.channels_last:
            images = images.contiguous(memory_format=torch.channels_last)
        return images, batch.labels.to(self.fabric.device, non_blocking=True)


def note_failures(
    batch: Batch, images: Rows, unreadable: dict[int, str], limit: float
) -> list[str]:
    """Add the unreadable images of ``batch`` to ``unreadable``; gives what to tell of the new ones.

    Raises TrainingError beyond the share ``limit`` of all images (one is always allowed).
    """
    skipped = []
    for row, reason in batch.failures:
        if row not in unreadable:
            unreadable[row] = f"{images.manifest[row].name}: {reason}"
            skipped.append(unreadable[row])
    if len(unreadable) > max(1.0, limit * len(images)):
        examples = "\n".join(f"  {text}" for text in list(unreadable.values())[:5])
        raise TrainingError(
            f"{len(unreadable)} of {len(images)} training images cannot be read, more than "
            f"max_unreadable={limit:g} allows; the first are:\n{examples}"
        )
    return skipped


@torch.no_grad()
def validate(
    model: ImageClassifier,
    images: Rows,
    feeder: Feeder,
    step: Callable[[], None],
) -> dict[str, float]:
    """``val_loss`` and every metric as ``val_<name>``, of the centre crops of ``images``.

    All processes take a part of the images and get the figures of all of them.
    """
    model.eval()
    fabric, total = feeder.fabric, len(images)
    world, rank = fabric.world_size, fabric.global_rank
    mine = range(rank, total, world)
    found = torch.full((-(-total // world),), torch.nan, device=fabric.device)
    loader = feeder.loader(images, sampler=mine, batch_size=2 * feeder.recipe.batch_size)
    for batch in feeder.batches(loader):
        pixels, _ = feeder.on_device(batch)
        if len(batch.rows):
            with fabric.autocast():
                logits = model(pixels).float()
            found[(batch.rows // world).to(found.device)] = logits
        step()
    everything = cast("Tensor", fabric.all_gather(found))
    gathered = everything.reshape(world, -1).T.reshape(-1)[:total]
    weights = share_weights(images.manifest, feeder.recipe)
    return figures(images.manifest.labels, gathered.double().cpu().numpy(), weights)


@torch.no_grad()
def probe(model: ImageClassifier, images: Rows, feeder: Feeder, steps: int) -> int:
    """The first ``steps`` of a validation, for their time; how many there were."""
    model.eval()
    done = 0
    loader = feeder.loader(images, batch_size=2 * feeder.recipe.batch_size)
    for done, batch in enumerate(feeder.batches(loader), 1):
        pixels, _ = feeder.on_device(batch)
        if len(batch.rows):
            model(pixels).sum().item()
        if done >= steps:
            break
    return done


def share_weights(manifest: Manifest, recipe: Recipe) -> NDArray[np.float64] | None:
    """Weights (N,) by which every data set counts as its share, whatever its number of images; None
    where every image counts alike.
    """
    shares = {source.name: source.share for source in recipe.data if source.share is not None}
    if recipe.monitor_by == "image" or not shares:
        return None
    sources = np.asarray(manifest.column(SOURCE))
    weights = np.zeros(len(sources))
    for name, share in shares.items():
        mine = sources == name
        weights[mine] = share / max(1, mine.sum())
    return np.asarray(weights * len(weights) / weights.sum())


def figures(
    labels: NDArray[np.generic],
    logits: NDArray[np.float64],
    weights: NDArray[np.float64] | None = None,
) -> dict[str, float]:
    """``val_loss`` (mean binary cross-entropy) and all metrics of logits (N,), NaN where unread."""
    read = np.isfinite(logits)
    truth = labels[read].astype(np.int64)
    if len(np.unique(truth)) < 2:
        raise TrainingError(
            f"only {int(read.sum())} of {len(read)} validation images gave a finite logit, and not "
            "of both classes; check the images and the learning rate"
        )
    logits = logits[read]
    losses = np.logaddexp(0.0, logits) - truth * logits
    scores = 1 / (1 + np.exp(-np.clip(logits, -60, 60)))
    counted = None if weights is None else weights[read]
    measured = measure(truth, scores, weights=counted)
    loss = float(np.average(losses, weights=counted))
    return {"val_loss": loss} | {f"val_{k}": float(measured[k]) for k in METRICS}
