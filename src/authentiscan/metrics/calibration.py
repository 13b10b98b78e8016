"""From a pooled logit to a probability: temperature, Platt and isotonic calibration.

All are fitted on validation data, never on the data a result is stated for. A probability needs a
prior: by default both classes get the same total weight, so that a score of 0.7 means "7 in 10
where half of the images are generated", whatever mix the validation data happened to have.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, model_validator

from authentiscan.core.errors import MetricError
from authentiscan.core.records import Record
from authentiscan.metrics.ranking import Floats, checked_weights

Method: TypeAlias = Literal["platt", "temperature", "isotonic"]

_MAX_STEPS = 100
_MOST = 1e6  # of a logit, slope or intercept: differences of more overflow
_STEEPEST = 50.0  # classes that do not overlap would drive the slope to infinity


class Calibration(Record):
    """How a pooled logit becomes the calibrated score.

    ``platt``: sigmoid(slope * logit + intercept) (temperature scaling where intercept is 0).
    ``isotonic``: linear interpolation of ``scores`` over increasing ``logits``.
    """

    kind: Literal["platt", "isotonic"] = "platt"
    slope: float = Field(default=1.0, ge=0, le=_MOST)
    intercept: float = Field(default=0.0, ge=-_MOST, le=_MOST)
    logits: tuple[float, ...] = ()
    scores: tuple[float, ...] = ()

    @model_validator(mode="after")
    def _rising(self) -> Calibration:
        if self.kind == "platt" and not self.logits and not self.scores:
            return self
        x, y = np.asarray(self.logits), np.asarray(self.scores)
        if self.kind == "platt" or len(x) != len(y) or len(x) < 2:
            raise ValueError(
                "isotonic needs two or more logits and as many scores, platt none; "
                f"got {self.kind}, {len(x)} logits and {len(y)} scores"
            )
        if not ((np.abs(x) <= _MOST).all() and np.isfinite(y).all()):
            raise ValueError(f"logits lie between {-_MOST:g} and {_MOST:g}, scores are finite")
        if (np.diff(x) <= 0).any() or (np.diff(y) < 0).any():
            raise ValueError("logits must rise and scores must not fall")
        if y[0] < 0 or y[-1] > 1:
            raise ValueError("scores lie between 0 and 1")
        return self

    def __call__(self, logit: float) -> float:
        """Calibrated P(generated) in [0, 1] of one logit."""
        if self.kind == "isotonic":
            return float(np.interp(logit, self.logits, self.scores))
        return sigmoid(self.slope * logit + self.intercept)

    @property
    def reach(self) -> tuple[float, float]:
        """The least and the largest score that any logit can have."""
        return self(-_MOST), self(_MOST)

    def logit(self, score: float) -> float:
        """The least uncalibrated logit whose score is at least ``score``, within -60 to 60."""
        return _least_logit(self, score)


@lru_cache(maxsize=256)  # a scan asks the same few questions of every image
def _least_logit(calibration: Calibration, score: float) -> float:
    low, high = -60.0, 60.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (low, middle) if calibration(middle) >= score else (middle, high)
    return high


def sigmoid(logit: float) -> float:
    """Probability of a logit, without overflow."""
    within = min(max(logit, -60.0), 60.0)  # numpy's clip takes ten times as long for one number
    return float(1.0 / (1.0 + np.exp(-within)))


def fit(
    logits: ArrayLike, labels: ArrayLike, *, method: Method = "platt", prior: float | None = 0.5
) -> Calibration:
    """Fit the calibration named ``method``; see the function of that name."""
    fits = {"platt": fit_platt, "temperature": fit_temperature, "isotonic": fit_isotonic}
    if method not in fits:
        raise MetricError(f"unknown calibration {method!r}; known are {sorted(fits)}")
    return fits[method](logits, labels, prior=prior)


def fit_platt(
    logits: ArrayLike,
    labels: ArrayLike,
    *,
    prior: float | None = 0.5,
    weights: ArrayLike | None = None,
) -> Calibration:
    """Slope and intercept of a logistic regression on one logit (Platt 1999), by Newton steps.

    Targets are drawn in by Platt's correction, (n1 + 1) / (n1 + 2) and 1 / (n0 + 2), so that
    perfectly separated classes stay finite. prior: share of generated images the scores assume;
    None keeps the validation data's own. A detector that ranks backwards gets slope 0, never a
    negative one. Raises MetricError where a class is missing or a logit is not finite.
    """
    x, y, w = _fit_inputs(logits, labels, prior, weights)
    target = _softened(y)
    slope, intercept = _newton(x, target, w, free_intercept=True)
    if slope < 0:
        level = float(np.average(target, weights=w))
        return Calibration(kind="platt", slope=0.0, intercept=float(np.log(level / (1 - level))))
    return Calibration(kind="platt", slope=slope, intercept=intercept)


def fit_temperature(
    logits: ArrayLike,
    labels: ArrayLike,
    *,
    prior: float | None = 0.5,
    weights: ArrayLike | None = None,
) -> Calibration:
    """One positive factor on the logit (Guo et al. 2017): the order and the 0.5 point stay.

    Returned as ``platt`` with intercept 0 and slope 1 / temperature. Errors as `fit_platt`.
    """
    x, y, w = _fit_inputs(logits, labels, prior, weights)
    slope, _ = _newton(x, _softened(y), w, free_intercept=False)
    return Calibration(kind="platt", slope=max(slope, 0.0), intercept=0.0)


def fit_isotonic(
    logits: ArrayLike,
    labels: ArrayLike,
    *,
    prior: float | None = 0.5,
    weights: ArrayLike | None = None,
) -> Calibration:
    """The best non-decreasing step function (Zadrozny & Elkan 2002), read with interpolation.

    Each pool of equal values becomes one knot, at its mean logit, so that the curve between knots
    rises strictly and images keep their order; the ends are drawn in to 1 / (n + 2). Needs a few
    hundred images or more to be better than `fit_platt`. Errors as `fit_platt`.
    """
    x, y, w = _fit_inputs(logits, labels, prior, weights)
    values, centres = _pools(x, y, w)
    edge = 1.0 / (len(x) + 2)
    values = np.clip(values, edge, 1 - edge)
    if len(values) == 1:  # no order at all: a flat curve needs two knots
        centres, values = np.asarray([centres[0], centres[0] + 1.0]), np.repeat(values, 2)
    return Calibration(
        kind="isotonic", logits=tuple(map(float, centres)), scores=tuple(map(float, values))
    )


def apply(calibration: Calibration, logits: ArrayLike) -> Floats:
    """Calibrated scores in [0, 1] of logits (N,): the bundle's own rule, on a whole array."""
    x = np.asarray(logits, dtype=np.float64)
    if calibration.kind == "isotonic":
        return np.asarray(np.interp(x, calibration.logits, calibration.scores))
    z = np.clip(calibration.slope * x + calibration.intercept, -60.0, 60.0)
    return np.asarray(1.0 / (1.0 + np.exp(-z)))


