"""Several detectors made into one: weights, calibration, and whether it was worth it.

A member's uncalibrated logit has a scale of its own: a detector trained long says 8 where another
says 2. So members are first brought to log-odds by a Platt calibration each, u = a z + b, all on
the same validation images, and then averaged or weighted: sum of c u. Only the slopes go into the
ensemble's weights, c times a on the member's logit; its own calibration does the rest.

``fit`` chooses c by logistic regression of the labels on the members' log-odds (stacking: Wolpert,
*Stacked generalization*, 1992) with every c at least 0: members are correlated, and without that
bound the regression sets one large positive weight against a large negative one, which fits the
validation images and nothing else (Breiman, *Stacked regressions*, 1996). A slight pull towards
equal weights decides between members that agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from authentiscan.core.errors import MetricError, MissingExtraError, UsageError
from authentiscan.core.progress import Stages
from authentiscan.evaluation.adapters import Candidate
from authentiscan.evaluation.compare import Comparison, compare_tables
from authentiscan.evaluation.harness import BundleScorer, score_panel
from authentiscan.evaluation.protocol import named
from authentiscan.evaluation.recalibrate import FOLDS, group_folds
from authentiscan.evaluation.scores import ScoreTable
from authentiscan.evaluation.slices import Options
from authentiscan.inference import Detector, DetectorSpec, find_bundle, load_detector
from authentiscan.inference.ensemble import save_ensemble
from authentiscan.inference.update import update_spec
from authentiscan.manifest.table import Manifest
from authentiscan.metrics.calibration import fit_platt
from authentiscan.metrics.significance import Difference
from authentiscan.training.deploy import calibrate
from authentiscan.training.recipe import Deployment

Floats: TypeAlias = NDArray[np.float64]
Weights: TypeAlias = Literal["equal", "fit"] | tuple[float, ...]

SHOWN = ("roc_auc", "tpr_at_fpr_5", "tpr_at_fpr_1", "average_precision")
_PULL = 1e-3  # towards equal weights, as a share of one image's loss
_LEAST = 1e-3  # a smaller part of all weights costs time and changes nothing


@dataclass(frozen=True)
class Ensembled:
    """What `make_ensemble` made and measured.

    shares: part of each member's log-odds, adding up to 1; those at 0 were left out. validation:
    members and ensemble on the validation images, the latter by weights fitted on the other folds.
    test: the same on images that nothing was fitted on; None without. best: the member that is best
    on the validation images. gain: ensemble minus best member in ROC AUC, on the test images where
    there are any.
    """

    spec: DetectorSpec
    shares: dict[str, float]
    validation: Comparison
    test: Comparison | None
    best: str
    gain: Difference

    @property
    def verdict(self) -> str:
        """In plain words whether the ensemble is better than its best member."""
        where = "test" if self.test else "validation"
        if self.gain.value is None or self.gain.low is None or self.gain.high is None:
            return f"The {where} images do not show whether it is better than {self.best!r} alone."
        figures = f"{self.gain.value:+z.3f} [{self.gain.low:+z.3f}, {self.gain.high:+z.3f}]"
        listed = f"ROC AUC {figures} on {where} images"
        if self.gain.low > 0:
            return f"It is better than its best member {self.best!r}: {listed}."
        if self.gain.high < 0:
            return f"It is worse than its best member {self.best!r}: {listed}. Use that one alone."
        return (
            f"It is not shown to be better than its best member {self.best!r}: {listed}. That one "
            "alone is smaller and faster."
        )


def make_ensemble(
    members: Sequence[Path | str],
    folder: Path,
    validation: Manifest,
    *,
    test: Manifest | None = None,
    weights: Weights = "fit",
    protocol: str = "matched",
    name: str | None = None,
    options: Options | None = None,
    progress: Stages | None = None,
    workers: int = 2,
) -> Ensembled:
    """Join the bundles ``members`` (``default``: the packaged one) to an ensemble in ``folder``.

    validation: images that no member learned from; weights, calibration and thresholds come from
    them. test: images for measuring only. weights: ``equal``, ``fit``, or a number a member, of
    their log-odds. protocol: what is done to both first, as in `evaluate`. progress: gives a
    progress callback for a title. Raises UsageError for fewer than two members or weights that do
    not fit, MetricError where validation images of a class are missing.
    """
    if len(members) < 2:
        raise UsageError(f"an ensemble needs two or more members, got {len(members)}")
    _check(weights, len(members))
    sources = [find_bundle(member) for member in members]
    detectors = [load_detector(source, threads=1) for source in sources]
    names = _names(detectors)
    applied = named(protocol, validation)

    def scored(part: Manifest, title: str) -> list[ScoreTable]:
        shown = progress(title) if progress else None
        panel = score_panel(detectors, part, [applied], shown, workers=workers)
        return _common([tables[0] for tables in panel])

    held = scored(validation, "validation")
    factors, shares = _fitted(held, weights)
    kept = [(source, float(f)) for source, f in zip(sources, factors, strict=True) if f > 0]
    listed = ", ".join(n for n, f in zip(names, factors, strict=True) if f > 0)
    summary = f"An ensemble of {listed}: their logits, weighted and added."
    save_ensemble(kept, folder, name=name or folder.name, summary=summary)
    joined = _joined(held, factors)
    spec, _ = calibrate(folder, joined, Deployment(protocol=protocol))
    candidates = _candidates(names, detectors, load_detector(folder))
    own_name = candidates[-1].name

    def compared(tables: list[ScoreTable], own: ScoreTable, title: str) -> Comparison:
        by_name = dict(zip([*names, own_name], [*tables, own], strict=True))
        return compare_tables(
            candidates, by_name, applied, name=title, options=options or Options()
        )

    on_val = compared(held, _cross_fitted(held, weights), "validation")
    on_test = None
    if test is not None:
        tables = scored(test, "test")
        own = _joined(tables, factors).recalibrated(spec.calibration)
        on_test = compared(tables, own, "test")
    best = max(on_val.standings[:-1], key=lambda s: s.metrics["roc_auc"].value or 0.0).detector
    gain = _gain(on_test or on_val, best)
    made = Ensembled(spec, dict(zip(names, shares, strict=True)), on_val, on_test, best, gain)
    return replace(made, spec=_record(folder, made))


def _candidates(
    names: Sequence[str], detectors: Sequence[Detector], joined: Detector
) -> list[Candidate]:
    """The members under ``names`` and, last, the ensemble."""
    own = joined.spec.name if joined.spec.name not in names else f"{joined.spec.name} (ensemble)"
    return [
        *(
            Candidate(name, one.spec.decision.generated.score, BundleScorer(one), one.spec)
            for name, one in zip(names, detectors, strict=True)
        ),
        Candidate(own, joined.spec.decision.generated.score, BundleScorer(joined)),
    ]


def fit_shares(log_odds: Floats, labels: NDArray[np.int64]) -> Floats:
    """Weights (M,) >= 0 of members' log-odds (N, M) that predict labels (N,) best, see the module.

    Classes have equal weight. All zeros where no member ranks better than backwards.
    """
    try:
        from scipy.optimize import minimize
    except ModuleNotFoundError as error:
        raise MissingExtraError("fitting the weights of an ensemble", "data") from error

    y = (labels == 1).astype(np.float64)
    balance = np.where(y == 1, 0.5 / y.sum(), 0.5 / (1 - y).sum())
    count = log_odds.shape[1]

    def loss(theta: Floats) -> tuple[float, Floats]:
        z = log_odds @ theta[:-1] + theta[-1]
        off = theta[:-1] - 1 / count
        p = 1 / (1 + np.exp(-np.clip(z, -60, 60)))
        value = (balance * (np.logaddexp(0.0, z) - y * z)).sum() + _PULL * (off**2).sum()
        slope = balance * (p - y)
        gradient = np.append(log_odds.T @ slope + 2 * _PULL * off, slope.sum())
        return float(value), gradient

    start = np.append(np.full(count, 1 / count), 0.0)
    bounds = [(0.0, None)] * count + [(None, None)]
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
    shares = np.asarray(found.x[:-1], dtype=np.float64)
    return np.where(shares < _LEAST * shares.sum(), 0.0, shares)


def _check(weights: Weights, count: int) -> None:
    if isinstance(weights, str):
        return
    if len(weights) != count:
        raise UsageError(f"{len(weights)} weights for {count} members")
    if not all(0 <= w < float("inf") for w in weights) or not any(weights):
        raise UsageError(f"weights are at least 0 and one is above, got {list(weights)}")


def _names(detectors: Sequence[Detector]) -> list[str]:
    found: list[str] = []
    for detector in detectors:
        name, number = detector.spec.name, 2
        while name in found:
            name, number = f"{detector.spec.name}-{number}", number + 1
        found.append(name)
    return found


def _common(tables: Sequence[ScoreTable]) -> list[ScoreTable]:
    """The rows that every member scored."""
    good = np.all([~np.isnan(table.scores) for table in tables], axis=0)
    if not good.any():
        raise MetricError("no image was scored by all members")
    return [table.take(good) for table in tables]


def _fitted(tables: Sequence[ScoreTable], weights: Weights) -> tuple[Floats, Floats]:
    """Factors (M,) on the members' logits, and the members' shares of the log-odds, sum 1."""
    labels = tables[0].labels
    curves = [fit_platt(table.logits, labels) for table in tables]
    if weights == "fit":
        log_odds = np.stack(
            [c.slope * t.logits + c.intercept for c, t in zip(curves, tables, strict=True)], axis=1
        )
        shares = fit_shares(log_odds, labels)
    elif weights == "equal":
        shares = np.ones(len(tables))
    else:
        shares = np.asarray(weights, dtype=np.float64)
    factors = shares * np.asarray([c.slope for c in curves])
    if not factors.any():
        raise MetricError("no member tells generated from real on the validation images")
    shares = np.where(factors > 0, shares, 0.0)
    return factors / shares.sum(), shares / shares.sum()


def _joined(tables: Sequence[ScoreTable], factors: Floats) -> ScoreTable:
    logits = np.stack([table.logits for table in tables], axis=1) @ factors
    scores = 1 / (1 + np.exp(-np.clip(logits, -60, 60)))
    return replace(tables[0], logits=logits, scores=scores, detector="ensemble")


def _cross_fitted(tables: Sequence[ScoreTable], weights: Weights) -> ScoreTable:
    """The ensemble on images that its weights and calibration were not fitted on, fold by fold.

    Where groups are too few to hold some back, as fitted on all.
    """
    labels = tables[0].labels
    fold = group_folds(tables[0], FOLDS, seed=0)
    rest = [np.flatnonzero(fold != k) for k in range(FOLDS)]
    if not all(len(np.unique(labels[rows])) == 2 and len(rows) < len(labels) for rows in rest):
        return _joined(tables, _fitted(tables, weights)[0])
    logits = np.empty(len(labels))
    for k, rows in enumerate(rest):
        factors, _ = _fitted([table.take(rows) for table in tables], weights)
        joined = _joined(tables, factors)
        curve = fit_platt(joined.logits[rows], labels[rows])
        mine = fold == k
        logits[mine] = curve.slope * joined.logits[mine] + curve.intercept
    scores = 1 / (1 + np.exp(-np.clip(logits, -60, 60)))
    return replace(tables[0], logits=logits, scores=scores, detector="ensemble")


def _gain(found: Comparison, best: str) -> Difference:
    """The ensemble, which stands last, minus member ``best``."""
    own = found.standings[-1].detector
    for test in found.tests:
        if (test.first, test.second) == (best, own):
            d = test.differences["roc_auc"]
            turned = [None if v is None else -v for v in (d.value, d.high, d.low)]
            return Difference(
                metric="roc_auc", value=turned[0], low=turned[1], high=turned[2], p=d.p
            )
    return Difference(metric="roc_auc", value=None)


def _record(folder: Path, made: Ensembled) -> DetectorSpec:
    """Write what was measured into the bundle's description and card."""
    measured = {
        title: {
            standing.detector: {
                metric: {"value": figure.value, "low": figure.low, "high": figure.high}
                for metric in SHOWN
                if (figure := standing.metrics.get(metric)) and figure.value is not None
            }
            for standing in found.standings
        }
        for title, found in (("validation", made.validation), ("test", made.test))
        if found is not None
    }
    about = {"shares": made.shares, "beside_members": measured, "verdict": made.verdict}
    return update_spec(folder, metrics=made.spec.metrics.with_part("ensemble", about))
