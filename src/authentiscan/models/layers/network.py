"""A pooled head on the moments of a frozen backbone's maps."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from authentiscan.models.base import ImageClassifier, PooledHead
from authentiscan.models.layers.front import FrozenLayers

_TINY = 1e-6
"""Added to mean squares, so that the root's slope stays finite for maps that are zero."""

_OUTLIER = 4.0
"""Standard deviations at which a figure stops counting."""


class MomentsHead(PooledHead):
    """A pooled head for means and mean squares: roots of the squares, then mean 0 and variance 1.

    noise: standard deviation of what is added in training; drop: share of channels dropped then.
    ``squared`` (channels,) is true where a channel holds squares.
    """

    squared: Tensor

    def __init__(
        self,
        squared: Tensor,
        widths: Sequence[int],
        dropouts: Sequence[float],
        *,
        noise: float,
        drop: float,
    ) -> None:
        super().__init__(len(squared), widths, dropouts)
        self.register_buffer("squared", squared.to(torch.float32), persistent=False)
        self.norm = nn.BatchNorm1d(len(squared), affine=False)
        self.drop = nn.Dropout(drop)
        self.noise = noise

    def prepare(self, pooled: Tensor) -> Tensor:
        """Normalised means and roots (N, C) of averaged maps (N, C)."""
        normal = torch.clamp(self.norm(self._rooted(pooled)), -_OUTLIER, _OUTLIER)
        if self.training and self.noise:
            normal = normal + self.noise * torch.randn_like(normal)
        dropped: Tensor = self.drop(normal)
        return dropped

    def slope(self, pooled: Tensor) -> Tensor:
        """Derivative of `prepare` in evaluation mode; 0 where a figure counts as an outlier."""
        rooted = self._rooted(pooled)
        variance = self.norm.running_var
        assert variance is not None
        scale = torch.rsqrt(variance + self.norm.eps)
        inside = (self.norm(rooted).abs() <= _OUTLIER).to(pooled.dtype)
        root = torch.sqrt(torch.clamp(pooled, min=0) + _TINY)
        inner = self.squared / (2 * root) + (1 - self.squared)
        steepness: Tensor = inside * scale * inner
        return steepness

    def _rooted(self, pooled: Tensor) -> Tensor:
        root = torch.sqrt(torch.clamp(pooled, min=0) + _TINY)
        return self.squared * root + (1 - self.squared) * pooled


class LayersClassifier(ImageClassifier):
    """Frozen ``backbone`` -> moments of all stages' maps -> normalised -> head -> one logit.

    Only the head learns. With ``pretrained`` the ImageNet weights come from an installed package or
    the hub, as for `TimmClassifier`. The input's side is a multiple of 32. noise, dropout: see
    `MomentsHead`. head_widths, head_dropouts: of the `PooledHead`.
    """

    def __init__(
        self,
        backbone: str = "tf_efficientnet_lite0",
        pretrained: bool = False,
        *,
        noise: float = 0.6,
        dropout: float = 0.5,
        head_widths: Sequence[int] = (128,),
        head_dropouts: Sequence[float] = (0.5,),
    ) -> None:
        front = FrozenLayers(backbone, pretrained=pretrained)
        head = MomentsHead(front.squared, head_widths, head_dropouts, noise=noise, drop=dropout)
        super().__init__(front, head)
