"""One logit a patch: positive for a photograph."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from authentiscan.core.errors import UsageError


class PatchDiscriminator(nn.Module):
    """(N, 3, H, W) -> logits (N, 1, h, w) of overlapping patches, positive for *photograph*.

    layers: convolutions of stride 2. With 2 a patch has 34 pixels a side, with 3 it has 70; the
    widths go from ``channels`` up to eight times as many. Raises UsageError for fewer than 1 layer.
    """

    def __init__(self, channels: int = 64, layers: int = 3) -> None:
        super().__init__()
        if layers < 1:
            raise UsageError(f"a patch discriminator has 1 layer or more, got {layers}")
        parts: list[nn.Module] = []
        before = 3
        for level in range(layers + 1):
            after = channels * min(2**level, 8)
            stride = 2 if level < layers else 1
            parts.append(spectral_norm(nn.Conv2d(before, after, 4, stride=stride, padding=1)))
            parts.append(nn.LeakyReLU(0.2, inplace=True))
            before = after
        parts.append(spectral_norm(nn.Conv2d(before, 1, 4, padding=1)))
        self.body = nn.Sequential(*parts)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of all patches of ``x``."""
        logits: Tensor = self.body(x)
        return logits
