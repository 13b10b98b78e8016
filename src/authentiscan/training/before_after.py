"""What a detector that went on learning gained and forgot, generator by generator.

Parent and child score the same images, all of which neither has learned from, each through its
shipped bundle and judged at its own threshold.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from authentiscan.core.files import whole_text, write_text
from authentiscan.core.progress import Progress
from authentiscan.core.types import CAMERA
from authentiscan.evaluation.harness import score_manifest
from authentiscan.evaluation.protocol import named
from authentiscan.evaluation.scores import ScoreTable
from authentiscan.inference import Detector, load_detector
from authentiscan.inference.card import table as markdown_table
from authentiscan.manifest.table import Manifest
from authentiscan.metrics.ranking import measure
from authentiscan.metrics.thresholds import share_interval
from authentiscan.training.parts import SOURCE, Parts
from authentiscan.training.recipe import Recipe

CSV_FILE = "before_after.csv"
MARKDOWN_FILE = "before_after.md"
MOST = 400
"""So many images of a generator in one part of a data set are scored at most, drawn by the seed."""
ALL = "all generated"
FEW = 10
"""Generators with fewer images are counted in the sums, but not shown one by one."""


@dataclass(frozen=True, slots=True)
class Change:
    """One generator, or the photographs, of one data set, before and after.

    known: whether the parent had learned from the data set. part: ``test``, or ``val`` where the
    test part has none. right: share of generated images at or above the detector's threshold, of
    photographs below it; with 95 % interval. auc: against the photographs of the same data set and
    part, against all photographs measured where that has none; None for photographs.
    """

    data: str
    known: bool
    generator: str
    part: str
    images: int
    right_before: float
    right_before_low: float
    right_before_high: float
    right_after: float
    right_after_low: float
    right_after_high: float
    auc_before: float | None
    auc_after: float | None


@dataclass(frozen=True, slots=True)
class _Scored:
    """Both detectors' tables on the same rows, and what is known of these."""

    tables: tuple[ScoreTable, ScoreTable]
    thresholds: tuple[float, float]
    sources: NDArray[np.str_]
    parts: NDArray[np.str_]

    @property
    def labels(self) -> NDArray[np.int64]:
        return self.tables[0].labels

    @property
    def generators(self) -> NDArray[np.str_]:
        return np.asarray([str(g) for g in self.tables[0].column("generator")])


def measure_changes(
    recipe: Recipe,
    parts: Parts,
    bundle: Path,
    progress: Progress | None = None,
) -> list[Change]:
    """Score what neither the parent (``recipe.start``) nor the child in ``bundle`` learned from.

    The rows of known data sets come first; in each data set photographs, all generated images, then
    generator by generator. ``progress`` is called with images done and images in all.
    """
    assert recipe.start is not None
    whole = parts.unlearned()
    whole = whole.take(_few(whole, recipe.seed))
    protocol = named(recipe.deployment.protocol, parts.val)
    detectors = [load_detector(recipe.start.bundle), load_detector(bundle)]
    tables = []
    for number, detector in enumerate(detectors):
        shown = _offset(progress, number * len(whole), 2 * len(whole))
        tables.append(score_manifest(detector, whole, protocol, shown))
    read = ~np.isnan(tables[0].scores) & ~np.isnan(tables[1].scores)
    scored = _Scored(
        (tables[0].take(read), tables[1].take(read)),
        (_threshold(detectors[0]), _threshold(detectors[1])),
        np.asarray(whole.column(SOURCE))[read],
        np.asarray(whole.column("split"))[read],
    )
    order = sorted(recipe.data, key=lambda source: not source.known)
    return [c for source in order for c in _of_source(scored, source.name, known=source.known)]


def write_changes(folder: Path, changes: Sequence[Change], heading: str) -> None:
    """``before_after.csv`` and ``before_after.md``, which explains itself."""
    with whole_text(folder / CSV_FILE) as file:
        writer = csv.DictWriter(file, list(Change.__dataclass_fields__))
        writer.writeheader()
        writer.writerows(asdict(change) for change in changes)
    head, rows = table_of(changes, every=True)
    text = (
        f"# {heading}\n\nImages that neither detector learned from, each scored by the shipped "
        "bundle. *Right*: generated images at or above the detector's own threshold, photographs "
        "below it; 95 % intervals. AUC: against the photographs of the same data set.\n\n"
    )
    write_text(folder / MARKDOWN_FILE, text + markdown_table(head, rows) + "\n")


