"""Thresholds whose error rates hold on sources that had no part in setting them.

Images of one source resemble each other, and the next user's come from yet another source. So
every source counts alike, however large, and each source is judged by the threshold that the
*other* sources would have set (leave-one-source-out). What a threshold states is the mean of those
rates. Where it comes out above the rate that was asked for, a stricter threshold is tried; where
none holds, there is none, and the verdict is never given.

The same search serves both sides: *named* is the class that the verdict names, *wrong* the other
one. ``generated`` names generated images by their high scores; ``real`` names photographs, with
scores turned round.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray

from authentiscan.core.errors import MetricError
from authentiscan.core.records import Record
from authentiscan.core.types import Verdict
from authentiscan.metrics.bootstrap import interval
from authentiscan.metrics.decision import Decision, RealThreshold, SourceRate, Threshold
from authentiscan.metrics.ranking import Floats
from authentiscan.metrics.thresholds import share_interval

ROUNDS = 2000
_CUTS = 4000  # candidate thresholds looked at
_STRICTER = (1.0, 0.85, 0.7, 0.55, 0.4, 0.3, 0.2, 0.1, 0.05, 0.0)
"""Parts of the asked rate that thresholds are set at, the laxest that holds is taken."""


class Promise(Record):
    """What both verdicts have to keep on sources not yet seen.

    fpr: most of the real photographs that may be called generated. miss: most of the generated
    images that may be called real. right: least share of a verdict's answers that are right where
    half of the images are generated. All in (0, 1).
    """

    fpr: float = 0.02
    miss: float = 0.05
    right: float = 0.9


@dataclass(frozen=True, slots=True)
class Scored:
    """Scores (N,) in [0, 1] with labels (N,) 0 real, 1 generated, and the source of each image."""

    scores: Floats
    labels: NDArray[np.int64]
    sources: NDArray[np.str_]

    @classmethod
    def of(cls, scores: ArrayLike, labels: ArrayLike, sources: Sequence[object]) -> Scored:
        """Check and convert. Raises MetricError where a class has fewer than two sources."""
        s, y = np.asarray(scores, dtype=np.float64), np.asarray(labels).astype(np.int64)
        names = np.asarray([str(source) for source in sources])
        if not s.shape == y.shape == names.shape or s.ndim != 1:
            raise MetricError(f"{len(s)} scores, {len(y)} labels and {len(names)} sources")
        if not np.isfinite(s).all() or (len(s) and not 0 <= s.min() <= s.max() <= 1):
            raise MetricError("thresholds need scores in [0, 1] without NaN")
        for label, word in ((0, "real"), (1, "generated")):
            count = len(np.unique(names[y == label]))
            if count < 2:
                raise MetricError(
                    f"{word} images come from {count} source{'s' if count != 1 else ''}; leaving "
                    "sources out needs two or more of each class"
                )
        return cls(s, y, names)

    def turned(self) -> Scored:
        """The same images with the classes and the scores turned round."""
        return Scored(1.0 - self.scores, 1 - self.labels, self.sources)


@dataclass(frozen=True, slots=True)
class Held:
    """A threshold on scores that name a class from ``score`` up; rates are leave-one-source-out.

    wrong: mean over the other class's sources of the share that is named, under the protocol where
    it is highest. found: the same of the named class, under the protocol where it is lowest.
    """

    score: float
    wrong: float
    wrong_interval: tuple[float, float]
    found: float
    sources: int
    worst: SourceRate


def hold_decision(
    scored: Mapping[str, Scored],
    promise: Promise | None = None,
    *,
    measured_on: str,
    seed: int = 0,
) -> Decision:
    """The rule that keeps ``promise`` on the sources of ``scored``, under each of its protocols.

    A verdict that cannot keep it is never given: ``generated`` gets the threshold 1, ``real`` 0.
    """
    promise = promise or Promise()
    tables = list(scored.values())
    upper = hold(tables, promise.fpr, promise.right, seed=seed)
    lower = hold([table.turned() for table in tables], promise.miss, promise.right, seed=seed)
    sides = {"measured_on": measured_on, "how": "leave-sources-out"}
    generated = Threshold.model_validate(
        {"name": f"fpr_{100 * promise.fpr:g}", **sides, "score": 1.0, "tpr": 0.0}
        | {"fpr": 0.0, "fpr_interval": (0.0, 0.0)}
        | (_fields(upper, "fpr", "tpr") if upper else {})
    )
    real = RealThreshold.model_validate(
        {"name": f"miss_{100 * promise.miss:g}", **sides, "score": 0.0, "tnr": 0.0}
        | {"miss": 0.0, "miss_interval": (0.0, 0.0)}
        | (_fields(lower, "miss", "tnr") if lower else {})
    )
    if lower is not None:
        score = min(1.0 - lower.score, generated.score)
        real = real.model_copy(update={"score": score})
    return Decision(generated=generated, real=real)


def _fields(held: Held, wrong: str, found: str) -> dict[str, object]:
    return {
        "score": held.score,
        wrong: held.wrong,
        f"{wrong}_interval": held.wrong_interval,
        found: held.found,
        "sources": held.sources,
        "worst": held.worst,
    }


def hold(tables: Sequence[Scored], rate: float, right: float, *, seed: int = 0) -> Held | None:
    """The laxest threshold that names label 1 and keeps both figures on sources left out.

    tables: the same images under several protocols; the rate holds under each. None where no
    threshold keeps them.
    """
    if not 0 < rate < 1 or not 0 < right < 1:
        raise MetricError(f"rates lie between 0 and 1, got {rate} and {right}")
    search = _Search(tables)
    best: Held | None = None
    for part, strictness in product(_STRICTER, (0.0, 0.25, 0.5, 0.75)):
        held = search.try_one(part * rate, right + strictness * (1 - right), seed)
        if held is None or held.wrong > rate * (1 + 1e-9):
            continue
        if held.found < right * (held.found + held.wrong):
            continue
        if held.found <= held.wrong_interval[1]:
            continue  # so few are found that mostly wrong answers cannot be ruled out
        if best is None or (held.found, -held.wrong) > (best.found, -best.wrong):
            best = held
    return best


class _Search:
    """Shares of each source at or above each candidate threshold, under each protocol."""

    def __init__(self, tables: Sequence[Scored]) -> None:
        every = np.unique(np.concatenate([t.scores for t in tables]))
        if len(every) > _CUTS:
            every = np.unique(np.quantile(every, np.linspace(0, 1, _CUTS), method="nearest"))
        middles = (every[1:] + every[:-1]) / 2
        above = (every[-1] + 1.0) / 2
        self.cuts: Floats = np.append(middles, above) if above > every[-1] else middles
        self.sources = np.unique(np.concatenate([t.sources for t in tables]))
        self.shares, self.counts = {}, {}
        for label in (0, 1):
            parts = [self._shares(t, label) for t in tables]
            self.shares[label] = np.stack([share for share, _ in parts])
            self.counts[label] = np.min([count for _, count in parts], axis=0)

    def _shares(self, table: Scored, label: int) -> tuple[Floats, NDArray[np.int64]]:
        """(sources, cuts) shares, 0 where a source has no image of ``label``; and how many."""
        found = np.zeros((len(self.sources), len(self.cuts)))
        counts = np.zeros(len(self.sources), dtype=np.int64)
        for i, source in enumerate(self.sources):
            own = np.sort(table.scores[(table.sources == source) & (table.labels == label)])
            counts[i] = len(own)
            if len(own):
                found[i] = 1.0 - np.searchsorted(own, self.cuts, side="left") / len(own)
        return found, counts

    def try_one(self, rate: float, right: float, seed: int) -> Held | None:
        """The threshold that all sources set at these figures, and how the left-out ones fare."""
        means = {k: self._means(k, None) for k in (0, 1)}
        chosen = _choose(means[0], means[1], rate, right)
        if chosen is None:
            return None
        left_out = {k: np.zeros(self.shares[k].shape[:2]) for k in (0, 1)}
        for i in range(len(self.sources)):
            cut = _choose(self._means(0, i), self._means(1, i), rate, right)
            for k in (0, 1):
                left_out[k][:, i] = 0.0 if cut is None else self.shares[k][:, i, cut]
        wrong, found = (left_out[k][:, self.counts[k] > 0] for k in (0, 1))
        hardest = int(wrong.mean(axis=1).argmax())
        names = self.sources[self.counts[0] > 0]
        sizes = self.counts[0][self.counts[0] > 0]
        worst = int(wrong[hardest].argmax())
        return Held(
            score=float(self.cuts[chosen]),
            wrong=float(wrong[hardest].mean()),
            wrong_interval=_over_sources(wrong[hardest], sizes, seed),
            found=float(found.mean(axis=1).min()),
            sources=len(names),
            worst=SourceRate(
                source=str(names[worst]),
                rate=float(wrong[hardest, worst]),
                images=int(sizes[worst]),
            ),
        )

    def _means(self, label: int, without: int | None) -> Floats:
        """(protocols, cuts): mean over the sources of ``label``, one of them left out."""
        have = (self.counts[label] > 0).astype(np.float64)
        total = self.shares[label].sum(axis=1)
        if without is not None:
            total = total - self.shares[label][:, without]
            have[without] = 0.0
        return np.asarray(total / have.sum())


def _choose(wrong: Floats, found: Floats, rate: float, right: float) -> int | None:
    """Index of the cut that finds most and keeps both figures under every protocol, or None.

    wrong, found: (protocols, cuts). A small slack keeps 0.05 of 20 images at one image. Of cuts
    that find equally many the highest is wrong least often.
    """
    good = (wrong <= rate * (1 + 1e-12)) & (found > 0) & (found >= right * (found + wrong))
    kept = np.flatnonzero(good.all(axis=0))
    if not len(kept):
        return None
    least = found[:, kept].min(axis=0)
    best = kept[least >= least.max() - 1e-12]
    return int(best[-1])


def _over_sources(rates: Floats, images: NDArray[np.int64], seed: int) -> tuple[float, float]:
    """95 % interval of the mean of ``rates`` (S,): sources are drawn, and images within them.

    Where every rate is 0 (or 1) draws cannot vary; then each source counts as one image.
    """
    if np.ptp(rates) == 0 and rates[0] in (0.0, 1.0):
        return share_interval(np.full(len(rates), bool(rates[0])))[1:]
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, len(rates), size=(ROUNDS, len(rates)))
    hits = rng.binomial(images[drawn], rates[drawn]) / images[drawn]
    low, high = interval(hits.mean(axis=1)) or (0.0, 1.0)
    mean = float(rates.mean())
    return min(low, mean), max(high, mean)


def answered(scored: Scored, decision: Decision) -> dict[str, float]:
    """How ``decision`` fares on other images, every source counting alike; shares in [0, 1].

    ``fpr``, ``miss``, ``tpr``, ``tnr`` as in the thresholds; ``right``: of the conclusive verdicts,
    half of the images generated; ``generated_right``, ``real_right``: of each verdict. NaN where
    nothing was answered.
    """
    high = scored.scores >= decision.generated.score
    high &= decision.allows(Verdict.GENERATED)
    low = scored.scores < decision.real.score

    def mean(hits: NDArray[np.bool_], label: int) -> float:
        rows = scored.labels == label
        by = [hits[rows & (scored.sources == s)].mean() for s in np.unique(scored.sources[rows])]
        return float(np.mean(by))

    fpr, tpr, miss, tnr = mean(high, 0), mean(high, 1), mean(low, 1), mean(low, 0)

    def share(right: float, wrong: float) -> float:
        return right / (right + wrong) if right + wrong else float("nan")

    return {
        "fpr": fpr,
        "miss": miss,
        "tpr": tpr,
        "tnr": tnr,
        "right": share(tpr + tnr, fpr + miss),
        "generated_right": share(tpr, fpr),
        "real_right": share(tnr, miss),
    }
