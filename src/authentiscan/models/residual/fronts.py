"""Fixed front ends: what of the pixels the network sees. None of them is trained."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from authentiscan.core.errors import UsageError


class Neighbours(nn.Module):
    """Neighbouring-pixel relationships: each pixel minus the top-left one of its 2x2 cell.

    Upsampling layers of generators leave structure inside such cells (Tan et al., *Rethinking the
    Up-Sampling Operations in CNN-based Generative Network*, CVPR 2024). (N, 3, H, W) -> same shape;
    H and W must be even.
    """

    channels = 3

    def forward(self, x: Tensor) -> Tensor:
        """Differences within 2x2 cells; the top-left of each is 0."""
        corner = functional.interpolate(x[:, :, ::2, ::2], scale_factor=2.0, mode="nearest")
        return x - corner


class HighPass(nn.Module):
    """Four high-pass kernels on each colour: two first differences, the 3x3 and 5x5 of SRM.

    Fridrich and Kodovsky, *Rich Models for Steganalysis of Digital Images*, TIFS 2012.
    (N, 3, H, W) -> (N, 12, H, W); borders are repeated outwards, so they stay quiet.
    """

    channels = 12

    def __init__(self) -> None:
        super().__init__()
        kernels = _srm_kernels()  # (4, 5, 5)
        self.register_buffer("kernels", kernels.repeat(3, 1, 1).unsqueeze(1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Four residuals of red, then of green, then of blue."""
        assert isinstance(self.kernels, Tensor)
        padded = functional.pad(x, (2, 2, 2, 2), mode="replicate")
        return functional.conv2d(padded, self.kernels, groups=3)


class _Normalised(nn.Module):
    """A filter with its output brought to unit variance: residuals are 10 to 50 times smaller."""

    def __init__(self, filter_: Neighbours | HighPass) -> None:
        super().__init__()
        self.filter = filter_
        self.norm = nn.BatchNorm2d(filter_.channels, affine=False)
        self.channels = filter_.channels

    def forward(self, x: Tensor) -> Tensor:
        normal: Tensor = self.norm(self.filter(x))
        return normal


class _BesideColours(nn.Module):
    """The pixels themselves and their residuals, as channels."""

    def __init__(self, front: _Normalised) -> None:
        super().__init__()
        self.front = front
        self.channels = 3 + front.channels

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.front(x)], dim=1)


class _Colours(nn.Identity):
    channels = 3


def _srm_kernels() -> Tensor:
    kernels = torch.zeros(4, 5, 5)
    kernels[0, 2, 2], kernels[0, 2, 3] = -1.0, 1.0
    kernels[1, 2, 2], kernels[1, 3, 2] = -1.0, 1.0
    kernels[2, 1:4, 1:4] = torch.tensor([[-1.0, 2, -1], [2, -4, 2], [-1, 2, -1]]) / 4
    kernels[3] = (
        torch.tensor(
            [
                [-1.0, 2, -2, 2, -1],
                [2, -6, 8, -6, 2],
                [-2, 8, -12, 8, -2],
                [2, -6, 8, -6, 2],
                [-1, 2, -2, 2, -1],
            ]
        )
        / 12
    )
    return kernels


FRONTS: dict[str, Callable[[], nn.Module]] = {
    "none": _Colours,
    "npr": lambda: _Normalised(Neighbours()),
    "highpass": lambda: _Normalised(HighPass()),
    "rgb+npr": lambda: _BesideColours(_Normalised(Neighbours())),
    "rgb+highpass": lambda: _BesideColours(_Normalised(HighPass())),
}
"""Front ends by name; each module has an int attribute ``channels``."""


def create_front(name: str) -> tuple[nn.Module, int]:
    """The front end ``name`` and the number of channels it gives; UsageError for another name."""
    if name not in FRONTS:
        raise UsageError(f"unknown front end {name!r}; allowed: {', '.join(FRONTS)}")
    front = FRONTS[name]()
    channels = front.channels
    assert isinstance(channels, int)
    return front, channels
