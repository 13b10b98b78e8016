"""From a score to a verdict, and the error rate that stands behind each word.

Both sides are stated alike. ``generated`` has its false-positive rate: the share of real
photographs that score so high. ``real`` has its miss rate: the share of generated images that
score so low. What lies between the two thresholds is inconclusive.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, model_validator

from authentiscan.core.records import Record
from authentiscan.core.types import Verdict

How: TypeAlias = Literal["leave-sources-out", "validation part"]
"""How a rate was measured: on sources that had no part in training or in setting the threshold, or
on the validation part, whose sources training may have seen."""

VERDICTS = (Verdict.REAL, Verdict.INCONCLUSIVE, Verdict.GENERATED)
"""In the order of `answers`: -1, 0, 1."""


class SourceRate(Record):
    """One source of images and the share of them on the wrong side of a threshold."""

    source: str
    rate: float = Field(ge=0, le=1)
    images: int = Field(ge=1)


class _Side(Record):
    """What both thresholds state. worst: the source with the highest rate of wrong answers."""

    name: str
    score: float = Field(ge=0, le=1)
    measured_on: str
    how: How | None = None
    sources: int = Field(default=0, ge=0)
    worst: SourceRate | None = None


class Threshold(_Side):
    """A score at or above which an image is called generated; 1 means never.

    fpr: share of real photographs at or above it on the data named in ``measured_on``.
    fpr_interval: its 95 % interval. tpr: share of generated images at or above it.
    """

    fpr: float = Field(ge=0, le=1)
    fpr_interval: tuple[float, float]
    tpr: float = Field(ge=0, le=1)

    @model_validator(mode="after")
    def _ordered(self) -> Threshold:
        _check_interval(self.fpr_interval, "fpr_interval")
        return self


class RealThreshold(_Side):
    """A score below which an image is called real; 0 means never.

    miss: share of generated images below it on the data named in ``measured_on``; None where no
    error rate was ever measured. miss_interval: its 95 % interval. tnr: share of real photographs
    below it.
    """

    name: str = "unmeasured"
    measured_on: str = ""
    miss: float | None = Field(default=None, ge=0, le=1)
    miss_interval: tuple[float, float] | None = None
    tnr: float | None = Field(default=None, ge=0, le=1)

    @model_validator(mode="after")
    def _ordered(self) -> RealThreshold:
        if self.miss_interval is not None:
            _check_interval(self.miss_interval, "miss_interval")
        return self


class Decision(Record):
    """The rule from score to verdict.

    At or above ``generated.score`` is generated, below ``real.score`` is real, between them
    inconclusive. A description of an earlier release states ``real_below`` alone: a score without
    an error rate.
    """

    generated: Threshold
    real: RealThreshold

    @model_validator(mode="before")
    @classmethod
    def _earlier_form(cls, given: object) -> object:
        if isinstance(given, dict) and "real_below" in given and "real" not in given:
            kept = {key: value for key, value in given.items() if key != "real_below"}
            return {**kept, "real": {"score": given["real_below"]}}
        return given

    @model_validator(mode="after")
    def _ordered(self) -> Decision:
        if self.real.score > self.generated.score:
            raise ValueError(
                f"real below {self.real.score:g} overlaps generated from "
                f"{self.generated.score:g}; the first must not be above the second"
            )
        if self.generated.score == 0 or self.real.score == 1:
            raise ValueError(
                f"generated from {self.generated.score:g}, real below {self.real.score:g}: every "
                "image would get one verdict; generated begins above 0, real ends below 1"
            )
        return self

    def __call__(self, score: float) -> Verdict:
        """The verdict of a calibrated score in [0, 1]."""
        return VERDICTS[int(answers(score, self.generated.score, self.real.score)) + 1]

    @property
    def real_below(self) -> float:
        """The score below which an image is called real."""
        return self.real.score

    def allows(self, verdict: Verdict) -> bool:
        """Whether any score leads to ``verdict``."""
        return {
            Verdict.GENERATED: self.generated.score < 1,
            Verdict.REAL: self.real.score > 0,
            Verdict.INCONCLUSIVE: self.real.score < self.generated.score,
        }[verdict]

    def rate(self, verdict: Verdict) -> str:
        """The error rate behind ``verdict`` as a sentence; empty for inconclusive."""
        if verdict is Verdict.GENERATED:
            return _rate_words(self.generated, self.generated.fpr, self.generated.fpr_interval)
        if verdict is Verdict.REAL:
            return _rate_words(self.real, self.real.miss, self.real.miss_interval)
        return ""


def score_words(score: float) -> str:
    """A score in [0, 1] as text: four decimals, more where these would make it 0 or 1."""
    decimals = (d for d in range(4, 17) if not 0 < score < 1 or 0 < round(score, d) < 1)
    return f"{score:.{next(decimals, 17)}f}"


def rule_words(generated_from: float, real_below: float) -> str:
    """Which scores get which verdict, in half a sentence; ends as in `answers`."""
    generated = f"generated from {score_words(generated_from)}" if generated_from < 1 else ""
    real = f"real below {score_words(real_below)}" if real_below > 0 else ""
    band = "inconclusive between" if generated and real else "all else inconclusive"
    return ", ".join((generated or "generated never", real or "real never", band))


def sentences(decision: Decision) -> list[str]:
    """What each verdict needs, what it finds and how often it errs; one sentence a verdict."""
    return [_side_words(decision, verdict) for verdict in (Verdict.GENERATED, Verdict.REAL)]


def _side_words(decision: Decision, verdict: Verdict) -> str:
    if not decision.allows(verdict):
        return (
            f"{verdict}: never. No threshold keeps the error rates asked for, so this detector "
            f"never says {verdict}."
        )
    if verdict is Verdict.GENERATED:
        side: _Side = decision.generated
        where, found = f"from a score of {score_words(side.score)}", decision.generated.tpr
        whom = "generated images"
    else:
        side = decision.real
        where, found = f"below a score of {score_words(side.score)}", decision.real.tnr or 0.0
        whom = "real photographs"
    text = f"{verdict}: {where}; {decision.rate(verdict)}."
    if not side.measured_on or side.name == "unmeasured":
        return text
    text += f" It finds {100 * found:.1f} % of {whom}. Measured on {side.measured_on}"
    if side.sources:
        text += f", {side.sources} sources"
    if side.worst is not None:
        w = side.worst
        text += f"; worst source: {w.source}, {100 * w.rate:.1f} % of {w.images} images"
    return text + "."


def answers(scores: ArrayLike, threshold: float, real_below: float) -> NDArray[np.int64]:
    """-1 real, 0 inconclusive, 1 generated, of each score in [0, 1]; NaN is inconclusive.

    A ``threshold`` of 1 is never reached, and nothing lies below a ``real_below`` of 0.
    """
    s = np.asarray(scores, dtype=np.float64)
    generated = (s >= threshold) & (threshold < 1)
    return np.where(generated, 1, np.where(s < real_below, -1, 0)).astype(np.int64)


def unmeasured_decision(score: float = 0.5) -> Decision:
    """The rule of a detector nobody has measured: a cut at ``score``, with the weakest claims."""
    threshold = Threshold(
        name="unmeasured",
        score=score,
        fpr=1.0,
        fpr_interval=(0.0, 1.0),
        tpr=0.0,
        measured_on="nothing yet: these are bounds, not measurements",
    )
    return Decision(generated=threshold, real=RealThreshold(score=score))


def _rate_words(side: _Side, rate: float | None, span: tuple[float, float] | None) -> str:
    high = isinstance(side, Threshold)
    what, where = ("real photographs", "high") if high else ("generated images", "low")
    if rate is None or side.name == "unmeasured":
        return f"no error rate was measured: how many {what} score this {where} is not known"
    unseen = " of unseen sources" if side.how == "leave-sources-out" else ""
    spread = f" ({100 * span[0]:.1f} to {100 * span[1]:.1f} %)" if span else ""
    kind = "" if side.how != "validation part" else ", on sources that training may have seen"
    return f"of {what}{unseen}, {100 * rate:.1f} %{spread} score this {where}{kind}"


def _check_interval(span: tuple[float, float], name: str) -> None:
    if not 0 <= span[0] <= span[1] <= 1:
        raise ValueError(f"{name} must rise from 0 to 1 at most, got {list(span)}")
