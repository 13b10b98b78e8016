"""`evaluate`: one detector, one manifest, all protocols side by side."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from authentiscan.core.errors import MetricError
from authentiscan.core.progress import Progress
from authentiscan.core.types import Verdict
from authentiscan.evaluation.harness import (
    Scorer,
    as_scorer,
    score_protocols,
)
from authentiscan.evaluation.protocol import NAMES, Protocol, named
from authentiscan.evaluation.results import (
    DataFacts,
    DetectorFacts,
    Evaluation,
    Mistake,
    ProtocolResult,
    RealCheck,
    Shortcut,
    ThresholdCheck,
)
from authentiscan.evaluation.scores import ScoreTable
from authentiscan.evaluation.slices import Measuring, Options, count_groups, no_intervals
from authentiscan.evaluation.words import WORDS
from authentiscan.inference.bundle import read_spec
from authentiscan.inference.detector import Detector
from authentiscan.inference.find import default_bundle
from authentiscan.inference.spec import DetectorSpec
from authentiscan.manifest.table import Manifest
from authentiscan.metrics import curves, sample_size
from authentiscan.metrics.bootstrap import (
    Estimate,
    Resampler,
    interval,
    replicates,
)
from authentiscan.metrics.ranking import Ranking
from authentiscan.metrics.thresholds import conclusive_right, share_interval, verdicts

_COMPARED = ("roc_auc", "balanced_accuracy")
_PER_ORIGIN = 2


@dataclass(frozen=True, eq=False)
class Result:
    """An evaluation and the score tables it was made from, by protocol."""

    evaluation: Evaluation
    tables: dict[str, ScoreTable]


def evaluate(
    detector: Detector | Scorer,
    manifest: Manifest,
    *,
    name: str = "manifest",
    protocols: Sequence[str] = NAMES,
    options: Options | None = None,
    cache: Path | None = None,
    progress: Progress | None = None,
    workers: int = 2,
) -> Result:
    """Score ``manifest`` under every protocol and measure all there is to measure.

    protocols: ``raw``, ``matched``, ``history`` or degradation chains. Raises MetricError where no
    image could be scored, UsageError for an unknown protocol.
    """
    if not len(manifest):
        raise MetricError(f"{name} holds no images to evaluate")
    opts = options or Options()
    started = time.perf_counter()
    chosen = [named(text, manifest) for text in protocols]
    tables = score_protocols(
        detector, manifest, chosen, progress, cache=cache, workers=workers, seed=opts.seed
    )
    spec = detector.spec if isinstance(detector, Detector) else None
    measured = measure_tables(
        dict(zip([t.name for t in chosen], tables, strict=True)),
        chosen,
        as_scorer(detector),
        spec,
        data=name,
        options=opts,
    )
    seconds = time.perf_counter() - started
    return Result(
        measured.model_copy(update={"seconds": round(seconds, 2)}),
        dict(zip([t.name for t in chosen], tables, strict=True)),
    )


def measure_tables(
    tables: dict[str, ScoreTable],
    protocols: Sequence[Protocol],
    scorer: Scorer,
    spec: DetectorSpec | None,
    *,
    data: str,
    options: Options,
) -> Evaluation:
    """The evaluation of tables already scored, one per protocol and named like it."""
    facts = detector_facts(scorer, spec, options)
    results = {
        t.name: _measure_protocol(
            tables[t.name].scored(), tables[t.name], t, facts, spec=spec, options=options
        )
        for t in protocols
    }
    shortcuts = _shortcuts(tables, results, facts.threshold, options)
    main = next((n for n in ("matched", "history") if n in tables), next(iter(tables)))
    first = next(iter(tables.values()))
    return Evaluation(
        created=datetime.now(UTC),
        detector=facts,
        data=data_facts(first, data),
        settings=options.record(),
        protocols=results,
        shortcuts=shortcuts,
        mistakes=worst_mistakes(tables[main], facts.threshold, options.mistakes),
        sample_sizes=sample_size.sentences((0.01, 0.05), first.labels, first.groups),
        warnings=(
            *_warnings(first, results, shortcuts, spec),
            *no_intervals(results[main].overall, options),
        ),
    )


def worst_mistakes(table: ScoreTable, threshold: float, count: int) -> tuple[Mistake, ...]:
    """The ``count`` most confident mistakes of each class, by origin, the worst origin first.

    An origin is a generator, or a data set of real images. Of each at most `_PER_ORIGIN`: failure
    modes, not one failure many times.
    """
    found: list[Mistake] = []
    for label in (0, 1):
        wrong = (table.scores >= threshold) if label == 0 else (table.scores < threshold)
        rows = np.flatnonzero((table.labels == label) & wrong)  # NaN compares false: not a mistake
        order = np.argsort(-table.scores[rows] if label == 0 else table.scores[rows], kind="stable")
        column = table.column("dataset" if label == 0 else "generator")
        origins = [str(o) for o in column]
        scored = (table.labels == label) & ~np.isnan(table.scores)
        among = Counter(origins[i] for i in np.flatnonzero(scored))
        by_origin: dict[str, list[int]] = {}
        for row in rows[order]:
            by_origin.setdefault(origins[row], []).append(int(row))
        worst = [
            _mistake(table, row, len(own), among[origin])
            for origin, own in by_origin.items()
            for row in own[:_PER_ORIGIN]
        ]
        found += worst[:count]
    return tuple(found)


def _mistake(table: ScoreTable, row: int, wrong: int, among: int) -> Mistake:
    text = {k: str(table.columns[k][row]) for k in ("name", "generator", "dataset")}
    return Mistake(
        row=row,
        label=int(table.labels[row]),
        score=round(float(table.scores[row]), 5),
        wrong=wrong,
        among=among,
        **text,
    )


def _measure_protocol(
    table: ScoreTable,
    whole: ScoreTable,
    protocol: Protocol,
    facts: DetectorFacts,
    *,
    spec: DetectorSpec | None,
    options: Options,
) -> ProtocolResult:
    slicer = Measuring(protocol.size_matched, options).slicer(table, facts.threshold)
    weights = slicer.weights(np.arange(len(table)))
    both = weights is not None and table.labels.min() != table.labels.max()
    y, s = table.labels, table.scores
    answers = verdicts(s, y, facts.threshold, facts.real_below)
    return ProtocolResult(
        name=protocol.name,
        key=protocol.key,
        images=len(whole),
        failed=whole.failed,
        size_matched=protocol.size_matched,
        covered=int((weights > 0).sum()) if weights is not None else 0,
        overall=slicer.overall(),
        slices=tuple(slicer.parts(options.parts)),
        verdicts=answers,
        thresholds=_threshold_checks(table, spec) if both else (),
        real_threshold=_real_check(table, spec) if both else None,
        conclusive_right=conclusive_right(answers),
        roc=curves.roc_curve(y, s, weights=weights) if both else None,
        precision_recall=curves.precision_recall_curve(y, s, weights=weights) if both else None,
        reliability=curves.reliability(y, s, weights=weights) if both else (),
        histogram=curves.histogram(y, s),
    )


def _threshold_checks(table: ScoreTable, spec: DetectorSpec | None) -> tuple[ThresholdCheck, ...]:
    if spec is None:
        return ()
    listed = {t.name: t for t in (spec.decision.generated, *spec.thresholds)}

    def share(label: int, score: float) -> Estimate:
        return _share(table, label, table.scores >= score)

    return tuple(
        ThresholdCheck(
            name=t.name,
            score=t.score,
            stated_fpr=t.fpr,
            fpr=share(0, t.score),
            tpr=share(1, t.score),
        )
        for t in listed.values()
    )


def _real_check(table: ScoreTable, spec: DetectorSpec | None) -> RealCheck | None:
    if spec is None or not spec.decision.allows(Verdict.REAL):
        return None
    real = spec.decision.real
    below = table.scores < real.score
    return RealCheck(
        name=real.name,
        score=real.score,
        stated_miss=real.miss,
        miss=_share(table, 1, below),
        tnr=_share(table, 0, below),
    )


def _share(table: ScoreTable, label: int, hits: NDArray[np.bool_]) -> Estimate:
    """Share of the images of ``label`` that are hit, with its interval over groups."""
    rows: NDArray[np.intp] = np.flatnonzero(table.labels == label)
    return Estimate(*share_interval(hits[rows], [table.groups[i] for i in rows]))


def _shortcuts(
    tables: dict[str, ScoreTable],
    results: dict[str, ProtocolResult],
    threshold: float,
    options: Options,
) -> tuple[Shortcut, ...]:
    """Raw against matched on the same images, with paired draws for the difference."""
    if "raw" not in tables or "matched" not in tables:
        return ()
    good = ~np.isnan(tables["raw"].scores) & ~np.isnan(tables["matched"].scores)
    raw, matched = tables["raw"].take(good), tables["matched"].take(good)
    slicer = Measuring(True, options).slicer(matched, threshold)
    weights = slicer.weights(np.arange(len(matched)))
    if weights is None or raw.labels.min() == raw.labels.max():
        return ()
    resampler = Resampler(raw.labels, raw.groups, rounds=options.rounds, seed=options.seed)
    varied = resampler.usable and options.rounds >= 2
    draws = []
    if varied:
        for table, w in ((raw, None), (matched, weights)):
            ranking = Ranking(table.labels, table.scores, threshold=threshold)
            draws.append(replicates(ranking, resampler, w))
    found = []
    for metric in _COMPARED:
        a = results["raw"].overall.metrics[metric]
        b = results["matched"].overall.metrics[metric]
        if a.value is None or b.value is None:
            continue
        span = interval(draws[0][metric] - draws[1][metric], options.level) if varied else None
        found.append(
            Shortcut(
                metric=metric,
                raw=a,
                matched=b,
                difference=Estimate(a.value - b.value, *(span or ())),
                suspicious=b.high is not None and a.value > b.high,
            )
        )
    return tuple(found)


def _warnings(
    table: ScoreTable,
    results: dict[str, ProtocolResult],
    shortcuts: Sequence[Shortcut],
    spec: DetectorSpec | None,
) -> list[str]:
    found = [
        f"raw {WORDS[s.metric]} {s.raw.value:.3f} lies above the matched interval {s.matched}: the "
        "detector gains from file format, compression or size, a shortcut that will not hold "
        "elsewhere"
        for s in shortcuts
        if s.suspicious
    ]
    if table.failed:
        first = next(e for e in table.errors if e)
        found.append(f"{table.failed} of {len(table)} images could not be scored; first: {first}")
    real, generated = int((table.labels == 0).sum()), int((table.labels == 1).sum())
    if not real or not generated:
        which = "real" if generated else "generated"
        found.append(f"there are no {which} images here: ranking metrics are undefined")
    elif real < 100:
        found.append(f"with {real} real images a false-positive rate of 1 % cannot be resolved")
    matched = next((r for r in results.values() if r.size_matched), None)
    if matched is not None and matched.covered < matched.images - matched.failed:
        scored = matched.images - matched.failed
        found.append(
            f"{scored - matched.covered} of {scored} images lie in size bands that hold one class "
            "only and count in no size-matched overall figure"
        )
    styles = [s for s, y in zip(table.column("style"), table.labels, strict=True) if y == 1]
    if any(styles) and sum(s == "photo" for s in styles) < len(styles) / 2:
        found.append(
            "fewer than half of the generated images are photo-styled: part of the result may be "
            "content; read the slice style = photo"
        )
    return found + _of_seen_images(spec, table)


def _of_seen_images(spec: DetectorSpec | None, table: ScoreTable) -> list[str]:
    """Warn where these images may be those that the detector learned from."""
    splits = set(table.column("split"))
    if spec is None or not _may_have_seen(spec, table):
        return []
    if "train" in splits:
        return ["the manifest holds rows of the split 'train': figures may be of seen images"]
    alike = [use for use in spec.data if sum(use.images.values()) == len(table)]
    if splits <= {None, ""} and alike:
        return [
            f"the detector learned from data of as many images ({alike[0].name}): figures may be "
            "of seen images; --split test of its run's manifest has those it never saw"
        ]
    return []


def _may_have_seen(spec: DetectorSpec, table: ScoreTable) -> bool:
    """Whether the detector can have learned from this manifest: the packaged one only from the
    manifests that it names, a detector of one's own perhaps from a part of any.
    """
    if spec.sha256 != read_spec(default_bundle(), verify=False).sha256:
        return True
    return table.manifest_sha256 in {use.sha256 for use in spec.data}


def detector_facts(scorer: Scorer, spec: DetectorSpec | None, options: Options) -> DetectorFacts:
    """Which detector is measured, and its rule: the options' threshold before the bundle's."""
    stated = spec.decision.generated.score if spec else 0.5
    threshold = options.threshold if options.threshold is not None else stated
    return DetectorFacts(
        name=scorer.name,
        version=spec.version if spec else "",
        identity=scorer.identity,
        files=dict(spec.files) if spec else {},
        threshold=threshold,
        real_below=min(threshold, spec.decision.real_below) if spec else threshold,
        limits=tuple(spec.limits) if spec else (),
    )


def data_facts(table: ScoreTable, name: str) -> DataFacts:
    """Which images are measured."""
    splits = [str(s) for s in table.column("split") if s is not None]
    return DataFacts(
        name=name,
        sha256=table.manifest_sha256,
        images=len(table),
        real=int((table.labels == 0).sum()),
        generated=int((table.labels == 1).sum()),
        groups=count_groups(table.groups),
        splits={s: splits.count(s) for s in sorted(set(splits))},
    )
