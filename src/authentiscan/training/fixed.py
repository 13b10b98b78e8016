"""Training the head alone on features that are computed once.

Where nothing of a backbone learns, its maps of an augmented crop never change. So a few augmented
crops are drawn of every training image, their averaged maps are kept, and the usual engine trains
the head on them: epochs take seconds, and a head needs many.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from authentiscan.core.errors import UsageError
from authentiscan.manifest.table import Manifest
from authentiscan.models.base import ImageClassifier
from authentiscan.training.feature_cache import FeatureCache, backbone_identity, crop_keys
from authentiscan.training.feeding import Feeder, Rows, TrainingData
from authentiscan.training.loaders import Batch, Draw, Sample
from authentiscan.training.reporter import Reporter


class Features(NamedTuple):
    """Averaged maps (C, 1, 1) of one crop, or None and the reason why there are none."""

    maps: NDArray[np.float32] | None
    label: int
    row: int
    failure: str | None


class FeatureRows(Dataset[Features]):
    """Averaged maps of every row, ``values`` (draws, N, C) with NaN where an image was unreadable.

    Indexed by `Draw` (the epoch chooses among the draws), or by a row number.
    """

    def __init__(
        self, manifest: Manifest, values: NDArray[np.float32], failures: dict[int, str]
    ) -> None:
        self.manifest = manifest
        self._values, self._failures, self._labels = values, failures, manifest.labels

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, draw: Draw | int) -> Features:
        row, epoch = (draw.row, draw.epoch) if isinstance(draw, Draw) else (int(draw), 0)
        label = int(self._labels[row])
        if row in self._failures:
            return Features(None, label, row, self._failures[row])
        maps = self._values[epoch % len(self._values), row]
        return Features(maps[:, None, None], label, row, None)


def collate(samples: Sequence[Features]) -> Batch:
    """A `Batch` whose images are averaged maps (N, C, 1, 1)."""
    read = [sample for sample in samples if sample.maps is not None]
    maps = [sample.maps for sample in read if sample.maps is not None]
    return Batch(
        images=torch.from_numpy(np.stack(maps)) if maps else torch.empty(0),
        labels=torch.tensor([sample.label for sample in read], dtype=torch.float32),
        rows=torch.tensor([sample.row for sample in read], dtype=torch.int64),
        failures=tuple((s.row, s.failure) for s in samples if s.failure is not None),
    )


@dataclass(frozen=True)
class _Draws(Dataset[Sample]):
    """Every row of ``images`` once, as draw number ``number``."""

    images: Rows
    number: int
    count: int

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, row: int) -> Sample:
        sample: Sample = self.images[Draw(row, self.number, row)]
        return sample


def head_only(
    model: ImageClassifier,
    data: TrainingData,
    feeder: Feeder,
    draws: int,
    reporter: Reporter,
    *,
    kept: Path | None = None,
) -> tuple[ImageClassifier, TrainingData]:
    """A classifier that shares ``model``'s head and takes averaged maps, and such data for it.

    draws: augmented crops of every training image. kept: folder in which features are looked for
    and left. Raises UsageError for a backbone that learns.
    """
    if any(True for _ in model.backbone.parameters()):
        raise UsageError(
            f"feature_draws needs a backbone in which nothing learns; that of "
            f"{model.architecture[0]!r} has {len(model.blocks())} layers that do"
        )
    model.to(feeder.fabric.device).eval()
    rows = [_Draws(data.train, number, len(data.train)) for number in range(draws)]
    sizes = [len(data.train)] * draws + [len(data.val)]
    steps = sum(-(-size // _BATCH) for size in sizes)
    cache = FeatureCache(kept / backbone_identity(model.backbone)) if kept else None
    reporter.start("features" if cache is None else f"features ({len(cache):,} kept)", steps)
    try:
        found = [_averaged(model, part, feeder, reporter, cache) for part in rows]
        of_val = _averaged(model, data.val, feeder, reporter, cache)
    finally:  # an interrupted run leaves what it computed
        if cache is not None:
            cache.flush()
    train = FeatureRows(data.train.manifest, np.stack([values for values, _ in found]), found[0][1])
    val = FeatureRows(data.val.manifest, *_single(of_val))
    learner = ImageClassifier(nn.Identity(), model.head)
    learner.architecture = model.architecture
    return learner, TrainingData(train=train, val=val, plan=data.plan, collate=collate)


_BATCH = 64


def _averaged(
    model: ImageClassifier,
    images: Rows | _Draws,
    feeder: Feeder,
    reporter: Reporter,
    cache: FeatureCache | None,
) -> tuple[NDArray[np.float32], dict[int, str]]:
    count = len(images)
    loader: DataLoader[Batch] = feeder.loader(images, batch_size=_BATCH)
    values: NDArray[np.float32] | None = None
    failures: dict[int, str] = {}
    for batch in feeder.batches(loader):
        failures |= dict(batch.failures)
        if len(batch.rows):
            pixels, _ = feeder.on_device(batch)
            found = _features(model, pixels) if cache is None else _kept(model, pixels, cache)
            if values is None:
                values = np.full((count, found.shape[1]), np.nan, dtype=np.float32)
            values[batch.rows.numpy()] = found
        reporter.step()
    return (np.empty((count, 0), dtype=np.float32) if values is None else values), failures


@torch.no_grad()
def _features(model: ImageClassifier, pixels: Tensor) -> NDArray[np.float32]:
    """Averaged maps (N, C) of crops (N, 3, S, S)."""
    averaged: NDArray[np.float32] = model.features(pixels).mean(dim=(2, 3)).float().cpu().numpy()
    return averaged


def _kept(model: ImageClassifier, pixels: Tensor, cache: FeatureCache) -> NDArray[np.float32]:
    """The same in half precision, whether computed now or found: a run comes out alike."""
    keys = crop_keys(pixels)
    new = [i for i, key in enumerate(keys) if cache.get(key) is None]
    if new:
        computed = _features(model, pixels[new]).astype(np.float16)
        cache.put([keys[i] for i in new], computed)
    found = [cache.get(key) for key in keys]
    return np.stack([one for one in found if one is not None]).astype(np.float32)


def _single(
    found: tuple[NDArray[np.float32], dict[int, str]],
) -> tuple[NDArray[np.float32], dict[int, str]]:
    return found[0][None], found[1]
