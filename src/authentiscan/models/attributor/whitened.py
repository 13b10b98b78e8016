"""The embedding as it is shipped: centred and whitened, so that plain distances mean something."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from authentiscan.models.attributor.base import AttributorNetwork


class WhitenedEmbedding(nn.Module):
    """``network``'s embedding, minus ``mean`` (D,), times ``whitening`` (D, D) from the right.

    With the inverse root of the scatter within classes as ``whitening``, the Euclidean distance of
    two outputs is the Mahalanobis distance of their embeddings.
    """

    mean: Tensor
    whitening: Tensor

    def __init__(
        self,
        network: AttributorNetwork,
        mean: NDArray[np.float64],
        whitening: NDArray[np.float64],
    ) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.from_numpy(mean.astype(np.float32)))
        self.register_buffer("whitening", torch.from_numpy(whitening.astype(np.float32)))

    def forward(self, image: Tensor) -> Tensor:
        """Whitened embedding (N, D) of input (N, 3, S, S)."""
        features: Tensor = (self.network.embed(image) - self.mean) @ self.whitening
        return features
