"""Do the maps depend on what was learned? Grad-CAM against the same network with random weights.

Adebayo et al., *Sanity Checks for Saliency Maps*, NeurIPS 2018: layers are made random from the
output backwards; a map that stays the same shows the image, not the detector.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from authentiscan.core.errors import UsageError
from authentiscan.explain.base import ExplainedNetwork
from authentiscan.explain.torch_methods import model_of


@dataclass(frozen=True, slots=True)
class RandomisedMaps:
    """``share`` of the layers made random, counted from the output, and what became of the maps.

    similarity: mean rank correlation (Spearman) with the trained network's maps, in [-1, 1]; near 0
    is what a sound method gives once everything is random.
    """

    share: float
    layers: int
    similarity: float


def randomised_similarity(
    network: ExplainedNetwork, crops: NDArray[np.uint8], *, stages: int = 5, seed: int = 0
) -> list[RandomisedMaps]:
    """Similarity of Grad-CAM of ``crops`` (N, S, S, 3) as ever more layers are made random.

    ``network`` must run on the torch backend. The first stage is the head alone. A network with
    few layers has fewer stages: one, where only the head learns.
    """
    if stages < 2 or len(crops) < 1:
        raise UsageError("the sanity check needs at least 2 stages and 1 crop")
    trained = model_of(network)
    x = torch.from_numpy(network.preprocess.tensor(crops))
    x = x.to(next(trained.parameters()).device)
    with torch.inference_mode():
        expected = trained.explain(x)[1].cpu().numpy()
    model = copy.deepcopy(trained).eval()
    head = [m for m in model.head.modules() if isinstance(m, nn.Linear)]
    layers = [*reversed(head), *(module for _, module in reversed(model.blocks()))]
    ends = np.unique(np.linspace(len(head), len(layers), stages).astype(int))
    found, done = [], 0
    torch_state = torch.get_rng_state()
    torch.manual_seed(seed)
    try:
        for end in ends:
            for layer in layers[done:end]:
                _randomise(layer)
            done = int(end)
            with torch.inference_mode():
                maps = model.explain(x)[1].cpu().numpy()
            pairs = zip(expected, maps, strict=True)
            similarity = float(np.mean([rank_correlation(*pair) for pair in pairs]))
            found.append(RandomisedMaps(done / len(layers), done, similarity))
    finally:
        torch.set_rng_state(torch_state)
    return found


def rank_correlation(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Spearman's correlation of two maps of one shape; 0 where one of them is constant."""
    from scipy.stats import spearmanr

    if min(np.ptp(first), np.ptp(second)) == 0:
        return 0.0
    return float(spearmanr(first.ravel(), second.ravel())[0])


def _randomise(layer: nn.Module) -> None:
    """The layer's own initialisation; running statistics stay, so that maps stay alive."""
    if isinstance(layer, nn.modules.batchnorm._BatchNorm):
        with torch.no_grad():
            layer.weight.copy_(torch.rand_like(layer.weight) + 0.5)
            layer.bias.normal_(std=0.1)
        return
    reset = getattr(layer, "reset_parameters", None)
    if reset is not None:
        reset()
