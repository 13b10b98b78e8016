"""From a trained network to a bundle: whitening, prototypes, temperature, fit, ONNX, card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray
from torch import nn

from authentiscan.attribution.card import attributor_card
from authentiscan.attribution.prototypes import Prototypes
from authentiscan.attribution.spec import (
    AttributorSpec,
    Generator,
    LogitTerm,
    write_attributor,
)
from authentiscan.core.files import write_text
from authentiscan.inference.bundle import CARD_FILE
from authentiscan.inference.export import export_graph
from authentiscan.inference.folder import replaced_bundle
from authentiscan.inference.recorded_metrics import Json, RecordedMetrics
from authentiscan.inference.spec import ONNX_FILE, WEIGHTS_FILE, Architecture, DataUse
from authentiscan.inference.versions import library_versions
from authentiscan.models.attributor import AttributorNetwork, WhitenedEmbedding
from authentiscan.training.attribution.recipe import AttributionRecipe

Floats = NDArray[np.float64]
_SHRINK = 0.1
"""Of the scatter towards its mean variance, which a few hundred images need (Ledoit and Wolf)."""

_TOLERANCE = 5e-3
"""Of the graph against torch. Normalising a faint residual magnifies rounding a hundredfold, and an
embedding that is off by half a percent of its size names the same generator.
"""

_MOST_DISTANCES = 1000
_TEMPERATURES = np.geomspace(0.5, 200.0, 60)
_LOGIT_WEIGHTS = (4.0, 8.0, 16.0, 32.0, 64.0, 128.0)
_DIGITS = 5


@dataclass(frozen=True)
class Embedded:
    """Raw embeddings (N, D) of images, averaged over their crops, and their classes (N,)."""

    values: Floats
    codes: NDArray[np.int64]


@dataclass(frozen=True)
class Finished:
    """What stands between embeddings and answers.

    mean (D,), whitening (D, D): of the shipped embedding. generators: of classes 0, 1, …, named by
    these numbers. logits, temperature, distances: see `AttributorSpec`.
    """

    mean: Floats
    whitening: Floats
    generators: tuple[Generator, ...]
    logits: LogitTerm | None
    temperature: float
    distances: tuple[float, ...]

    def whitened(self, values: Floats) -> Floats:
        """Whitened embeddings of raw ones."""
        made: Floats = (values - self.mean) @ self.whitening
        return made

    def squared(self, values: Floats) -> Floats:
        """Squared distances (N, K) of raw embeddings (N, D), as `Prototypes` has them."""
        found = Prototypes.of(self.generators, self.logits)
        return found.squared_distances(self.whitened(values))


def finish(
    train: Embedded, val: Embedded, classes: int, linear: tuple[Floats, Floats] | None = None
) -> Finished:
    """Prototypes and scatter from ``train``; logits, temperature and distances from ``val``.

    linear: factors (K, D) and constants (K,) of the trained layer that gives logits of raw
    embeddings; None leaves the naming to distances. A trained network holds its own training images
    together more tightly than others, so how far images of known generators lie from their
    prototype is measured on validation images, which had no part in prototypes and scatter: else
    too many new images would be called unknown.
    """
    means = np.stack([train.values[train.codes == code].mean(axis=0) for code in range(classes)])
    counts = np.bincount(train.codes, minlength=classes)
    centre = means.mean(axis=0)
    whitening = _inverse_root(_scatter(train, means))
    layer = None if linear is None else _of_whitened(linear, centre, whitening)
    generators = tuple(
        Generator(
            name=str(code),
            prototype=_rounded((means[code] - centre) @ whitening),
            images=int(counts[code]),
            logit=() if layer is None else _rounded(layer[code]),
        )
        for code in range(classes)
    )
    plain = Finished(centre, whitening, generators, None, 2.0, (0.0,))
    tried = [plain]
    if layer is not None:
        own = _own_logits(plain.whitened(val.values), val.codes, layer)
        tried += [
            replace(plain, logits=LogitTerm(weight=weight, own=own[0], top=own[1]))
            for weight in _LOGIT_WEIGHTS
        ]
    best, temperature = min(
        ((one, _temperature(one.squared(val.values), val.codes)) for one in tried),
        key=lambda pair: _cross_entropy(pair[0].squared(val.values), val.codes, pair[1]),
    )
    nearest = np.sort(best.squared(val.values).min(axis=1))
    places = np.linspace(0, len(nearest) - 1, min(len(nearest), _MOST_DISTANCES)).round()
    distances = tuple(round(float(nearest[int(i)]), 4) for i in places)
    return replace(best, temperature=temperature, distances=distances)


def _rounded(values: Floats) -> tuple[float, ...]:
    return tuple(round(float(value), _DIGITS) for value in values)


def _of_whitened(linear: tuple[Floats, Floats], mean: Floats, whitening: Floats) -> Floats:
    """Rows (K, D + 1): factors and constant of each logit, of whitened embeddings."""
    factors, constants = linear
    moved = np.linalg.solve(whitening, factors.T).T
    return np.column_stack([moved, factors @ mean + constants])


def _own_logits(whitened: Floats, codes: NDArray[np.int64], layer: Floats) -> tuple[float, float]:
    """Mean logit of each image's own class, and the largest logit of all."""
    logits = whitened @ layer[:, :-1].T + layer[:, -1]
    own = logits[np.arange(len(codes)), codes]
    return round(float(own.mean()), _DIGITS), round(float(logits.max()), _DIGITS)


