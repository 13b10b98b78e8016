"""Thresholds stated as false-positive rates, and the inconclusive band chosen by a cost.

The false-positive rate (FPR) of a threshold is the share of real photographs at or above it. Its
interval is Wilson's (1927) on the number of images that are independent in effect: whole groups
count, so that twenty crops of one scene do not pass for twenty photographs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, model_validator

from authentiscan.core.errors import MetricError
from authentiscan.core.records import Record
from authentiscan.core.types import Verdict
from authentiscan.metrics.bootstrap import Groups, Resampler, interval
from authentiscan.metrics.decision import (
    VERDICTS,
    Decision,
    How,
    RealThreshold,
    Threshold,
    answers,
)
from authentiscan.metrics.ranking import Floats

_Z95 = 1.959963984540054


class Verdicts(Record):
    """How many images of each class got each verdict."""

    real: dict[str, int]
    generated: dict[str, int]


class Costs(Record):
    """What each kind of answer costs, in any unit; a right answer costs nothing.

    false_alarm: a real photograph called generated. miss: a generated image called real.
    inconclusive: no answer, for either class. generated_share: how many of a hundred images are
    expected to be generated, as a share in (0, 1).
    """

    false_alarm: float = Field(default=10.0, gt=0)
    miss: float = Field(default=5.0, gt=0)
    inconclusive: float = Field(default=1.0, gt=0)
    generated_share: float = Field(default=0.5, gt=0, lt=1)

    @model_validator(mode="after")
    def _answers_cost_more(self) -> Costs:
        if self.inconclusive >= min(self.false_alarm, self.miss):
            raise ValueError(
                "an inconclusive answer must cost less than either mistake, else it is never given"
            )
        return self


def at_fpr(
    scores: ArrayLike,
    labels: ArrayLike,
    fpr: float,
    groups: Groups | None = None,
    *,
    name: str | None = None,
    measured_on: str = "validation",
) -> Threshold:
    """The lowest threshold at which at most ``fpr`` (0..1) of the real photographs are flagged.

    scores: (N,) calibrated probabilities, labels: (N,) 0 real, 1 generated, groups: (N,). The
    threshold lies midway between the highest real score that must stay below it and the next
    higher score, so that the last bit of a score does not decide. With fewer than 1 / fpr real
    photographs no real photograph may be flagged; the interval then tells how little that proves.
    Raises MetricError where a class is missing or real photographs at score 1 leave no room.
    """
    s, y = _scores_and_labels(scores, labels)
    if not 0.0 < fpr < 1.0:
        raise MetricError(f"a false-positive rate to aim at must lie between 0 and 1, got {fpr}")
    real = np.sort(s[y == 0])[::-1]
    allowed = int(np.floor(fpr * len(real) * (1 + 1e-12)))
    barred = real[min(allowed, len(real) - 1)]
    higher = s[s > barred]
    if len(higher):
        score = float((barred + higher.min()) / 2)
        score = score if score > barred else float(higher.min())
    elif barred < 1.0:
        score = float((barred + 1.0) / 2)
    else:
        count = int((real >= 1.0).sum())
        raise MetricError(
            f"no threshold keeps the false-positive rate at {fpr:g}: {count} of {len(real)} real "
            "photographs score 1; calibrate the detector first"
        )
    return describe(s, y, score, groups, name=name or f"fpr_{fpr * 100:g}", measured_on=measured_on)


def describe(
    scores: ArrayLike,
    labels: ArrayLike,
    score: float,
    groups: Groups | None = None,
    *,
    name: str,
    measured_on: str,
    how: How = "validation part",
) -> Threshold:
    """What the given threshold ``score`` does on this data: FPR with interval, and TPR."""
    s, y = _scores_and_labels(scores, labels)
    real = y == 0
    rate, low, high = share_interval(s[real] >= score, _of(groups, real))
    return Threshold(
        name=name,
        score=float(np.clip(score, 0.0, 1.0)),
        fpr=rate,
        fpr_interval=(low, high),
        tpr=float((s[~real] >= score).mean()),
        measured_on=measured_on,
        how=how,
    )


def describe_real(
    scores: ArrayLike,
    labels: ArrayLike,
    score: float,
    groups: Groups | None = None,
    *,
    name: str,
    measured_on: str,
    how: How = "validation part",
) -> RealThreshold:
    """What calling images below ``score`` real does on this data: miss rate with interval, TNR."""
    s, y = _scores_and_labels(scores, labels)
    generated = y == 1
    rate, low, high = share_interval(s[generated] < score, _of(groups, generated))
    return RealThreshold(
        name=name,
        score=float(np.clip(score, 0.0, 1.0)),
        miss=rate,
        miss_interval=(low, high),
        tnr=float((s[~generated] < score).mean()),
        measured_on=measured_on,
        how=how,
    )


def at_miss(
    scores: ArrayLike,
    labels: ArrayLike,
    miss: float,
    groups: Groups | None = None,
    *,
    highest: float = 1.0,
    name: str | None = None,
    measured_on: str = "validation",
) -> RealThreshold:
    """The highest score below which at most ``miss`` (0..1) of the generated images lie.

    The mirror image of `at_fpr`. highest: the score is not above it, as that of ``generated``.
    """
    s, y = _scores_and_labels(scores, labels)
    score = min(1.0 - at_fpr(1.0 - s, 1 - y, miss).score, highest)
    return describe_real(
        s, y, score, groups, name=name or f"miss_{miss * 100:g}", measured_on=measured_on
    )


def share_interval(
    hits: NDArray[np.bool_], groups: Groups | None = None
) -> tuple[float, float, float]:
    """Share of True in ``hits`` (N,) and its 95 % Wilson interval, by independent groups.

    The sample size is divided by the design effect of the groups (Kish 1965), never below their
    number; where all hits agree nothing can be estimated and each group counts once.
    """
    n = len(hits)
    if n == 0:
        raise MetricError("a share of nothing is undefined")
    share = float(hits.mean())
    effective = float(n)
    if groups is not None:
        names = [f"g{g}" if g is not None else f"#{i}" for i, g in enumerate(groups)]
        cluster = np.unique(np.asarray(names), return_inverse=True)[1]
        count = int(cluster.max()) + 1
        residual = np.bincount(cluster, weights=hits - share)
        variance = float((residual**2).sum()) / n**2 * count / max(1, count - 1)
        effective = share * (1 - share) / variance if variance > 0 else float(count)
        effective = float(np.clip(effective, min(count, n), n))
    centre = (share + _Z95**2 / (2 * effective)) / (1 + _Z95**2 / effective)
    half = _Z95 * np.sqrt(share * (1 - share) / effective + _Z95**2 / (4 * effective**2))
    half /= 1 + _Z95**2 / effective
    low, high = max(0.0, float(centre - half)), min(1.0, float(centre + half))
    return share, min(low, share), max(high, share)  # rounding may put an end past the share


def score_interval(
    scores: ArrayLike,
    labels: ArrayLike,
    fpr: float,
    groups: Groups | None = None,
    *,
    rounds: int = 1000,
    seed: int = 0,
) -> tuple[float, float] | None:
    """95 % bootstrap interval of the threshold score itself: how far another validation set of the
    same size could have moved it, the threshold of `at_fpr` itself included. None where fewer than
    two groups leave nothing to resample.
    """
    s, y = _scores_and_labels(scores, labels)
    real = y == 0
    resampler = Resampler(np.zeros(int(real.sum())), _of(groups, real), rounds=rounds, seed=seed)
    if not resampler.usable:
        return None
    order = np.argsort(-s[real], kind="stable")
    ranked = s[real][order]
    found: list[Floats] = []
    for weights in resampler.blocks(order):
        flagged = np.cumsum(weights, axis=1)
        limit = fpr * flagged[:, -1:] * (1 + 1e-12)
        first_barred = np.minimum((flagged <= limit).sum(axis=1), len(ranked) - 1)
        found.append(ranked[first_barred])
    span = interval(np.concatenate(found))
    if span is None:
        return None
    score = at_fpr(s, y, fpr).score  # midway to the next score: rarely outside, but it may be
    return min(span[0], score), max(span[1], score)


def choose_decision(
    scores: ArrayLike,
    labels: ArrayLike,
    generated: Threshold,
    costs: Costs | None = None,
    groups: Groups | None = None,
) -> Decision:
    """The verdict rule with ``generated`` as upper threshold and the lower one by least mean cost.

    An image below the lower threshold is called real, between the two it is inconclusive. Ties
    go to the narrower band. The miss rate of the lower one is measured on the same images.
    """
    s, y = _scores_and_labels(scores, labels)
    price = costs or Costs()
    w = _prior_weights(y, price.generated_share)
    order = np.argsort(s, kind="stable")
    # Calling the k lowest real saves `inconclusive` on real ones and costs more on generated ones.
    change = np.where(y[order] == 1, price.miss - price.inconclusive, -price.inconclusive)
    total = np.concatenate([[0.0], np.cumsum(change * w[order])])
    ranked = s[order]
    cuts = np.concatenate([[0.0], (ranked[1:] + ranked[:-1]) / 2, [1.0]])
    possible = np.concatenate([[True], ranked[1:] > ranked[:-1], [True]])
    possible &= cuts <= generated.score
    total = np.where(possible, total, np.inf)
    best = len(total) - 1 - int(np.argmin(total[::-1]))
    below = int((s < generated.score).sum())
    # Everything under the upper threshold called real: no band at all.
    all_real = float(np.sum((change * w[order])[:below]))
    real_below = generated.score if all_real <= total[best] + 1e-12 else float(cuts[best])
    measured_on = generated.measured_on
    return Decision(
        generated=generated,
        real=describe_real(s, y, real_below, groups, name="least_cost", measured_on=measured_on),
    )


def cheapest_threshold(
    scores: ArrayLike,
    labels: ArrayLike,
    groups: Groups | None = None,
    costs: Costs | None = None,
    *,
    measured_on: str = "validation",
) -> Threshold:
    """The upper threshold of least mean cost: above it a false alarm is worth risking."""
    s, y = _scores_and_labels(scores, labels)
    price = costs or Costs()
    w = _prior_weights(y, price.generated_share)
    order = np.argsort(-s, kind="stable")
    change = np.where(y[order] == 0, price.false_alarm - price.inconclusive, -price.inconclusive)
    total = np.cumsum(change * w[order])
    ends = np.append(np.diff(s[order]) != 0, True)
    total = np.where(ends, total, np.inf)
    best = int(np.argmin(total))
    ranked = np.append(s[order], 0.0)
    score = float((ranked[best] + ranked[best + 1]) / 2)
    return describe(s, y, score, groups, name="least_cost", measured_on=measured_on)


def mean_cost(scores: ArrayLike, labels: ArrayLike, decision: Decision, costs: Costs) -> float:
    """Expected cost of one image under ``decision`` at the prior that ``costs`` states."""
    s, y = _scores_and_labels(scores, labels)
    w = _prior_weights(y, costs.generated_share)
    answered = answers(s, decision.generated.score, decision.real.score)
    price = np.where(answered == 0, costs.inconclusive, 0.0)
    price = np.where((answered == 1) & (y == 0), costs.false_alarm, price)
    price = np.where((answered == -1) & (y == 1), costs.miss, price)
    return float((price * w).sum())


def verdicts(
    scores: Floats, labels: NDArray[np.int64], threshold: float, real_below: float
) -> Verdicts:
    """How many images of each class are called real, inconclusive and generated."""
    answered = answers(scores, threshold, real_below)

    def counts(label: int) -> dict[str, int]:
        found = np.bincount(answered[labels == label] + 1, minlength=3)
        return {str(verdict): int(n) for verdict, n in zip(VERDICTS, found, strict=True)}

    return Verdicts(real=counts(0), generated=counts(1))


def conclusive_right(found: Verdicts) -> float | None:
    """Share of the verdicts generated and real that are right where half of the images are
    generated; None where no such verdict was given or a class has no images.
    """
    right = wrong = 0.0
    for counts, own, other in (
        (found.real, Verdict.REAL, Verdict.GENERATED),
        (found.generated, Verdict.GENERATED, Verdict.REAL),
    ):
        total = sum(counts.values())
        if not total:
            return None
        right, wrong = right + counts[own] / total, wrong + counts[other] / total
    return right / (right + wrong) if right + wrong else None


def _of(groups: Groups | None, rows: NDArray[np.bool_]) -> list[object] | None:
    return None if groups is None else [g for g, keep in zip(groups, rows, strict=True) if keep]


def _prior_weights(labels: NDArray[np.int64], share: float) -> Floats:
    ones = labels == 1
    return np.asarray(np.where(ones, share / ones.sum(), (1 - share) / (~ones).sum()))


def _scores_and_labels(scores: ArrayLike, labels: ArrayLike) -> tuple[Floats, NDArray[np.int64]]:
    s, y = np.asarray(scores, dtype=np.float64), np.asarray(labels)
    if s.ndim != 1 or y.shape != s.shape:
        raise MetricError(f"scores and labels must be two (N,) arrays, got {s.shape}, {y.shape}")
    if not np.isfinite(s).all() or (len(s) and (s.min() < 0 or s.max() > 1)):
        raise MetricError("thresholds need scores in [0, 1] without NaN; calibrate logits first")
    if not (y == 0).any() or not (y == 1).any() or not np.isin(y, (0, 1)).all():
        raise MetricError(
            f"thresholds need real (0) and generated (1) images, found {np.unique(y)[:5].tolist()}"
        )
    return s, y.astype(np.int64)
