"""The verdict as users get it (pixels, provenance and rules) beside that of the pixels alone.

Every image is judged as a whole file by `analysis.analyze`, as `scan` does, and both verdicts are
counted by class. What provenance adds depends on the files: images whose metadata was removed on
the way gain nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from authentiscan.analysis import Report
from authentiscan.core.errors import MetricError
from authentiscan.core.records import Record
from authentiscan.core.types import Verdict
from authentiscan.metrics.bootstrap import LEVEL, ROUNDS, Estimate, Resampler, interval
from authentiscan.provenance import TrustList
from authentiscan.scan import Item, Options, scan

if TYPE_CHECKING:
    from authentiscan.inference import Detector
    from authentiscan.manifest.table import Manifest

Truth: TypeAlias = Literal["real", "generated"]
TRUTHS: tuple[Truth, ...] = ("real", "generated")


class Answers(Record):
    """How the images of one class were answered.

    images: how many were judged. counts: by verdict. shares: of the images, in [0, 1], with 95 %
    bootstrap intervals over whole groups.
    """

    images: int
    counts: dict[Verdict, int]
    shares: dict[Verdict, Estimate]


class WholeVerdict(Record):
    """Both verdicts of every image, counted by class.

    whole: with provenance and rules; pixels: what score and thresholds alone say.
    rules: how often each rule decided, by class. c2pa: how many files were in each state.
    changed: images whose two verdicts differ. failed: images that could not be judged.
    trust_list: whose signatures counted.
    """

    trust_list: str
    whole: dict[Truth, Answers]
    pixels: dict[Truth, Answers]
    rules: dict[Truth, dict[str, int]]
    c2pa: dict[str, int]
    changed: int
    failed: int


def measure(
    manifest: Manifest,
    detector: Detector,
    *,
    trust: TrustList | None = None,
    rounds: int = ROUNDS,
    seed: int = 0,
    workers: int | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> WholeVerdict:
    """Judge every image of ``manifest`` as a whole file and count both verdicts.

    trust: whose C2PA signatures count; None for `TrustList.chosen`. progress: told (done, total).
    Raises MetricError where no image could be judged.
    """
    listed = trust if trust is not None else TrustList.chosen()
    rows: list[int] = []
    reports: list[Report] = []
    found = scan(_items(manifest, rows), detector, workers=workers, options=Options(trust=listed))
    for result in found:
        reports.append(result.report)
        if progress:
            progress(len(reports), len(manifest))
    judged = [i for i, report in enumerate(reports) if report.verdict is not None]
    if not judged:
        raise MetricError("no image of the manifest could be judged")
    order = [rows[i] for i in judged]
    kept = [reports[i] for i in judged]
    labels = np.asarray(manifest.column("label"))[order].astype(np.int64)
    groups = manifest.column("group")
    resampler = Resampler(labels, [groups[i] for i in order], rounds=rounds, seed=seed)
    return WholeVerdict(
        trust_list=f"{listed.name}, {len(listed)} certificates",
        whole=_answers(labels, [r.verdict for r in kept], resampler),
        pixels=_answers(labels, [r.pixel_verdict for r in kept], resampler),
        rules={
            truth: dict(Counter(r.rule for r, y in zip(kept, labels, strict=True) if y == label))
            for label, truth in enumerate(TRUTHS)
        },
        c2pa=dict(Counter(r.provenance.c2pa.value for r in kept if r.provenance)),
        changed=sum(r.verdict != r.pixel_verdict for r in kept),
        failed=len(reports) - len(kept),
    )


def table(found: WholeVerdict) -> tuple[list[str], list[list[str]]]:
    """Head and rows for people: shares in percent with their intervals, by class and verdict."""
    rows = []
    for truth in TRUTHS:
        for name, by_class in (("pixels alone", found.pixels), ("whole verdict", found.whole)):
            answers = by_class[truth]
            shares = (answers.shares[verdict].percent() for verdict in Verdict)
            rows.append([f"{truth}, {name}", str(answers.images), *shares])
    return ["class", "images", *(verdict.value for verdict in Verdict)], rows


def _items(manifest: Manifest, rows: list[int]) -> Iterator[Item]:
    """The images in the order in which they lie; ``rows`` is filled with their numbers."""
    for row, content in manifest.images():
        rows.append(row)
        name = str(row)
        if isinstance(content, bytes):
            yield Item(name, content=content)
        else:
            yield Item(name, error=content)


def _answers(
    labels: NDArray[np.int64], verdicts: Sequence[Verdict | None], resampler: Resampler
) -> dict[Truth, Answers]:
    given = np.asarray([verdict.value if verdict else "" for verdict in verdicts])
    found: dict[Truth, Answers] = {}
    for label, truth in enumerate(TRUTHS):
        of_class = labels == label
        counts = {v: int((of_class & (given == v.value)).sum()) for v in Verdict}
        shares = {v: _share(of_class, given == v.value, resampler) for v in Verdict}
        found[truth] = Answers(images=int(of_class.sum()), counts=counts, shares=shares)
    return found


def _share(
    of_class: NDArray[np.bool_], chosen: NDArray[np.bool_], resampler: Resampler
) -> Estimate:
    total = int(of_class.sum())
    if not total:
        return Estimate(None)
    value = float((of_class & chosen).sum() / total)
    if resampler.rounds < 2 or not resampler.usable:
        return Estimate(value)
    draws = []
    for weights in resampler.blocks():
        part, whole = weights @ (of_class & chosen), weights @ of_class
        draws.append(np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0))
    found = interval(np.concatenate(draws), LEVEL)
    return Estimate(value, *found) if found else Estimate(value)