def _scatter(found: Embedded, means: Floats) -> Floats:
    """Scatter (D, D) of ``found`` about the classes' ``means``, each class counting alike."""
    width = means.shape[1]
    total = np.zeros((width, width))
    seen = np.unique(found.codes)
    for code in seen:
        apart = found.values[found.codes == code] - means[code]
        total += apart.T @ apart / len(apart)
    total /= len(seen)
    level = float(np.trace(total)) / width
    shrunk: Floats = (1 - _SHRINK) * total + _SHRINK * level * np.eye(width)
    return shrunk + 1e-9 * np.eye(width)


def _inverse_root(scatter: Floats) -> Floats:
    values, vectors = np.linalg.eigh(scatter)
    root: Floats = vectors / np.sqrt(np.maximum(values, 1e-12))
    return root


def _temperature(squared: Floats, codes: NDArray[np.int64]) -> float:
    """The temperature with the smallest cross-entropy on validation images."""
    return float(min(_TEMPERATURES, key=lambda t: _cross_entropy(squared, codes, float(t))))


def _cross_entropy(squared: Floats, codes: NDArray[np.int64], temperature: float) -> float:
    logits = -squared / temperature
    top = logits.max(axis=1)
    total = top + np.log(np.exp(logits - top[:, None]).sum(axis=1))
    return float((total - logits[np.arange(len(codes)), codes]).mean())


def save_attributor(
    network: AttributorNetwork,
    finished: Finished,
    folder: Path,
    *,
    names: Sequence[str],
    recipe: AttributionRecipe,
    data: Sequence[DataUse] = (),
    metrics: Mapping[str, object] | None = None,
    limits: Sequence[str] = (),
    summary: str = "",
) -> AttributorSpec:
    """Write ``network`` as an attributor's bundle; the folder appears complete or not at all."""
    name, arguments = network.architecture
    trained = sum(p.numel() for p in network.parameters() if p.requires_grad)
    spec = AttributorSpec(
        name=recipe.name,
        created=datetime.now(UTC),
        architecture=Architecture(name=name, arguments=arguments, parameters=trained),
        preprocess=recipe.preprocess,
        generators=tuple(
            one.model_copy(update={"name": name_of})
            for one, name_of in zip(finished.generators, names, strict=True)
        ),
        logits=finished.logits,
        temperature=finished.temperature,
        distances=finished.distances,
        least_fit=recipe.least_fit,
        metrics=RecordedMetrics.read(metrics or {}),
        recipe=cast("Json", recipe.model_dump(mode="json")),
        data=tuple(data),
        libraries=library_versions(),
        summary=summary or recipe.summary,
        limits=tuple(limits),
    )
    whole = WhitenedEmbedding(network, finished.mean, finished.whitening).eval()
    with replaced_bundle(folder) as partial:
        export_graph(
            whole, partial / ONNX_FILE, size=recipe.preprocess.size, outputs=["features"],
            tolerance=_TOLERANCE,
        )  # fmt: skip
        _write_weights(whole, partial / WEIGHTS_FILE)
        written = write_attributor(partial, spec.model_copy(update={"files": {WEIGHTS_FILE: ""}}))
        write_text(partial / CARD_FILE, attributor_card(written))
    return written


def _write_weights(whole: nn.Module, path: Path) -> None:
    from safetensors.torch import save_file

    save_file(
        {name: value.detach().cpu().contiguous() for name, value in whole.state_dict().items()},
        path,
    )
    path.chmod(0o644)  # the library writes for the owner alone
