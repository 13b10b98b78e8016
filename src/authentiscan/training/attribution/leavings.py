"""What a run of an attributor leaves beside its bundle: pictures of fingerprints, curves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from authentiscan.core.files import whole_path, write_bytes
from authentiscan.core.types import CAMERA, JsonObject, RGBImage
from authentiscan.evaluation.attribution.fingerprints import (
    Fingerprint,
    Plane,
    denoised_residual,
    fingerprint,
    picture,
)
from authentiscan.images.preprocess import Preprocess
from authentiscan.models.attributor import AttributorNetwork
from authentiscan.models.fingerprint import FingerprintNetwork
from authentiscan.report import plots
from authentiscan.training.attribution.classes import Classes
from authentiscan.training.attribution.views import ImageViews, MatchedCrops

_IMAGES = 150
"""Of each generator at most, for its fingerprint."""


def draw_fingerprints(
    folder: Path, network: AttributorNetwork, classes: Classes, views: ImageViews
) -> None:
    """One picture a class and fingerprints.png with all: of the network's own residual where it
    extracts one, else of the image minus its median.
    """
    preprocess = views.recipe.preprocess.model_copy(update={"max_crops": 1})
    crops = MatchedCrops(classes.manifest, preprocess, views.history, views.recipe.seed)
    train = classes.rows("train")
    found: dict[str, Fingerprint] = {}
    for code, name in enumerate(classes.names):
        rows = train[classes.codes[train] == code][:_IMAGES]
        read = [made[0] for row in rows if (made := crops[int(row)]) is not None]
        if read:
            title = "photographs" if name == CAMERA else name
            found[title] = fingerprint(read, _residual_of(network, preprocess))
    for name, one in found.items():
        file = "".join(c if c.isalnum() or c in "-_." else "_" for c in name)
        write_bytes(folder / f"{file}.png", plots.png(picture({name: one})))
    write_bytes(folder / "fingerprints.png", plots.png(picture(found)))


def _residual_of(network: AttributorNetwork, preprocess: Preprocess) -> Callable[[RGBImage], Plane]:
    if not isinstance(network, FingerprintNetwork):
        return denoised_residual

    @torch.no_grad()
    def residual(pixels: RGBImage) -> Plane:
        x = torch.from_numpy(preprocess.tensor(pixels[None]))
        made = network.residual(x.to(next(network.parameters()).device))
        return made[0].permute(1, 2, 0).float().cpu().numpy()

    return residual


def draw_training(path: Path, history: Sequence[JsonObject], title: str) -> None:
    """Parts of the loss and the balanced accuracy over the epochs, as PNG."""
    if not history:
        return
    from matplotlib.figure import Figure

    epochs = [row["epoch"] for row in history]
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name in (n for n in history[0] if n not in ("epoch", "val_balanced_accuracy")):
        left.plot(epochs, [row.get(name, np.nan) for row in history], marker=".", label=name)
    left.set(xlabel="epoch", ylabel="parts of the loss", yscale="log")
    left.legend(fontsize=8)
    right.plot(epochs, [100 * row["val_balanced_accuracy"] for row in history], marker=".")
    right.set(xlabel="epoch", ylabel="validation: balanced accuracy, %")
    for axes in (left, right):
        axes.grid(alpha=0.3)
    figure.suptitle(title)
    with whole_path(path) as partial:
        figure.savefig(partial, dpi=110, format="png")
