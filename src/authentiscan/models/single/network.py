"""Image -> features -> embedding."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from authentiscan.models.attributor.base import AttributorNetwork
from authentiscan.models.backbone.classifier import feature_maps
from authentiscan.models.layers.front import FrozenLayers
from authentiscan.models.layers.network import MomentsHead


class SingleNetwork(AttributorNetwork):
    """A timm ``backbone``, pooled, projected to ``width`` numbers; all of it learns."""

    def __init__(
        self,
        classes: int,
        backbone: str = "efficientnet_b0",
        pretrained: bool = False,
        *,
        width: int = 64,
        dropout: float = 0.3,
    ) -> None:
        super().__init__(width, classes)
        self.reader, channels = feature_maps(backbone, pretrained=pretrained)
        self.dropout = nn.Dropout(dropout)
        self.project = nn.Linear(channels, width)

    def embed(self, x: Tensor) -> Tensor:
        """Embedding (N, width) of input (N, 3, S, S)."""
        embedding: Tensor = self.project(self.dropout(self.reader(x).mean(dim=(2, 3))))
        return embedding


class FrozenSingleNetwork(AttributorNetwork):
    """Moments of a frozen ``backbone``'s maps at all depths, one hidden layer of ``width``.

    noise, dropout: see `MomentsHead`. The input's side is a multiple of 32. ``averaged`` and
    `embed_averaged` part the fixed work from what learns.
    """

    def __init__(
        self,
        classes: int,
        backbone: str = "tf_efficientnet_lite0",
        pretrained: bool = False,
        *,
        width: int = 64,
        noise: float = 0.3,
        dropout: float = 0.3,
    ) -> None:
        super().__init__(width, classes)
        self.front = FrozenLayers(backbone, pretrained=pretrained)
        self.head = MomentsHead(self.front.squared, (width,), (0.0,), noise=noise, drop=dropout)
        self.head.out = nn.Identity()  # type: ignore[assignment]

    def averaged(self, x: Tensor) -> Tensor:
        """Averaged maps (N, C) of input (N, 3, S, S): what never changes."""
        maps: Tensor = self.front(x)
        return maps.mean(dim=(2, 3))

    def embed_averaged(self, averaged: Tensor) -> Tensor:
        """Embedding (N, width) of averaged maps (N, C)."""
        embedding: Tensor = torch.relu(self.head.hidden[0](self.head.prepare(averaged)))
        return embedding

    def embed(self, x: Tensor) -> Tensor:
        """Embedding (N, width) of input (N, 3, S, S)."""
        return self.embed_averaged(self.averaged(x))
