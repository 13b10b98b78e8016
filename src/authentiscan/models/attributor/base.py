"""An embedding and a linear layer of one logit a generator."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from torch import Tensor, nn

from authentiscan.core.errors import UsageError


class AttributorNetwork(nn.Module):
    """Input (N, 3, S, S) float32 as `Preprocess.tensor` gives it -> logits (N, K) of K classes.

    ``architecture`` is the name and the arguments that `create_attributor` was called with.
    """

    architecture: tuple[str, dict[str, Any]]

    def __init__(self, width: int, classes: int) -> None:
        """width: numbers of the embedding. Raises UsageError for fewer than two classes."""
        super().__init__()
        if classes < 2:
            raise UsageError(f"an attributor tells 2 generators apart or more, got {classes}")
        self.architecture = (type(self).__name__, {})
        self.width = width
        self.classifier = nn.Linear(width, classes)

    @abstractmethod
    def embed(self, x: Tensor) -> Tensor:
        """Embedding (N, width) of input (N, 3, S, S)."""

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, K)."""
        logits: Tensor = self.classifier(self.embed(x))
        return logits
