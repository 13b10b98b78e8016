"""Explanations that need gradients or many passes: the torch backend and, for two, captum.

Each is a `Method`: (network, crops, target) -> logits and maps. The network's detector must be
loaded with ``backend="torch"``.
"""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from authentiscan.core.errors import MissingExtraError, UsageError
from authentiscan.explain.base import ExplainedNetwork, Maps, Target

if TYPE_CHECKING:
    from collections.abc import Callable

    from authentiscan.models.base import ImageClassifier

Attribution = tuple[NDArray[np.float32], Maps]


def model_of(network: ExplainedNetwork) -> ImageClassifier:
    """The torch model of a network on the torch backend; UsageError on another backend."""
    model: ImageClassifier | None = getattr(getattr(network, "backend", None), "model", None)
    if model is None:
        raise UsageError("this explanation needs the torch backend: load_detector(backend='torch')")
    return model


def gradcam_pp(network: ExplainedNetwork, crops: NDArray[np.uint8], target: Target) -> Attribution:
    """Grad-CAM++ (Chattopadhay et al., WACV 2018): maps (N, h, w) weighted by where they matter."""
    model, x = _prepared(network, crops)
    with torch.enable_grad():
        maps = model.features(x).detach().requires_grad_()
        logits = model.head(maps)
        (gradient,) = torch.autograd.grad((_sign(target) * logits).sum(), maps)
    maps = maps.detach()
    square, cube = gradient**2, gradient**3
    below = 2 * square + (maps * cube).sum(dim=(2, 3), keepdim=True)
    alpha = square / torch.where(below.abs() > 1e-12, below, torch.ones_like(below))
    weights = (alpha * gradient.clamp(min=0)).sum(dim=(2, 3), keepdim=True)
    return _numpy(logits), _numpy((weights * maps).sum(1).clamp(min=0))


def integrated_gradients(
    network: ExplainedNetwork, crops: NDArray[np.uint8], target: Target, *, steps: int = 32
) -> Attribution:
    """Integrated gradients (Sundararajan et al., ICML 2017) from mean colour: maps (N, S, S).

    Raises UsageError for a model that counts pixels, so that its score has no gradient there.
    """
    captum = _captum()
    model, x = _prepared(network, crops)
    with torch.enable_grad():
        if not model.features(x[:1].clone().requires_grad_()).requires_grad:
            raise UsageError(
                f"integrated gradients need a gradient down to the pixels; "
                f"{model.architecture[0]!r} counts them and has none: use occlusion or gradcam"
            )
    method = captum.IntegratedGradients(_signed(model, target))
    found = method.attribute(x, n_steps=steps, internal_batch_size=max(steps, len(x)))
    return _logits(model, x), _numpy(found.sum(1).clamp(min=0))


def occlusion(
    network: ExplainedNetwork, crops: NDArray[np.uint8], target: Target, *, window: int = 16
) -> Attribution:
    """Fall of the logit where a square is covered (Zeiler, Fergus, ECCV 2014): maps (N, S, S)."""
    captum = _captum()
    model, x = _prepared(network, crops)
    side = min(window, x.shape[-1])
    with torch.no_grad():
        found = captum.Occlusion(_signed(model, target)).attribute(
            x,
            sliding_window_shapes=(3, side, side),
            strides=(3, max(1, side // 2), max(1, side // 2)),
        )
    return _logits(model, x), _numpy(found.mean(1).clamp(min=0))


def _prepared(
    network: ExplainedNetwork, crops: NDArray[np.uint8]
) -> tuple[ImageClassifier, torch.Tensor]:
    model = model_of(network)
    x = torch.from_numpy(network.preprocess.tensor(crops))
    return model, x.to(next(model.parameters()).device)


def _signed(model: ImageClassifier, target: Target) -> Callable[[torch.Tensor], torch.Tensor]:
    def forward(x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = model(x)
        return _sign(target) * logits

    return forward


def _sign(target: Target) -> float:
    return 1.0 if target == "generated" else -1.0


def _logits(model: ImageClassifier, x: torch.Tensor) -> NDArray[np.float32]:
    with torch.inference_mode():
        return _numpy(model(x))


def _numpy(tensor: torch.Tensor) -> NDArray[np.float32]:
    return np.asarray(tensor.detach().cpu().numpy(), dtype=np.float32)


def _captum() -> ModuleType:
    try:
        import captum.attr  # type: ignore[import-untyped]
    except ModuleNotFoundError as error:
        raise MissingExtraError("integrated gradients and occlusion", "explain") from error
    attribution: ModuleType = captum.attr
    return attribution
