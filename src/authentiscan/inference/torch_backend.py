"""The same network in torch, from the same bundle: for gradients, comparison and export."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from authentiscan.core.errors import AuthentiscanError, BundleError, MissingExtraError
from authentiscan.images.preprocess import Tensor
from authentiscan.inference.spec import SPEC_FILE, WEIGHTS_FILE, NetworkSpec

if TYPE_CHECKING:
    from authentiscan.models.base import ImageClassifier


def load_model(folder: Path, spec: NetworkSpec) -> ImageClassifier:
    """The bundle's network in evaluation mode, with its safetensors weights.

    Raises MissingExtraError without torch, BundleError where weights and architecture do not fit.
    """
    if spec.foreign:
        raise BundleError(
            f"{folder} holds a graph alone, without weights for torch; it runs on ONNX Runtime "
            "only, so neither learning nor another export is possible"
        )
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ModuleNotFoundError as error:
        raise MissingExtraError("the torch backend", "export") from error
    from authentiscan.models import create

    try:
        model = create(spec.architecture.name, **spec.architecture.arguments)
    except AuthentiscanError:
        raise
    except Exception as error:  # torch and the architectures raise what they like
        raise BundleError(
            f"{folder / SPEC_FILE}: no network can be built of these arguments of architecture "
            f"{spec.architecture.name!r}"
        ) from error
    path = folder / WEIGHTS_FILE
    try:
        weights = load_file(path)
    except (OSError, SafetensorError) as error:
        raise BundleError(f"{path} cannot be read: it is broken or no safetensors file") from error
    try:
        if spec.architecture.arguments.get("pretrained"):  # only what learned is stored
            fixed = {k: v for k, v in model.state_dict().items() if k.startswith("backbone.")}
            weights = fixed | weights
        model.load_state_dict(weights, strict=True)
    except Exception as error:  # RuntimeError, ValueError, KeyError: torch says what it likes
        raise BundleError(
            f"{path} does not fit architecture {spec.architecture.name!r}: {error}"
        ) from error
    return model.eval()


class TorchBackend:
    """The network in torch, on the GPU where there is one. ``model`` is open to explanations."""

    def __init__(self, folder: Path, spec: NetworkSpec, *, threads: int | None = None) -> None:
        self.model = load_model(folder, spec)
        import torch

        if threads is not None:
            torch.set_num_threads(threads)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.model.to(self.device)

    @property
    def explains(self) -> bool:
        """It can: every architecture has its maps."""
        return True

    def logits(self, tensor: Tensor) -> NDArray[np.float32]:
        """Logits (N,) of input (N, 3, S, S)."""
        import torch

        with torch.inference_mode():
            logits = self.model(torch.from_numpy(tensor).to(self.device))
        return np.asarray(logits.cpu().numpy(), dtype=np.float32)

    def explain(self, tensor: Tensor, target: str) -> tuple[NDArray[np.float32], Tensor]:
        """Logits (N,) and Grad-CAM (N, h, w) >= 0 for ``generated`` or ``real``."""
        import torch

        with torch.inference_mode():
            logits, signed = self.model.explain(torch.from_numpy(tensor).to(self.device))
        maps = np.maximum(signed.cpu().numpy() * (1.0 if target == "generated" else -1.0), 0.0)
        return np.asarray(logits.cpu().numpy()), np.asarray(maps, dtype=np.float32)
