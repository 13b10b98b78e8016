"""Augmented views of training images, and the plain view of the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from authentiscan.core.errors import DecodeError, ManifestError, TrainingError
from authentiscan.core.watchdog import watched
from authentiscan.images.decode import decode
from authentiscan.images.history import JpegHistory, needs_history
from authentiscan.images.preprocess import Preprocess
from authentiscan.manifest.history import observe_history
from authentiscan.manifest.table import Manifest
from authentiscan.training.attribution.classes import Classes
from authentiscan.training.attribution.recipe import AttributionRecipe
from authentiscan.training.loaders import (
    Draw,
    EncodedImages,
    Sample,
    TrainingImages,
    ValidationImages,
)

_CACHE_BYTES = 2 << 30
_HISTORY_SAMPLE = 2000


@dataclass(frozen=True)
class Views:
    """Two views (N, 3, S, S) of the same images, and their classes (N,)."""

    first: Tensor
    second: Tensor
    codes: Tensor


class _Pairs(Dataset[tuple[Sample, Sample]]):
    """Two views of each listed row."""

    def __init__(self, images: TrainingImages, rows: NDArray[np.intp], epoch: int) -> None:
        self.images, self.rows, self.epoch = images, rows, epoch

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, place: int) -> tuple[Sample, Sample]:
        row = int(self.rows[place])
        return (
            self.images[Draw(row, 2 * self.epoch, place)],
            self.images[Draw(row, 2 * self.epoch + 1, place)],
        )


class ImageViews:
    """The images of ``classes`` as the recipe treats them; all classes with one history."""

    def __init__(self, classes: Classes, recipe: AttributionRecipe) -> None:
        self.classes, self.recipe = classes, recipe
        history = observe_history(classes.manifest, sample=_HISTORY_SAMPLE, seed=recipe.seed)
        self.history = history
        self._train = TrainingImages(
            classes.manifest, recipe.preprocess, recipe.augment,
            seed=recipe.seed, history=history, cache_bytes=_CACHE_BYTES,
        )  # fmt: skip
        self.failures: dict[int, str] = {}

    def pairs(self, rows: NDArray[np.intp], epoch: int) -> Iterator[Views]:
        """Batches of two views of ``rows`` in that order; unreadable images are left out."""
        loader = DataLoader(
            _Pairs(self._train, rows, epoch),
            batch_size=self.recipe.batch_size,
            num_workers=self.recipe.workers,
            collate_fn=list,
            drop_last=len(rows) > self.recipe.batch_size,
        )
        waiting = "a reader process, or the disk"
        for samples in watched(loader, what="reading images", waiting=waiting):
            for one, _ in samples:
                if one.failure is not None:
                    self.failures[one.row] = one.failure
            read = [pair for pair in samples if pair[0].crop is not None]
            if len(read) > 1:
                yield Views(
                    self._tensor([a for a, _ in read]),
                    self._tensor([b for _, b in read]),
                    torch.from_numpy(self.classes.codes[[a.row for a, _ in read]]),
                )

    def view(self, row: int, draw: int) -> Sample:
        """View number ``draw`` of one training image."""
        return self._train[Draw(row, draw, row)]

    def plain(
        self, manifest: Manifest, rows: Sequence[int] | NDArray[np.intp]
    ) -> Iterator[tuple[list[int], Tensor]]:
        """Rows and their centre crops (N, 3, S, S), history matched, nothing else done."""
        images = ValidationImages(
            manifest, self.recipe.preprocess, self.recipe.augment,
            seed=self.recipe.seed, history=self.history,
        )  # fmt: skip
        size = self.recipe.batch_size
        for start in range(0, len(rows), size):
            samples = [images[int(row)] for row in rows[start : start + size]]
            read = [sample for sample in samples if sample.crop is not None]
            if read:
                yield [sample.row for sample in read], self._tensor(read)

    def crops(self, manifest: Manifest, rows: Sequence[int]) -> Iterator[tuple[int, Tensor]]:
        """Each readable row of ``rows`` with the crops (n, 3, S, S) that inference takes of it,
        history matched.
        """
        images = MatchedCrops(manifest, self.recipe.preprocess, self.history, self.recipe.seed)
        for row in rows:
            found = images[int(row)]
            if found is not None:
                yield int(row), torch.from_numpy(self.recipe.preprocess.tensor(found))

    def validation(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Centre crops (N, 3, S, S) of validation images and their classes (N,)."""
        for rows, crops in self.plain(self.classes.manifest, self.classes.rows("val")):
            yield crops, torch.from_numpy(self.classes.codes[rows])

    def _tensor(self, samples: Sequence[Sample]) -> Tensor:
        crops = np.stack([s.crop for s in samples if s.crop is not None])
        return torch.from_numpy(self.recipe.preprocess.tensor(crops))


class MatchedCrops:
    """The crops (n, S, S, 3) of a row that inference takes, None where it cannot be read.

    The image first gets the encoding history that training images have.
    """

    def __init__(
        self, manifest: Manifest, preprocess: Preprocess, history: JpegHistory, seed: int
    ) -> None:
        self._encoded = EncodedImages(manifest)
        self._preprocess, self._history, self._seed = preprocess, history, seed

    def __getitem__(self, row: int) -> NDArray[np.uint8] | None:
        try:
            content = self._encoded[row]
            image = decode(content)
        except (DecodeError, ManifestError):
            return None
        pixels = image.pixels
        if needs_history(content, image.facts):
            pixels = self._history.apply(pixels, np.random.default_rng([self._seed, row]))
        return self._preprocess.crops(pixels)[0]


def refuse_unreadable(views: ImageViews, rows: int) -> None:
    """Raise TrainingError where more than a tenth of ``rows`` training images was unreadable."""
    if len(views.failures) > rows / 10:
        row, why = next(iter(views.failures.items()))
        raise TrainingError(
            f"{len(views.failures)} of {rows} training images cannot be read, the first in row "
            f"{row}: {why}"
        )
