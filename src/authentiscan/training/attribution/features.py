"""Training on features that are computed once, where the front end never learns."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from authentiscan.models.single import FrozenSingleNetwork
from authentiscan.training.attribution.classes import Classes, moved_up
from authentiscan.training.attribution.recipe import AttributionRecipe
from authentiscan.training.attribution.views import ImageViews, Views
from authentiscan.training.loaders import Sample
from authentiscan.training.reporter import Reporter

_BATCH = 32


class HeadOnly(nn.Module):
    """``network`` from its averaged maps (N, C) on; they share all that learns."""

    def __init__(self, network: FrozenSingleNetwork) -> None:
        super().__init__()
        self.head, self.classifier = network.head, network.classifier
        self._embed = network.embed_averaged

    def forward(self, averaged: Tensor) -> Tensor:
        """Logits (N, K)."""
        logits: Tensor = self.classifier(self._embed(averaged))
        return logits


class FeatureViews:
    """Averaged maps of some augmented views of every training image, and of validation images.

    values: (draws, rows, C), NaN where an image was unreadable. place: row of ``values`` of each
    row of the manifest, -1 for rows that are not trained on. plain: (M, C) of validation images,
    codes: (M,) their classes.
    """

    def __init__(
        self,
        values: NDArray[np.float32],
        place: NDArray[np.int64],
        plain: NDArray[np.float32],
        codes: NDArray[np.int64],
        *,
        row_codes: NDArray[np.int64],
        recipe: AttributionRecipe,
    ) -> None:
        self.values, self.place, self.codes_of = values, place, row_codes
        self._plain, self._codes = torch.from_numpy(plain), torch.from_numpy(codes)
        self._recipe = recipe

    def pairs(self, rows: NDArray[np.intp], epoch: int) -> Iterator[Views]:
        """Batches of two views of ``rows``, drawn anew in every epoch."""
        rng = np.random.default_rng([self._recipe.seed, epoch, 2])
        rows = rows[~np.isnan(self.values[0, self.place[rows], 0])]
        size = self._recipe.batch_size
        for start in range(0, len(rows), size):
            part = rows[start : start + size]
            if len(part) < 2:
                continue
            first = rng.integers(len(self.values), size=len(part))
            second = (first + rng.integers(1, len(self.values), size=len(part))) % len(self.values)
            one, two = (torch.from_numpy(self.values[d, self.place[part]]) for d in (first, second))
            yield Views(one, two, torch.from_numpy(self.codes_of[part]))

    def validation(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Maps (N, C) and classes (N,) of validation images."""
        yield self._plain, self._codes

    def without(self, code: int) -> FeatureViews:
        """The same without the images of one class; later classes move up."""
        kept = self._codes != code
        return FeatureViews(
            self.values,
            self.place,
            self._plain[kept].numpy(),
            moved_up(self._codes[kept].numpy(), code),
            row_codes=moved_up(self.codes_of, code),
            recipe=self._recipe,
        )


@torch.no_grad()
def feature_views(
    network: FrozenSingleNetwork,
    views: ImageViews,
    classes: Classes,
    recipe: AttributionRecipe,
    reporter: Reporter,
) -> FeatureViews:
    """Compute the features of ``recipe.draws`` views of each training image and of validation ones.

    Unreadable images are told in ``views.failures``.
    """
    network.eval()
    device = next(network.buffers()).device
    train, val = classes.rows("train"), classes.rows("val")
    reporter.start("features", len(train) * recipe.draws + len(val))
    channels = network.front.channels
    values = np.full((recipe.draws, len(train), channels), np.nan, dtype=np.float32)
    for start in range(0, len(train), _BATCH):
        part = train[start : start + _BATCH]
        for draw in range(recipe.draws):
            samples = [views.view(int(row), draw) for row in part]
            _fill(network, samples, recipe, values[draw, start : start + len(part)], device)
            views.failures |= {s.row: s.failure for s in samples if s.failure is not None}
            for _ in samples:
                reporter.step()
    place = np.full(len(classes.codes), -1, dtype=np.int64)
    place[train] = np.arange(len(train))
    plain, rows = [], []
    for listed, crops in views.plain(classes.manifest, val):
        plain.append(network.averaged(crops.to(device)).cpu().numpy())
        rows += listed
        for _ in listed:
            reporter.step()
    return FeatureViews(
        values,
        place,
        np.concatenate(plain) if plain else np.empty((0, channels), dtype=np.float32),
        classes.codes[rows],
        row_codes=classes.codes,
        recipe=recipe,
    )


def _fill(
    network: FrozenSingleNetwork,
    samples: list[Sample],
    recipe: AttributionRecipe,
    target: NDArray[np.float32],
    device: torch.device,
) -> None:
    read = [i for i, sample in enumerate(samples) if sample.crop is not None]
    if not read:
        return
    crops = np.stack([crop for sample in samples if (crop := sample.crop) is not None])
    x = torch.from_numpy(recipe.preprocess.tensor(crops)).to(device)
    target[read] = network.averaged(x).cpu().numpy()
