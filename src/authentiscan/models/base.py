"""The shape of every detector: feature maps, a pooled head, one logit, and where it comes from."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from authentiscan.core.errors import UsageError
from authentiscan.core.types import JsonObject


class PooledHead(nn.Module):
    """Global average pool, then linear layers with ReLU and dropout, then one logit.

    ``widths`` and ``dropouts`` go together; empty ones give pool -> linear. The positive direction
    of the logit is *generated*.
    """

    def __init__(
        self,
        channels: int,
        widths: Sequence[int] = (512, 256),
        dropouts: Sequence[float] = (0.5, 0.3),
    ) -> None:
        super().__init__()
        if len(widths) != len(dropouts):
            raise UsageError(
                f"head_widths {list(widths)} and head_dropouts {list(dropouts)} differ in length"
            )
        sizes = [channels, *widths]
        self.hidden = nn.ModuleList(
            nn.Linear(before, after) for before, after in itertools.pairwise(sizes)
        )
        self.dropouts = nn.ModuleList(nn.Dropout(rate) for rate in dropouts)
        self.out = nn.Linear(sizes[-1], 1)

    def forward(self, features: Tensor) -> Tensor:
        """Logits (N,) of feature maps (N, C, h, w)."""
        pooled = self.prepare(features.mean(dim=(2, 3)))
        for linear, dropout in zip(self.hidden, self.dropouts, strict=True):
            pooled = dropout(torch.relu(linear(pooled)))
        logits: Tensor = self.out(pooled).squeeze(1)
        return logits

    def prepare(self, pooled: Tensor) -> Tensor:
        """What the first linear layer sees of the averaged maps (N, C): by default the same."""
        return pooled

    def slope(self, pooled: Tensor) -> Tensor:
        """Derivative of `prepare`, channel by channel: (N, C)."""
        return torch.ones_like(pooled)

    def explain(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (N,) and the signed class activation map (N, h, w), without a backward pass.

        The gradient of the logit with respect to map c is the same number g_c / (h w) at every
        place, because the maps are averaged first. g follows from the linear layers and the ReLUs
        that are open, so Grad-CAM's weighted sum of maps (Selvaraju et al., ICCV 2017) is a closed
        form. Its positive part is Grad-CAM for *generated*, its negative part turned around is
        Grad-CAM for *real*. Use in evaluation mode: dropout is left out.
        """
        averaged = features.mean(dim=(2, 3))
        pooled = self.prepare(averaged)
        opened: list[Tensor] = []
        for layer in self.hidden:
            pooled = torch.relu(layer(pooled))
            opened.append((pooled > 0).to(pooled.dtype))
        logits: Tensor = self.out(pooled).squeeze(1)
        gradient = self.out.weight.expand(pooled.shape[0], -1)
        for layer, gate in zip(reversed(list(self.hidden)), reversed(opened), strict=True):
            assert isinstance(layer, nn.Linear)
            gradient = (gradient * gate) @ layer.weight
        gradient = gradient * self.slope(averaged)
        height, width = features.shape[2:]
        weighted = torch.bmm(gradient.unsqueeze(1), features.flatten(2)) / (height * width)
        return logits, weighted.reshape(-1, height, width)


class ImageClassifier(nn.Module):
    """A detector: ``backbone`` makes feature maps, ``head`` one logit per image.

    Input (N, 3, S, S) float32 as `Preprocess.tensor` gives it; output logits (N,), positive for
    generated. ``architecture`` is the registry's name and arguments.
    """

    architecture: tuple[str, JsonObject]

    def __init__(self, backbone: nn.Module, head: PooledHead) -> None:
        super().__init__()
        self.architecture = (type(self).__name__, {})
        self.backbone = backbone
        self.head = head

    def features(self, x: Tensor) -> Tensor:
        """Last feature maps (N, C, h, w) of input (N, 3, S, S)."""
        maps: Tensor = self.backbone(x)
        return maps

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N,), positive for generated."""
        logits: Tensor = self.head(self.features(x))
        return logits

    def explain(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (N,) and the signed map (N, h, w): see `PooledHead.explain`."""
        return self.head.explain(self.features(x))

    def blocks(self) -> list[tuple[str, nn.Module]]:
        """The backbone's layers that hold parameters themselves: names and modules, in order.

        This is what "the last N layers" counts when a recipe frees part of the backbone:
        convolutions, normalisations and linear layers each count as one, as in Keras; activations,
        pooling and dropout hold nothing and do not count. The head is not listed: it always trains.
        """
        return [
            (f"backbone.{name}", module)
            for name, module in self.backbone.named_modules()
            if any(True for _ in module.parameters(recurse=False))
        ]

    def parameter_count(self) -> int:
        """How many numbers are trained."""
        return sum(parameter.numel() for parameter in self.parameters())

    def set_gradient_checkpointing(self, enable: bool = True) -> None:
        """Trade time for memory in training, where the backbone can; else UsageError."""
        switch = getattr(self.backbone, "set_grad_checkpointing", None)
        if switch is None:
            raise UsageError(f"architecture {self.architecture[0]!r} has no gradient checkpointing")
        switch(enable)


def freeze(network: nn.Module) -> None:
    """Turn every parameter into a buffer of the same name: kept in the weights, never trained."""
    for module in network.modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            delattr(module, name)
            module.register_buffer(name, parameter.detach().clone())
