"""Low-rank updates of frozen linear layers (Hu et al., ICLR 2022)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

_ADAPTED = ("qkv", "proj", "fc1", "fc2", "q_proj", "k_proj", "v_proj", "w12", "w3")


class LowRank(nn.Module):
    """``linear`` plus ``up`` times ``down``, which begins as nothing and is all that learns."""

    def __init__(self, linear: nn.Linear, rank: int) -> None:
        super().__init__()
        self.linear = linear
        self.down = nn.Parameter(torch.empty(rank, linear.in_features))
        self.up = nn.Parameter(torch.zeros(linear.out_features, rank))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out)."""
        found: Tensor = self.linear(x) + (x @ self.down.T) @ self.up.T
        return found


def adapt(network: nn.Module, rank: int) -> int:
    """Put `LowRank` around the linear layers of attention and MLP; how many there were.

    Layers whose weight is used without calling them (a query bias that stands apart) stay as they
    are: an update there would be skipped in silence.
    """
    found = 0
    for parent in list(network.modules()):
        apart = getattr(parent, "q_bias", None) is not None
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Linear) and name in _ADAPTED and not (apart and name == "qkv"):
                setattr(parent, name, LowRank(child, rank))
                found += 1
    return found
