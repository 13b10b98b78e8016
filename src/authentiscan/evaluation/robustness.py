"""Robustness: the same images scored after being re-saved, resized, blurred, shared, and so on.

Every condition degrades both classes alike, after a base protocol (`matched` unless told
otherwise), so that a curve shows what the degradation costs, not what a file format gave.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from authentiscan.core.errors import UsageError
from authentiscan.core.progress import Progress
from authentiscan.core.records import Record
from authentiscan.evaluation.evaluate import data_facts, detector_facts
from authentiscan.evaluation.harness import (
    Scorer,
    as_scorer,
    score_protocols,
)
from authentiscan.evaluation.protocol import Protocol, named
from authentiscan.evaluation.results import DataFacts, DetectorFacts, Settings
from authentiscan.evaluation.scores import ScoreTable
from authentiscan.evaluation.slices import Measuring, Options
from authentiscan.inference.detector import Detector
from authentiscan.manifest.table import Manifest
from authentiscan.metrics.bootstrap import Estimate
from authentiscan.metrics.thresholds import share_interval

BASE = "base"
REPORTED = (
    "balanced_accuracy",
    "real_accuracy",
    "generated_accuracy",
    "roc_auc",
    "tpr_at_fpr_5",
    "tpr_at_fpr_1",
)


@dataclass(frozen=True, slots=True)
class Condition:
    """A degradation: its family, its strength on the family's axis (None where there is none)."""

    family: str
    strength: float | None
    chain: str
    label: str


def _family(name: str, values: Sequence[float], chain: str) -> tuple[Condition, ...]:
    return tuple(Condition(name, v, chain.format(v), f"{name} {v:g}") for v in values)


SWEEPS: dict[str, tuple[Condition, ...]] = {
    "jpeg": _family(
        "jpeg", (100, 95, 90, 80, 70, 60, 50, 40, 30), "jpeg:quality={:g},subsampling=4:2:0"
    ),
    "webp": _family("webp", (95, 90, 80, 70, 60, 50, 40, 30), "webp:quality={:g}"),
    "resize": _family(
        "resize", (0.25, 0.5, 0.75, 1.25, 1.5, 2), "resize:scale={:g},kernel=bicubic"
    ),
    "blur": _family("blur", (0.5, 1, 1.5, 2, 3), "blur:sigma={:g}"),
    "noise": _family("noise", (1, 2, 4, 8, 16), "noise:sigma={:g}"),
    "crop": _family("crop", (0.9, 0.75, 0.5, 0.25), "crop:keep={:g},x=0.5,y=0.5"),
    "screenshot": (Condition("screenshot", None, "screenshot", "screenshot"),),
    "social": tuple(
        Condition("social", None, f"social:kind={kind}", f"social, {kind}")
        for kind in ("messenger", "feed", "microblog", "preview", "cdn")
    ),
}
AXES = {
    "jpeg": "JPEG quality",
    "webp": "WebP quality",
    "resize": "resize, scale",
    "blur": "blur, sigma in pixels",
    "noise": "noise, sigma in levels of 255",
    "crop": "crop, share of each side kept",
}
_PAIRED = {
    "jpeg 70": "jpeg:quality=70,subsampling=4:2:0",
    "webp 70": "webp:quality=70",
    "resize 0.5": "resize:scale=0.5,kernel=bicubic",
    "resize 1.5": "resize:scale=1.5,kernel=bicubic",
    "blur 1": "blur:sigma=1",
    "noise 4": "noise:sigma=4",
    "crop 0.75": "crop:keep=0.75,x=0.5,y=0.5",
    "screenshot": "screenshot",
}
PAIRS: tuple[Condition, ...] = tuple(
    Condition("pairs", None, f"{a} | {b}", f"{first} → {second}")
    for first, a in _PAIRED.items()
    for second, b in _PAIRED.items()
    if first != second
)
PAIR_NAMES = tuple(_PAIRED)


class ConditionResult(Record):
    """What one condition did. Figures are of the degraded images, except the flips.

    flips: share of images whose verdict is another one than under the base. hard_flips: those that
    went from real to generated or back.
    """

    family: str
    strength: float | None
    chain: str
    label: str
    metrics: dict[str, Estimate]
    flips: Estimate
    hard_flips: Estimate


class Robustness(Record):
    """All conditions of one detector on one set of images; ``base`` is without degradation."""

    schema_version: int = 1
    kind: str = "robustness"
    created: datetime
    detector: DetectorFacts
    data: DataFacts
    settings: Settings
    base_protocol: str
    base: ConditionResult
    conditions: tuple[ConditionResult, ...]

    def family(self, name: str) -> list[ConditionResult]:
        """The conditions of a family, in order of strength where it has one."""
        found = [c for c in self.conditions if c.family == name]
        return sorted(found, key=lambda c: c.strength if c.strength is not None else 0.0)


