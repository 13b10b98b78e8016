"""The fixed front end: first and second moments of a pretrained backbone's maps at every depth."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from authentiscan.core.errors import UsageError
from authentiscan.models.backbone.classifier import backbone_network
from authentiscan.models.base import freeze

STRIDE = 32
"""Of the deepest maps; the input's side is a multiple of it, so that all maps average exactly."""


class FrozenLayers(nn.Module):
    """Input (N, 3, S, S) to maps (N, channels, S / 32, S / 32).

    For every stage its maps and their squares, averaged over the cells of the deepest grid; last
    the maps of the final 1x1 convolution. The mean over the cells is thus the mean over each map.
    Nothing here learns: weights and normalisation statistics are buffers. ``squared`` (channels,)
    is true where a channel holds squares.
    """

    def __init__(self, backbone: str, *, pretrained: bool) -> None:
        super().__init__()
        network = backbone_network(backbone, pretrained=pretrained, drop_path=0.0)
        parts = dict(network.named_children())
        for part in ("conv_stem", "bn1", "blocks", "conv_head", "bn2"):
            if part not in parts:
                raise UsageError(
                    f"backbone {backbone!r} has no {part}; choose one of the EfficientNet family"
                )
        self.stem = nn.Sequential(parts["conv_stem"], parts["bn1"])
        self.stages = cast("nn.Sequential", parts["blocks"])
        self.last = nn.Sequential(parts["conv_head"], parts["bn2"])
        freeze(self)
        self.eval()
        with torch.no_grad():
            sizes = [maps.shape[1] for maps in self._maps(torch.zeros(1, 3, 64, 64))]
        *stages, last = sizes
        squared = [flag for size in stages for flag in [False] * size + [True] * size]
        self.squared = torch.tensor(squared + [False] * last)
        self.channels = len(self.squared)

    def train(self, mode: bool = True) -> FrozenLayers:  # noqa: ARG002
        """Stays in evaluation mode: the normalisation statistics are fixed."""
        super().train(False)
        return self

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, S, S) normalised pixels -> (N, channels, S / 32, S / 32). S a multiple of 32."""
        *stages, last = self._maps(x)
        cells = x.shape[2] // STRIDE
        found = []
        for maps in stages:
            for moment in (maps, maps * maps):
                found.append(functional.avg_pool2d(moment, maps.shape[2] // cells))
        return torch.cat([*found, last], dim=1)

    def _maps(self, x: Tensor) -> list[Tensor]:
        x = self.stem(x)
        found = []
        for stage in self.stages:
            x = stage(x)
            found.append(x)
        return [*found, self.last(x)]
