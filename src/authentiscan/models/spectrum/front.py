"""The fixed, untrained front end: log power of local frequency bands in six colour planes."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

_PLANES = torch.tensor(
    [
        [0.299, 0.587, 0.114],  # luma
        [-0.1687, -0.3313, 0.5],  # blue and red difference, as in JPEG
        [0.5, -0.4187, -0.0813],
        [1.0, 0.0, 0.0],
        [0.0, 1.0, 0.0],
        [0.0, 0.0, 1.0],
    ]
)
"""Six powers say as much as the whole covariance of red, green and blue at that frequency would."""

_FLOOR = 1e-5
"""Added to every power: about that of rounding to 8 bits, so flat areas do not shout."""


class LocalSpectrum(nn.Module):
    """Pixels (N, 3, S, S) to band maps (N, channels, h, w).

    Overlapping windows of ``window`` x ``window`` pixels, half a window apart, go through a tapered
    two-dimensional DCT. The squared coefficients of both orders of a pair of frequencies are
    averaged (no direction is preferred), then those of 3 x 3 neighbouring windows, every second
    place; then the logarithm. From each place's bands its mean luma band is taken away: contrast
    says nothing of the origin.
    """

    def __init__(self, window: int = 32) -> None:
        super().__init__()
        position = torch.arange(window, dtype=torch.float64)
        taper = torch.sin(math.pi * (position + 0.5) / window)
        order = torch.arange(window, dtype=torch.float64)[:, None]
        basis = torch.cos(math.pi * (position + 0.5) * order / window) * taper
        basis *= 2 / math.sqrt(window)  # white noise keeps its variance
        self.window = window
        self.register_buffer("planes", _PLANES[:, :, None, None].clone(), persistent=False)
        self.register_buffer("basis", basis.float(), persistent=False)  # (frequency, position)
        first, second = torch.triu_indices(window, window)
        keep = first + second > 2  # the taper spreads brightness over the lowest bands
        self.register_buffer("pair", first[keep] * window + second[keep], persistent=False)
        self.register_buffer("swapped", second[keep] * window + first[keep], persistent=False)
        self.bands = int(keep.sum())
        self.channels = len(_PLANES) * self.bands

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, S, S) pixels with 0 for mid grey -> (N, channels, h, w) log powers."""
        basis = self.get_buffer("basis")
        size, step, planes = self.window, self.window // 2, len(_PLANES)
        x = functional.conv2d(x, self.get_buffer("planes"))
        height, width = x.shape[2:]
        x = x.reshape(-1, 1, height, width)
        x = functional.conv2d(x, basis[:, None, None, :], stride=(1, step))  # (NP, fx, H, w)
        x = x.reshape(-1, 1, height, x.shape[3])
        x = functional.conv2d(x, basis[:, None, :, None], stride=(step, 1))  # (NPfx, fy, h, w)
        x = x.reshape(-1, size * size, x.shape[2], x.shape[3]).square()
        x = x[:, self.get_buffer("pair")] + x[:, self.get_buffer("swapped")]
        x = torch.log(functional.avg_pool2d(x, 3, stride=2) * 0.5 + _FLOOR)
        x = x.reshape(-1, planes, self.bands, x.shape[2], x.shape[3])
        x = x - x[:, :1].mean(dim=2, keepdim=True)
        return x.flatten(1, 2)
