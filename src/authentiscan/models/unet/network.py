"""Image in, residual of the same size out."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from authentiscan.core.errors import UsageError

_TINY = 1e-4
"""Added to a residual's variance: a flat one stays flat and does not become noise."""


class ResidualExtractor(nn.Module):
    """U-Net with skip connections: (N, 3, H, W) -> residual (N, 3, H, W) within ``-limit..limit``.

    channels: of the first level; each of the ``depth`` levels below has twice as many and half the
    side. H and W are multiples of 2^depth. limit: in the units of the input, where pixels reach
    from about -1 to 1, so that 0.25 is an eighth of the range. Raises UsageError for a depth under
    1 or a limit that is not above 0.
    """

    def __init__(self, channels: int = 32, depth: int = 3, limit: float = 0.25) -> None:
        super().__init__()
        if depth < 1 or not limit > 0:
            raise UsageError(f"depth is at least 1 and limit above 0, got {depth} and {limit}")
        self.limit = limit
        widths = [channels * 2**level for level in range(depth + 1)]
        self.down = nn.ModuleList(
            _block(3 if level == 0 else widths[level - 1], width)
            for level, width in enumerate(widths)
        )
        self.up = nn.ModuleList(
            _block(widths[level + 1] + widths[level], widths[level]) for level in range(depth)
        )
        self.out = nn.Conv2d(channels, 3, 1)
        # The first residuals are small, so that training starts from the image as it is.
        nn.init.normal_(self.out.weight, std=1e-2)
        nn.init.zeros_(torch.as_tensor(self.out.bias))

    def forward(self, x: Tensor) -> Tensor:
        """Residual of ``x``."""
        levels: list[Tensor] = []
        for block in self.down:
            x = block(functional.avg_pool2d(x, 2) if levels else x)
            levels.append(x)
        x = levels.pop()
        for block in reversed(list(self.up)):
            wider = functional.interpolate(x, scale_factor=2.0, mode="nearest")
            x = block(torch.cat([wider, levels.pop()], dim=1))
        return self.limit * torch.tanh(self.out(x))


def normalised(residual: Tensor) -> Tensor:
    """``residual`` (N, C, H, W) with mean 0 and deviation 1 for each image and channel."""
    centred = residual - residual.mean(dim=(2, 3), keepdim=True)
    variance = (centred * centred).mean(dim=(2, 3), keepdim=True)
    return centred * torch.rsqrt(variance + _TINY * _TINY)


def _block(before: int, after: int) -> nn.Sequential:
    """Two convolutions. Group normalisation: batches of two views must not mix their statistics."""
    groups = next(g for g in (8, 4, 2, 1) if after % g == 0)
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1, bias=False),
        nn.GroupNorm(groups, after),
        nn.ReLU(inplace=True),
        nn.Conv2d(after, after, 3, padding=1, bias=False),
        nn.GroupNorm(groups, after),
        nn.ReLU(inplace=True),
    )
