"""A pooled head on the co-occurrences of residuals."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from authentiscan.core.errors import UsageError
from authentiscan.models.base import ImageClassifier, PooledHead
from authentiscan.models.cooccurrence.front import LocalCoOccurrences

_RARE = 1e-6
"""Added to shares, so that the root's slope stays finite for combinations that do not occur."""

_OUTLIER = 4.0
"""Standard deviations at which a share stops counting: rare combinations have heavy tails."""


class SharesHead(PooledHead):
    """A pooled head for shares: their roots are brought to zero mean and unit variance first.

    The root evens out the spread of rare and of common combinations (Hellinger distance). noise:
    standard deviation of what is added in training; drop: share of channels dropped then.
    """

    def __init__(
        self,
        channels: int,
        widths: Sequence[int],
        dropouts: Sequence[float],
        *,
        noise: float,
        drop: float,
    ) -> None:
        super().__init__(channels, widths, dropouts)
        self.norm = nn.BatchNorm1d(channels, affine=False)
        self.drop = nn.Dropout(drop)
        self.noise = noise

    def prepare(self, pooled: Tensor) -> Tensor:
        """Normalised roots (N, C) of shares (N, C)."""
        normal = torch.clamp(self.norm(torch.sqrt(pooled + _RARE)), -_OUTLIER, _OUTLIER)
        if self.training and self.noise:
            normal = normal + self.noise * torch.randn_like(normal)
        dropped: Tensor = self.drop(normal)
        return dropped

    def slope(self, pooled: Tensor) -> Tensor:
        """Derivative of `prepare` in evaluation mode; 0 where a share counts as an outlier."""
        root = torch.sqrt(pooled + _RARE)
        variance = self.norm.running_var
        assert variance is not None
        scale = torch.rsqrt(variance + self.norm.eps)
        inside = (self.norm(root).abs() <= _OUTLIER).to(pooled.dtype)
        steepness: Tensor = inside * scale / (2 * root)
        return steepness


class CoOccurrenceClassifier(ImageClassifier):
    """Co-occurrences by cell -> global average -> normalised roots -> head -> one logit.

    Only the head learns. The input holds pixel values 0..255: a preprocessing record with mean 0
    and std 1/255.

    cells: rows and columns of cells of the heatmap. noise, dropout: see `SharesHead`. head_widths,
    head_dropouts: of the `PooledHead`. Raises UsageError for less than one cell.
    """

    def __init__(
        self,
        *,
        cells: int = 4,
        noise: float = 0.3,
        dropout: float = 0.1,
        head_widths: Sequence[int] = (64, 64),
        head_dropouts: Sequence[float] = (0.5, 0.5),
    ) -> None:
        if cells < 1:
            raise UsageError(f"cells must be at least 1, got {cells}")
        front = LocalCoOccurrences(cells)
        head = SharesHead(front.channels, head_widths, head_dropouts, noise=noise, drop=dropout)
        super().__init__(front, head)
