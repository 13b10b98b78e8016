"""How well a small classifier tells the label from a group of facts, and from which of them.

Gradient-boosted trees, cross-validated so that images of one group are never on both sides. The
score is the area under the ROC curve of the pooled out-of-fold predictions: 0.5 knows nothing, 1
knows all. The interval resamples whole groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from authentiscan.checks.audit.audit_report import Shortcut, Suspect
from authentiscan.core.errors import DatasetError, MissingExtraError
from authentiscan.metrics.bootstrap import estimates
from authentiscan.metrics.ranking import roc_auc

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingClassifier

Matrix = NDArray[np.float32]
Labels = NDArray[np.int8]
Groups = NDArray[np.int64]

_FOLDS = 5
_RESAMPLES = 300
_SUSPECTS = 5
_SMALL_DROP = 0.005
_ABSENT = -1e4
_ROWS_AT_ONCE = 100_000


def measure_shortcut(
    name: str,
    columns: Sequence[str],
    values: Matrix,
    labels: Labels,
    groups: Groups,
    *,
    seed: int = 0,
) -> Shortcut:
    """The shortcut that ``values`` (n, len(columns)) offer to guess ``labels`` (n,).

    Raises DatasetError where there are too few images or groups of a class to cross-validate.
    """
    scores = np.zeros(len(labels))
    drops = np.zeros(len(columns))
    # Trees split an absent fact off like any other value; a column without any would not fit.
    filled = np.nan_to_num(values, nan=_ABSENT)
    with _one_thread():
        for train, test in _folds(labels, groups, seed):
            model = _fitted(filled[train], labels[train], seed)
            scores[test] = _ranks_within(model.predict_proba(filled[test])[:, 1])
            drops += _drops(model, filled[test], labels[test], seed) * len(test) / len(labels)
    auc = estimates(labels, scores, groups, rounds=_RESAMPLES, seed=seed)["roc_auc"]
    order = np.argsort(-drops)[:_SUSPECTS]
    suspects = [
        _suspect(columns[i], float(drops[i]), values[:, i], labels)
        for i in order
        if drops[i] > _SMALL_DROP
    ]
    return Shortcut(
        name=name,
        auc=_rounded(auc.value),
        low=_rounded(auc.low if auc.low is not None else auc.value),
        high=_rounded(auc.high if auc.high is not None else auc.value),
        suspects=tuple(suspects),
    )


def _folds(
    labels: Labels, groups: Groups, seed: int
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    try:
        from sklearn.model_selection import StratifiedGroupKFold
    except ImportError as error:
        raise MissingExtraError("the data audit", "data") from error
    smallest = min(len(np.unique(groups[labels == c])) for c in (0, 1))
    folds = min(_FOLDS, smallest)
    if folds < 2:
        raise DatasetError(
            "an audit needs images of both classes from at least two groups each; "
            f"found {(labels == 0).sum()} real and {(labels == 1).sum()} generated images"
        )
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    split = list(splitter.split(np.zeros((len(labels), 1)), labels, groups))
    whole = [(a, b) for a, b in split if len(np.unique(labels[a])) == 2 and len(b)]
    if not whole:
        raise DatasetError("every group holds one class alone or nearly so: nothing to validate on")
    return whole


def _one_thread() -> AbstractContextManager[object]:
    """Fits this small lose more to waiting threads than they gain."""
    from threadpoolctl import threadpool_limits

    limits: AbstractContextManager[object] = threadpool_limits(1)
    return limits


def _fitted(values: Matrix, labels: Labels, seed: int) -> HistGradientBoostingClassifier:
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(
        max_iter=60,
        learning_rate=0.15,
        max_leaf_nodes=15,
        min_samples_leaf=max(5, min(40, len(labels) // 50)),
        l2_regularization=1.0,
        early_stopping=False,
        random_state=seed,
    )
    return model.fit(values, labels)


def _ranks_within(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores as quantiles of their fold: folds differ in level, which is no knowledge of images."""
    levels, level, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    middle: NDArray[np.float64] = (ends - counts / 2) / len(scores)
    return middle[level] if len(levels) else scores


def _drops(
    model: HistGradientBoostingClassifier, values: Matrix, labels: Labels, seed: int
) -> NDArray[np.float64]:
    """(columns,) how far the area falls when one column is shuffled."""
    rng = np.random.default_rng(seed)
    drops = np.zeros(values.shape[1])
    if len(np.unique(labels)) < 2:
        return drops
    full = roc_auc(labels, model.predict_proba(values)[:, 1])
    at_once = max(1, _ROWS_AT_ONCE // len(values))  # one call for many columns: calls cost more
    for start in range(0, values.shape[1], at_once):
        columns = range(start, min(start + at_once, values.shape[1]))
        shuffled = np.repeat(values[None], len(columns), axis=0)
        for place, i in enumerate(columns):
            shuffled[place, :, i] = rng.permutation(values[:, i])
        guesses = model.predict_proba(shuffled.reshape(-1, values.shape[1]))[:, 1]
        for i, guess in zip(columns, guesses.reshape(len(columns), -1), strict=True):
            drops[i] = full - roc_auc(labels, guess)
    return drops


def _rounded(value: float | None) -> float:
    """Both classes are there, so a missing value cannot be; it would count as no shortcut."""
    return 0.5 if value is None else round(value, 4)


def _suspect(name: str, drop: float, values: NDArray[np.float32], labels: Labels) -> Suspect:
    known = np.isfinite(values)
    yes_no = bool(known.all() and np.isin(values, (0, 1)).all())
    statistic: Literal["median", "mean", "share"] = "share" if yes_no else "median"
    parts = [values[known & (labels == label)] for label in (0, 1)]
    typical = [float(np.mean(p) if yes_no else np.median(p)) if len(p) else None for p in parts]
    if not yes_no and typical[0] == typical[1] and typical[0] is not None:
        statistic, typical = "mean", [float(p.mean()) for p in parts]
    real, generated = (None if value is None else round(value, 4) for value in typical)
    return Suspect(
        name=name, auc_drop=round(drop, 4), real=real, generated=generated, statistic=statistic
    )