def table_of(
    changes: Sequence[Change], *, every: bool = False
) -> tuple[list[str], list[list[str]]]:
    """Head and rows of a table for people; without ``every`` only sums and generators of ten."""
    head = [
        "",
        "data set",
        "generator",
        "images",
        "right before",
        "right after",
        "AUC before",
        "after",
    ]
    rows = []
    for c in changes:
        if not every and c.images < FEW and c.generator not in (CAMERA, ALL):
            continue
        rows.append(
            [
                "known" if c.known else "new",
                c.data,
                c.generator,
                f"{c.images} ({c.part})",
                _share(c.right_before, c.right_before_low, c.right_before_high),
                _share(c.right_after, c.right_after_low, c.right_after_high),
                "" if c.auc_before is None else f"{c.auc_before:.3f}",
                "" if c.auc_after is None else f"{c.auc_after:.3f}",
            ]
        )
    return head, rows


def summary(changes: Sequence[Change]) -> dict[str, dict[str, object]]:
    """The figures for detector.json: by data set, then by generator."""
    found: dict[str, dict[str, object]] = {}
    for c in changes:
        place = found.setdefault(f"{'known' if c.known else 'new'}: {c.data}", {})
        place[c.generator] = {
            "images": c.images,
            "right_before": round(c.right_before, 4),
            "right_after": round(c.right_after, 4),
            "auc_before": _rounded(c.auc_before),
            "auc_after": _rounded(c.auc_after),
        }
    return found


def _of_source(scored: _Scored, name: str, *, known: bool) -> Iterator[Change]:
    mine = scored.sources == name
    generated = mine & (scored.labels == 1)
    for label, rows in ((CAMERA, mine & (scored.labels == 0)), (ALL, generated)):
        yield from _change(scored, name, label, rows, known=known)
    for generator in np.unique(scored.generators[generated]):
        rows = generated & (scored.generators == generator)
        yield from _change(scored, name, str(generator), rows, known=known)


def _change(
    scored: _Scored, data: str, generator: str, rows: NDArray[np.bool_], *, known: bool
) -> Iterator[Change]:
    """The change over ``rows``, on their test part where they have one; nothing for no rows."""
    part = "test" if (rows & (scored.parts == "test")).any() else "val"
    at = np.flatnonzero(rows & (scored.parts == part))
    if not len(at):
        return
    real = scored.labels == 0
    against = real & (scored.sources == data) & (scored.parts == part)
    against = against if against.any() else real
    both = np.concatenate([at, np.flatnonzero(against)])
    shares, areas = [], []
    for scores, threshold in zip(scored.tables, scored.thresholds, strict=True):
        flagged = scores.scores[at] >= threshold
        right = ~flagged if generator == CAMERA else flagged
        shares.append(share_interval(right, [scores.groups[i] for i in at]))
        two = generator != CAMERA and against.any()
        figures = measure(scored.labels[both], scores.scores[both]) if two else {}
        areas.append(figures.get("roc_auc"))
    yield Change(data, known, generator, part, len(at), *shares[0], *shares[1], *areas)


def _few(whole: Manifest, seed: int) -> NDArray[np.int64]:
    """Rows of at most `MOST` images of every generator in every part of every data set."""
    columns = (whole.column(name) for name in (SOURCE, "split", "generator"))
    keys = np.asarray(["\n".join(map(str, values)) for values in zip(*columns, strict=True)])
    order = np.random.default_rng([seed, 0x42454641]).permutation(len(whole))
    kept = [order[keys[order] == key][:MOST] for key in np.unique(keys)]
    return np.sort(np.concatenate(kept)) if kept else np.empty(0, dtype=np.int64)


def _threshold(detector: Detector) -> float:
    return detector.spec.decision.generated.score


def _offset(progress: Progress | None, done: int, total: int) -> Progress | None:
    return None if progress is None else lambda count, _: progress(done + count, total)


def _share(value: float, low: float, high: float) -> str:
    return f"{value:.1%} ({low:.0%} to {high:.0%})"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
