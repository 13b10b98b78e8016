"""Raw embeddings of images as inference makes them: all crops, averaged."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from authentiscan.manifest.table import Manifest
from authentiscan.models.attributor import AttributorNetwork
from authentiscan.models.single import FrozenSingleNetwork
from authentiscan.training.attribution.views import ImageViews
from authentiscan.training.reporter import Reporter

Floats = NDArray[np.float64]


class Embedder:
    """Embeds rows of one manifest, by any network; what a frozen front end gives is kept."""

    def __init__(self, views: ImageViews, manifest: Manifest, reporter: Reporter) -> None:
        self._views, self._manifest, self._reporter = views, manifest, reporter
        self._kept: dict[int, Tensor] = {}

    @torch.no_grad()
    def __call__(
        self, network: AttributorNetwork, rows: Sequence[int] | NDArray[np.intp]
    ) -> tuple[list[int], Floats]:
        """The readable ones of ``rows``, and their embeddings (N, D) averaged over crops."""
        network.eval()
        wanted = [int(row) for row in rows]
        found: dict[int, Floats] = {}
        if isinstance(network, FrozenSingleNetwork):
            self._keep(network, [row for row in wanted if row not in self._kept])
            for row in wanted:
                if row in self._kept:
                    found[row] = _mean(network.embed_averaged(self._kept[row]))
        else:
            device = next(network.parameters()).device
            self._reporter.start("embeddings", len(wanted))
            for row, crops in self._views.crops(self._manifest, wanted):
                found[row] = _mean(network.embed(crops.to(device)))
                self._reporter.step()
        read = [row for row in wanted if row in found]
        return read, np.asarray([found[row] for row in read]).reshape(len(read), network.width)

    def _keep(self, network: FrozenSingleNetwork, rows: Sequence[int]) -> None:
        device = next(network.buffers()).device
        if rows:
            self._reporter.start("crops", len(rows))
        for row, crops in self._views.crops(self._manifest, rows):
            self._kept[row] = network.averaged(crops.to(device)).cpu()
            self._reporter.step()


def _mean(values: Tensor) -> Floats:
    averaged: Floats = values.float().mean(dim=0).cpu().numpy().astype(np.float64)
    return averaged