def _fit_inputs(
    logits: ArrayLike, labels: ArrayLike, prior: float | None, weights: ArrayLike | None
) -> tuple[Floats, Floats, Floats]:
    x, y = np.asarray(logits, dtype=np.float64), np.asarray(labels)
    if x.ndim != 1 or y.shape != x.shape:
        raise MetricError(f"logits and labels must be two (N,) arrays, got {x.shape}, {y.shape}")
    if not np.isfinite(x).all():
        raise MetricError(f"{int((~np.isfinite(x)).sum())} logits are NaN or infinite")
    generated = y == 1
    if not generated.any() or generated.all() or not np.isin(y, (0, 1)).all():
        raise MetricError(
            "calibration needs real (0) and generated (1) images, found labels "
            f"{np.unique(y)[:5].tolist()} on {len(y)} images"
        )
    w = checked_weights(weights, len(x)).copy()
    if prior is not None:
        if not 0.0 < prior < 1.0:
            raise MetricError(f"prior must lie between 0 and 1, got {prior}")
        w[generated] *= prior * len(x) / w[generated].sum()
        w[~generated] *= (1 - prior) * len(x) / w[~generated].sum()
    return x, generated.astype(np.float64), w


def _softened(labels: Floats) -> Floats:
    ones = labels.sum()
    zeros = len(labels) - ones
    return np.asarray(np.where(labels == 1, (ones + 1) / (ones + 2), 1 / (zeros + 2)))


def _newton(x: Floats, target: Floats, w: Floats, *, free_intercept: bool) -> tuple[float, float]:
    """Minimise the weighted cross-entropy of sigmoid(slope * x + intercept), damped Newton."""
    scale = float(np.std(x)) or 1.0
    columns = np.stack([x / scale, np.ones_like(x)], axis=1)[:, : 2 if free_intercept else 1]
    theta = np.zeros(columns.shape[1])
    loss = _cross_entropy(columns @ theta, target, w)
    for _ in range(_MAX_STEPS):
        p = 1.0 / (1.0 + np.exp(-np.clip(columns @ theta, -60, 60)))
        gradient = columns.T @ (w * (p - target))
        hessian = (columns * (w * p * (1 - p))[:, None]).T @ columns
        step = np.linalg.solve(hessian + 1e-9 * np.eye(len(theta)) * w.sum(), gradient)
        size = 1.0
        while size > 1e-8:
            candidate = theta - size * step
            new = _cross_entropy(columns @ candidate, target, w)
            if new <= loss:
                break
            size /= 2
        else:
            break
        done = loss - new < 1e-12 * max(1.0, abs(loss))
        theta, loss = candidate, new
        if done:
            break
    slope = float(np.clip(theta[0] / scale, -_STEEPEST, _STEEPEST))
    return slope, float(theta[1]) if free_intercept else 0.0


def _cross_entropy(z: Floats, target: Floats, w: Floats) -> float:
    return float((w * (np.logaddexp(0.0, z) - target * z)).sum())


def _pools(x: Floats, y: Floats, w: Floats) -> tuple[Floats, Floats]:
    """Pool adjacent violators: value and mean logit of each pool, rising."""
    order = np.argsort(x, kind="stable")
    _, starts = np.unique(x[order], return_index=True)
    weight = np.add.reduceat(w[order], starts)
    hits = np.add.reduceat((w * y)[order], starts)
    where = np.add.reduceat((w * x)[order], starts)
    stack: list[NDArray[np.float64]] = []
    for one in np.stack([hits, weight, where], axis=1)[weight > 0]:
        pool = one
        while stack and stack[-1][0] * pool[1] >= pool[0] * stack[-1][1]:
            pool = pool + stack.pop()
        stack.append(pool)
    pools = np.asarray(stack)
    return pools[:, 0] / pools[:, 1], pools[:, 2] / pools[:, 1]
