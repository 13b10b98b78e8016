"""1x1 convolutions on local co-occurrences of residuals."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from authentiscan.core.errors import UsageError
from authentiscan.models.base import ImageClassifier, PooledHead
from authentiscan.models.cooccurrence.front import LocalCoOccurrences

_OUTLIER = 4.0
"""Standard deviations at which a share stops counting: rare combinations have heavy tails."""


class _Cells(nn.Module):
    def __init__(self, cells: int, widths: Sequence[int], dropout: float) -> None:
        super().__init__()
        self.front = LocalCoOccurrences(cells)
        self.norm = nn.BatchNorm2d(self.front.channels, affine=False)
        # A combination is dropped in all cells at once: no single one may decide.
        self.dropout = nn.Dropout2d(dropout)
        layers: list[nn.Module] = []
        before = self.front.channels
        for width in widths:
            layers += [nn.Conv2d(before, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            before = width
        self.layers = nn.Sequential(*layers)
        self.checkpointing = False

    def forward(self, x: Tensor) -> Tensor:
        # The root evens out the spread of rare and of common combinations (Hellinger distance).
        shares = self.norm(torch.sqrt(self.front(x)))
        shares = self.dropout(torch.clamp(shares, -_OUTLIER, _OUTLIER))
        if self.checkpointing and self.training and torch.is_grad_enabled():
            maps: Tensor = checkpoint(self.layers, shares, use_reentrant=False)
        else:
            maps = self.layers(shares)
        return maps

    def set_grad_checkpointing(self, enable: bool) -> None:
        self.checkpointing = enable


class CoOccurrenceClassifier(ImageClassifier):
    """Co-occurrences by cell -> 1x1 convolutions -> global average pool -> head -> one logit.

    The input holds pixel values 0..255: a preprocessing record with mean 0 and std 1/255.

    cells: rows and columns of cells that the input is divided into. widths: channels of the 1x1
    convolutions. dropout: share of combinations dropped in training. head_widths, head_dropouts: of
    the `PooledHead`. Raises UsageError for less than one cell or no widths.
    """

    def __init__(
        self,
        *,
        cells: int = 4,
        widths: Sequence[int] = (96,),
        dropout: float = 0.2,
        head_widths: Sequence[int] = (64,),
        head_dropouts: Sequence[float] = (0.5,),
    ) -> None:
        if cells < 1 or not widths:
            raise UsageError(
                f"cells must be at least 1 and widths not empty, got {cells} and {list(widths)}"
            )
        super().__init__(
            _Cells(cells, widths, dropout), PooledHead(widths[-1], head_widths, head_dropouts)
        )
