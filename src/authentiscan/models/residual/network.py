"""A small residual network behind a fixed front end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from authentiscan.core.errors import UsageError
from authentiscan.models.base import ImageClassifier, PooledHead
from authentiscan.models.residual.fronts import create_front

Activation = Literal["relu", "silu"]


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with normalisation, added to their input (He et al., CVPR 2016)."""

    def __init__(self, before: int, after: int, stride: int, activation: Activation) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(after)
        self.act1 = _activation(activation)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(after)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or before != after:
            self.shortcut = nn.Sequential(
                nn.Conv2d(before, after, 1, stride=stride, bias=False), nn.BatchNorm2d(after)
            )
        self.act2 = _activation(activation)

    def forward(self, x: Tensor) -> Tensor:
        """(N, before, H, W) -> (N, after, H / stride, W / stride)."""
        inner = self.norm2(self.conv2(self.act1(self.norm1(self.conv1(x)))))
        outer: Tensor = self.act2(inner + self.shortcut(x))
        return outer


class _Residual(nn.Module):
    def __init__(
        self,
        *,
        front: str,
        widths: Sequence[int],
        depths: Sequence[int],
        stem_stride: int,
        stem_kernel: int,
        activation: Activation,
    ) -> None:
        super().__init__()
        self.front, channels = create_front(front)
        self.stem = nn.Sequential(
            nn.Conv2d(
                channels,
                widths[0],
                stem_kernel,
                stride=stem_stride,
                padding=stem_kernel // 2,
                bias=False,
            ),
            nn.BatchNorm2d(widths[0]),
            _activation(activation),
        )
        stages: list[nn.Module] = []
        before = widths[0]
        for index, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            for position in range(depth):
                stride = 2 if index and not position else 1
                stages.append(ResidualBlock(before, width, stride, activation))
                before = width
        self.stages = nn.ModuleList(stages)
        self.checkpointing = False

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(self.front(x))
        for stage in self.stages:
            if self.checkpointing and self.training and torch.is_grad_enabled():
                x = checkpoint(stage, x, use_reentrant=False)
            else:
                x = stage(x)
        return x

    def set_grad_checkpointing(self, enable: bool) -> None:
        self.checkpointing = enable


class ResidualClassifier(ImageClassifier):
    """Fixed ``front`` -> stem -> residual stages -> global average pool -> head -> one logit.

    front: ``none`` (pixels), ``npr``, ``highpass``, or either beside the pixels (``rgb+npr``,
        ``rgb+highpass``); see `authentiscan.models.residual.fronts`.
    widths, depths: channels and blocks of each stage; every stage after the first halves the maps.
    stem_stride, stem_kernel: of the first convolution.
    head_widths, head_dropouts: of the `PooledHead`.
    Raises UsageError for an unknown front or activation, or lists that do not fit together.
    """

    def __init__(
        self,
        *,
        front: str = "highpass",
        widths: Sequence[int] = (32, 64, 128, 256),
        depths: Sequence[int] = (1, 2, 2, 1),
        stem_stride: int = 2,
        stem_kernel: int = 3,
        activation: Activation = "relu",
        head_widths: Sequence[int] = (128,),
        head_dropouts: Sequence[float] = (0.3,),
    ) -> None:
        if not widths or len(widths) != len(depths) or min([*widths, *depths]) < 1:
            raise UsageError(
                f"widths {list(widths)} and depths {list(depths)} must be of one length, all >= 1"
            )
        body = _Residual(
            front=front,
            widths=widths,
            depths=depths,
            stem_stride=stem_stride,
            stem_kernel=stem_kernel,
            activation=activation,
        )
        super().__init__(body, PooledHead(widths[-1], head_widths, head_dropouts))
        _initialise(body)


def _activation(name: str) -> nn.Module:
    if name == "relu":
        return nn.ReLU(inplace=True)
    if name == "silu":
        return nn.SiLU(inplace=True)
    raise UsageError(f"unknown activation {name!r}; allowed: relu, silu")


def _initialise(body: nn.Module) -> None:
    """He initialisation; each block's last normalisation starts at 0, so it starts as identity."""
    for module in body.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    for module in body.modules():
        if isinstance(module, ResidualBlock):
            nn.init.zeros_(module.norm2.weight)
