"""U-Net residual -> normalised -> EfficientNet -> embedding."""

from __future__ import annotations

from torch import Tensor, nn

from authentiscan.models.attributor.base import AttributorNetwork
from authentiscan.models.backbone.classifier import feature_maps
from authentiscan.models.unet import ResidualExtractor, normalised


class FingerprintNetwork(AttributorNetwork):
    """Names generators by the residual that a U-Net extracts.

    backbone: a convolutional timm network that reads the residual; with ``pretrained`` from
    ImageNet weights. width: of the embedding. channels, depth, limit: of the `ResidualExtractor`.
    """

    def __init__(
        self,
        classes: int,
        backbone: str = "efficientnet_b0",
        pretrained: bool = False,
        *,
        width: int = 64,
        channels: int = 32,
        depth: int = 3,
        limit: float = 0.25,
        dropout: float = 0.3,
    ) -> None:
        super().__init__(width, classes)
        self.extractor = ResidualExtractor(channels, depth, limit)
        self.reader, found = feature_maps(backbone, pretrained=pretrained)
        self.dropout = nn.Dropout(dropout)
        self.project = nn.Linear(found, width)

    def residual(self, x: Tensor) -> Tensor:
        """Residual (N, 3, S, S) of ``x``; ``x`` minus residual is the cleaned image."""
        residual: Tensor = self.extractor(x)
        return residual

    def embed_residual(self, residual: Tensor) -> Tensor:
        """Embedding (N, width) of residuals."""
        maps = self.reader(normalised(residual))
        embedding: Tensor = self.project(self.dropout(maps.mean(dim=(2, 3))))
        return embedding

    def embed(self, x: Tensor) -> Tensor:
        """Embedding (N, width) of input (N, 3, S, S)."""
        return self.embed_residual(self.residual(x))
