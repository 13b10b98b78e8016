"""From embeddings to names: distances to prototypes, probabilities, fit. NumPy only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from authentiscan.attribution.spec import Generator, LogitTerm
from authentiscan.core.errors import UsageError

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Prototypes:
    """The generators of an attributor as arrays: names (K,), centres (K, D), uncertainty (K,).

    factors (D, K), constants (K,): of the logits of whitened embeddings, where ``logits`` says how
    they take part.
    """

    names: tuple[str, ...]
    centres: Floats
    uncertainty: Floats
    logits: LogitTerm | None = None
    factors: Floats | None = None
    constants: Floats | None = None

    @classmethod
    def of(cls, generators: Sequence[Generator], logits: LogitTerm | None = None) -> Prototypes:
        """Those of ``generators``; ``logits`` as the attributor's description has them."""
        made = cls(
            tuple(g.name for g in generators),
            np.asarray([g.prototype for g in generators], dtype=np.float64),
            np.asarray([g.uncertainty for g in generators], dtype=np.float64),
        )
        if logits is None:
            return made
        none = (*[0.0] * made.centres.shape[1], logits.own)
        rows = np.asarray([g.logit or none for g in generators], dtype=np.float64)
        return replace(made, logits=logits, factors=rows[:, :-1].T, constants=rows[:, -1])

    def squared_distances(self, embeddings: Floats) -> Floats:
        """Squared distances (N, K) of whitened ``embeddings`` (N, D) to the true centres.

        A centre estimated from few images lies off the true one; the expected square of that is
        taken away again. At least 0. With ``logits`` a generator is the farther, the smaller its
        logit is: distances say how strange an image is, logits how sure the trained layer is, and
        together they tell unknown generators better than either. Raises UsageError for another D.
        """
        if embeddings.ndim != 2 or embeddings.shape[1] != self.centres.shape[1]:
            raise UsageError(
                f"embeddings have shape {embeddings.shape}; the prototypes have "
                f"{self.centres.shape[1]} numbers"
            )
        apart = embeddings[:, None, :] - self.centres[None]
        found: Floats = np.maximum((apart * apart).sum(axis=2) - self.uncertainty, 0.0)
        if self.logits is not None and self.factors is not None and self.constants is not None:
            missing = self.logits.top - (embeddings @ self.factors + self.constants)
            found = found + self.logits.weight * np.maximum(missing, 0.0)
        return found


def probabilities(squared: Floats, temperature: float) -> Floats:
    """Softmax (N, K) of ``-squared / temperature``: each row sums to 1."""
    logits = -(squared - squared.min(axis=1, keepdims=True)) / temperature
    shares = np.exp(logits)
    made: Floats = shares / shares.sum(axis=1, keepdims=True)
    return made


def fits(squared: Floats, distances: Sequence[float]) -> Floats:
    """Fit (N,) in [0, 1] of images whose nearest prototype is ``squared`` (N,) away.

    The share of held-out ``distances`` that are at least as large, this image counted among them:
    a conformal p-value (Vovk, Gammerman and Shafer, 2005), so of images of known generators no more
    than a share of p has a fit of at most p.
    """
    ordered = np.asarray(distances, dtype=np.float64)
    farther = len(ordered) - np.searchsorted(ordered, squared, side="left")
    return np.asarray((farther + 1.0) / (len(ordered) + 1.0), dtype=np.float64)


def prototype_of(name: str, embeddings: Floats) -> Generator:
    """A registered generator from whitened ``embeddings`` (N, D) of its images.

    Raises UsageError for fewer than two images: one says nothing of how much they vary.
    """
    count = len(embeddings)
    if count < 2:
        raise UsageError(f"a generator is registered from 2 images or more, got {count}")
    centre = embeddings.mean(axis=0)
    scatter = float(((embeddings - centre) ** 2).sum() / (count - 1))
    return Generator(
        name=name,
        prototype=tuple(round(float(value), 5) for value in centre),
        images=count,
        registered=True,
        uncertainty=scatter / count,
    )


def nearest(
    squared: Floats, names: Sequence[str], distances: Sequence[float]
) -> tuple[list[str], Floats]:
    """The nearest generator's name of each row of ``squared`` (N, K), and its fit (N,)."""
    return [names[i] for i in squared.argmin(axis=1)], fits(squared.min(axis=1), distances)
