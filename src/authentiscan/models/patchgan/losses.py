"""The two sides of the least-squares game (Mao et al., ICCV 2017). Targets: 1 photograph, 0 not."""

from __future__ import annotations

from torch import Tensor


def discriminator_loss(photographs: Tensor, cleaned: Tensor) -> Tensor:
    """What the discriminator lowers: logits of ``photographs`` to 1, of ``cleaned`` images to 0."""
    real: Tensor = ((photographs - 1) ** 2).mean()
    false: Tensor = (cleaned**2).mean()
    return (real + false) / 2


def extractor_loss(cleaned: Tensor) -> Tensor:
    """What the extractor lowers: logits of ``cleaned`` images to 1."""
    loss: Tensor = ((cleaned - 1) ** 2).mean()
    return loss