def robustness(
    detector: Detector | Scorer,
    manifest: Manifest,
    *,
    name: str = "manifest",
    families: Sequence[str] = tuple(SWEEPS),
    pairs: bool = False,
    extra: Mapping[str, str] | None = None,
    base: str = "matched",
    options: Options | None = None,
    cache: Path | None = None,
    progress: Progress | None = None,
    workers: int = 2,
) -> Robustness:
    """Score ``manifest`` under every condition of ``families`` (keys of `SWEEPS`).

    pairs: also every ordered pair of one moderate strength each. extra: chains of your own, by
    label. base: protocol before each degradation. Raises UsageError for unknown families.
    """
    unknown = sorted(set(families) - set(SWEEPS))
    if unknown:
        raise UsageError(f"unknown sweeps {unknown}; known are {list(SWEEPS)}")
    conditions = [c for family in families for c in SWEEPS[family]]
    conditions += PAIRS if pairs else ()
    conditions += [Condition("own", None, chain, label) for label, chain in (extra or {}).items()]
    opts = options or Options()
    start = named(base, manifest)
    protocols = [start, *(start.then(c.label, c.chain) for c in conditions)]
    tables = score_protocols(
        detector, manifest, protocols, progress, cache=cache, workers=workers, seed=opts.seed
    )
    spec = detector.spec if isinstance(detector, Detector) else None
    facts = detector_facts(as_scorer(detector), spec, opts)
    first = Condition(BASE, None, str(start.chain), BASE)
    measured = [
        _measure(condition, table, tables[0], start, facts=facts, options=opts)
        for condition, table in zip([first, *conditions], tables, strict=True)
    ]
    return Robustness(
        created=datetime.now(UTC),
        detector=facts,
        data=data_facts(tables[0], name),
        settings=opts.record(),
        base_protocol=base,
        base=measured[0],
        conditions=tuple(measured[1:]),
    )


def sample(manifest: Manifest, images: int, seed: int = 0) -> Manifest:
    """At most ``images`` rows, half of each class where there are enough, drawn by ``seed``.

    Within a class every generator gives its share, so that rare ones stay in. 0 keeps all.
    """
    if images <= 0 or images >= len(manifest):
        return manifest
    rng = np.random.default_rng(seed)
    generators = np.asarray([str(g) for g in manifest.column("generator")])
    chosen: list[int] = []
    for label in (0, 1):
        rows = np.flatnonzero(manifest.labels == label)
        # Round robin over generators: the k-th image of each before the k+1st of any.
        shuffled = rng.permutation(rows)
        turn = np.empty(len(shuffled), dtype=np.int64)
        for g in np.unique(generators[shuffled]):
            own = np.flatnonzero(generators[shuffled] == g)
            turn[own] = np.arange(len(own))
        chosen += shuffled[np.argsort(turn, kind="stable")][: images // 2].tolist()
    return manifest.take(np.sort(np.asarray(chosen)))


def jpeg_csv(result: Robustness) -> str:
    """Accuracy against JPEG quality as CSV text, strongest quality first."""
    lines = ["jpeg_quality," + ",".join(f"{m},{m}_low,{m}_high" for m in REPORTED) + ",flip_rate"]
    for c in reversed(result.family("jpeg")):
        cells = [f"{c.strength:g}"]
        for metric in REPORTED:
            cells += [_cell(v) for v in c.metrics[metric].as_json()]
        lines.append(",".join([*cells, _cell(c.flips.value)]))
    return "\n".join(lines) + "\n"


def _measure(
    condition: Condition,
    table: ScoreTable,
    base: ScoreTable,
    protocol: Protocol,
    *,
    facts: DetectorFacts,
    options: Options,
) -> ConditionResult:
    good = ~np.isnan(table.scores) & ~np.isnan(base.scores)
    table, base = table.take(good), base.take(good)
    slicer = Measuring(protocol.size_matched, options).slicer(table, facts.threshold)
    before, after = _verdicts(base.scores, facts), _verdicts(table.scores, facts)
    return ConditionResult(
        family=condition.family,
        strength=condition.strength,
        chain=condition.chain,
        label=condition.label,
        metrics={m: e for m, e in slicer.overall().metrics.items() if m in REPORTED},
        flips=Estimate(*share_interval(before != after, table.groups)),
        hard_flips=Estimate(*share_interval(np.abs(before - after) == 2, table.groups)),
    )


def _verdicts(scores: NDArray[np.float64], facts: DetectorFacts) -> NDArray[np.int64]:
    """-1 real, 0 inconclusive, 1 generated."""
    real = scores < facts.real_below
    return np.where(scores >= facts.threshold, 1, np.where(real, -1, 0))


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
