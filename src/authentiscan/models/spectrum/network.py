"""A network of 1x1 convolutions on local spectra."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from authentiscan.core.errors import UsageError
from authentiscan.models.base import ImageClassifier, PooledHead
from authentiscan.models.spectrum.front import LocalSpectrum


class _Bands(nn.Module):
    def __init__(self, window: int, widths: Sequence[int], dropout: float) -> None:
        super().__init__()
        self.front = LocalSpectrum(window)
        self.norm = nn.BatchNorm2d(self.front.channels, affine=False)
        # Whole bands are dropped: no single frequency may decide.
        self.dropout = nn.Dropout2d(dropout)
        layers: list[nn.Module] = []
        before = self.front.channels
        for width in widths:
            layers += [nn.Conv2d(before, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            before = width
        self.layers = nn.Sequential(*layers)
        self.checkpointing = False

    def forward(self, x: Tensor) -> Tensor:
        bands = self.dropout(self.norm(self.front(x)))
        if self.checkpointing and self.training and torch.is_grad_enabled():
            maps: Tensor = checkpoint(self.layers, bands, use_reentrant=False)
        else:
            maps = self.layers(bands)
        return maps

    def set_grad_checkpointing(self, enable: bool) -> None:
        self.checkpointing = enable


class SpectrumClassifier(ImageClassifier):
    """Local log spectra -> 1x1 convolutions -> global average pool -> head -> one logit.

    window: side of the DCT windows in pixels, even; the input must be at least two windows wide.
    widths: channels of the 1x1 convolutions. dropout: share of bands dropped in training.
    head_widths, head_dropouts: of the `PooledHead`.
    Raises UsageError for an odd window or no widths.
    """

    def __init__(
        self,
        *,
        window: int = 32,
        widths: Sequence[int] = (128, 128),
        dropout: float = 0.1,
        head_widths: Sequence[int] = (64,),
        head_dropouts: Sequence[float] = (0.3,),
    ) -> None:
        if window < 8 or window % 2 or not widths:
            raise UsageError(
                "window must be even and at least 8 and widths not empty, "
                f"got {window} and {list(widths)}"
            )
        super().__init__(
            _Bands(window, widths, dropout), PooledHead(widths[-1], head_widths, head_dropouts)
        )
