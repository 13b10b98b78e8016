"""Both thresholds of a detector, set so that their error rates hold on sources left out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from authentiscan.core.errors import MetricError, UsageError
from authentiscan.core.records import Record
from authentiscan.evaluation.noise_limit import NoiseLimit, write_limit
from authentiscan.evaluation.scores import ScoreTable
from authentiscan.inference.bundle import read_spec
from authentiscan.inference.update import update_spec
from authentiscan.metrics.calibration import Calibration, apply
from authentiscan.metrics.decision import Decision, sentences
from authentiscan.metrics.held_out import Promise, Scored, answered, hold_decision

_LOGIT = "logit"


class HeldOutThresholds(Record):
    """Thresholds set on the sources of some images, and what they answer there.

    answers: per protocol, every source counting alike, on the images that set the thresholds; the
    rates in ``decision`` are those of sources left out.
    """

    promise: Promise
    decision: Decision
    images: int
    sources: dict[str, int]
    answers: dict[str, dict[str, float]]
    noise: NoiseLimit | None = None

    def text(self) -> str:
        """For the terminal."""
        lines = [
            f"{self.images} images; sources: {self.sources['real']} of photographs, "
            f"{self.sources['generated']} of generated images; every source counts alike",
            *sentences(self.decision),
        ]
        for protocol, found in self.answers.items():
            lines.append(
                f"{protocol}: photographs {found['tnr']:.1%} real, {found['fpr']:.1%} generated; "
                f"generated images {found['miss']:.1%} real, {found['tpr']:.1%} generated; "
                f"conclusive verdicts right {found['right']:.1%}"
            )
        return "\n".join([*lines, *([self.noise.text()] if self.noise else [])])


def hold_out(
    scored: Mapping[str, Scored],
    promise: Promise | None = None,
    *,
    measured_on: str,
    seed: int = 0,
) -> HeldOutThresholds:
    """Set both thresholds on ``scored``, one table a protocol; see `metrics.held_out`.

    Raises MetricError where a class has fewer than two sources.
    """
    promise = promise or Promise()
    about = f"{measured_on} ({' and '.join(scored)})"
    decision = hold_decision(scored, promise, measured_on=about, seed=seed)
    first = next(iter(scored.values()))
    return HeldOutThresholds(
        promise=promise,
        decision=decision,
        images=len(first.labels),
        sources={
            word: len(np.unique(first.sources[first.labels == label]))
            for label, word in ((0, "real"), (1, "generated"))
        },
        answers={name: answered(table, decision) for name, table in scored.items()},
    )


def write_thresholds(folder: Path | str, found: HeldOutThresholds) -> None:
    """Put the decision, and the noise limit where one was measured, into the bundle and its card.

    Thresholds of earlier data are dropped: they promise what these sources do not show.
    """
    update_spec(folder, decision=found.decision, thresholds=(found.decision.generated,))
    if found.noise is not None:
        write_limit(folder, found.noise)


def of_table(table: ScoreTable) -> Scored:
    """The scored rows of ``table`` by source; by data set where no source is known."""
    good = table.scored()
    named, sets = good.column("source"), good.column("dataset")
    sources = [source or place for source, place in zip(named, sets, strict=True)]
    if not all(sources):
        raise MetricError("leaving sources out needs a source or data set for every image")
    return Scored.of(good.scores, good.labels, sources)


def read_scored(path: Path, calibration: Calibration) -> dict[str, Scored]:
    """Tables by protocol from a Parquet or CSV file of scores made elsewhere.

    Columns: ``label`` (0 real, 1 generated), ``source``, and uncalibrated logits as ``logit``, or
    one column a protocol, ``logit_NAME``; or calibrated ``score``. With a column ``protocol`` every
    image has a row under each. Raises UsageError for other files.
    """
    table = _opened(path)
    names = table.column_names
    missing = sorted({"label", "source"} - set(names))
    logits = [n for n in names if n == _LOGIT or n.startswith(f"{_LOGIT}_")]
    if missing or not (logits or "score" in names):
        wanted = "label, source, and logit, logit_NAME or score"
        raise UsageError(f"{path} needs the columns {wanted}; it has {', '.join(names)}")
    if not len(table):
        raise UsageError(f"{path} holds no scores")
    if "protocol" in names:
        return {
            str(protocol): _scored(table.filter(pc.equal(table["protocol"], protocol)), calibration)
            for protocol in table["protocol"].unique().to_pylist()
        }
    if logits == [_LOGIT] or not logits:
        return {"scores": _scored(table, calibration)}
    return {
        name.removeprefix(f"{_LOGIT}_"): _scored(table, calibration, name)
        for name in logits
        if name != _LOGIT
    }


def _scored(table: pa.Table, calibration: Calibration, logit: str = _LOGIT) -> Scored:
    """The rows of a table, by their logits where it has them, else by their scores."""
    if logit in table.column_names:
        scores = apply(calibration, table[logit].to_numpy())
    else:
        scores = table["score"].to_numpy()
    return Scored.of(scores, table["label"].to_pylist(), table["source"].to_pylist())


def scored_by(folder: Path | str, path: Path) -> dict[str, Scored]:
    """`read_scored` with the calibration of the bundle in ``folder``."""
    return read_scored(path, read_spec(folder).calibration)


def _opened(path: Path) -> pa.Table:
    from pyarrow import csv, parquet

    try:
        return csv.read_csv(path) if path.suffix == ".csv" else parquet.read_table(path)
    except (OSError, pa.ArrowException) as error:
        reason = str(error).partition("\n")[0]
        raise UsageError(f"cannot read the scores in {path}: {reason}") from error
