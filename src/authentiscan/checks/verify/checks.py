"""From what was seen to what is wrong: copies, leaks, balance, counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from authentiscan.checks.duplicates import SIMILARITY, candidate_pairs, clusters, confirm
from authentiscan.checks.verify.inspect import Inspection
from authentiscan.checks.verify.verify_report import Balance, CopyCounts, Expectation, GroupLeak
from authentiscan.core.progress import Progress
from authentiscan.datasets import catalog
from authentiscan.manifest.table import SPLITS, Manifest

Kind: TypeAlias = Literal["bytes", "pixels", "near"]
_SKEWED = 0.65


@dataclass(frozen=True, slots=True)
class CopySet:
    """Rows that are one image, ascending; ``pairs`` counts its pairs."""

    kind: Kind
    rows: tuple[int, ...]
    similarity: float
    across_splits: bool
    across_labels: bool
    pairs: int

    @property
    def gravity(self) -> tuple[bool, bool]:
        """Sorts the worst first: across splits, then across labels."""
        return (not self.across_splits, not self.across_labels)


def find_copies(
    manifest: Manifest, seen: Inspection, progress: Progress | None = None
) -> list[CopySet]:
    """All sets of copies: same bytes, same pixels in other bytes, near copies of other pixels.

    An image is in at most one set of each kind. Sets of ``pixels`` are of different files, sets of
    ``near`` of different pixels: of each set of exact copies only its first image is in them.
    """
    context = _Context(manifest)
    rows = np.flatnonzero(seen.readable)
    same_file, first_file = _equal(seen.file, rows)
    same_pixels, first_pixels = _equal(seen.content, first_file)
    sets = [context.copies("bytes", group) for group in same_file]
    sets += [context.copies("pixels", group) for group in same_pixels]
    candidates = first_pixels[seen.usable[first_pixels]]
    return sets + _near(context, seen, candidates, progress)


def count_copies(sets: Sequence[CopySet]) -> dict[str, CopyCounts]:
    """Totals for each kind of copy."""
    counts = {}
    for kind in ("bytes", "pixels", "near"):
        chosen = [s for s in sets if s.kind == kind]
        counts[kind] = CopyCounts(
            sets=len(chosen),
            extra=sum(len(s.rows) - 1 for s in chosen),
            pairs=sum(s.pairs for s in chosen),
            sets_across_splits=sum(s.across_splits for s in chosen),
            sets_across_labels=sum(s.across_labels for s in chosen),
        )
    return counts


def find_group_leaks(manifest: Manifest) -> list[GroupLeak]:
    """Groups with images in more than one split, the largest first."""
    groups, names = manifest.codes("group")
    splits, split_names = manifest.codes("split")
    known = (groups >= 0) & (splits >= 0)
    width = max(len(split_names), 1)
    keys, counts = np.unique(groups[known] * width + splits[known], return_counts=True)
    owners, parts = np.unique(keys // width, return_counts=True)
    leaking = set(owners[parts > 1].tolist())
    found: dict[int, dict[str, int]] = {}
    for key, count in zip(keys.tolist(), counts.tolist(), strict=True):
        if key // width in leaking:
            found.setdefault(key // width, {})[str(split_names[key % width])] = count
    leaks = [GroupLeak(group=str(names[g]), splits=s) for g, s in found.items()]
    return sorted(leaks, key=lambda leak: (-sum(leak.splits.values()), leak.group))


def count_rows(manifest: Manifest) -> dict[str, dict[str, int]]:
    """Rows by label, split, data set and generator."""
    labels = np.bincount(manifest.labels, minlength=2)
    counts = {"label": {"real": int(labels[0]), "generated": int(labels[1])}}
    for name in ("split", "dataset", "generator"):
        numbers, values = manifest.codes(name)
        found = np.bincount(numbers + 1, minlength=len(values) + 1)
        counts[name] = {str(v): int(n) for v, n in zip(values, found[1:], strict=True)}
        if found[0]:
            counts[name]["(none)"] = int(found[0])
    return counts


def find_balance(manifest: Manifest) -> list[Balance]:
    """Images of each class in all, each split and each data set, with a note where it is skewed."""
    found = [_balance("all", "all", manifest.labels)]
    for part in ("split", "dataset"):
        numbers, values = manifest.codes(part)
        for code, value in enumerate(values):
            found.append(_balance(part, str(value), manifest.labels[numbers == code]))
    return found


def find_expectations(manifest: Manifest) -> list[Expectation]:
    """Published against found number of images, for data sets that the catalog knows."""
    numbers, values = manifest.codes("dataset")
    found = []
    for code, value in enumerate(values):
        entry = catalog.CATALOG.get(str(value))
        if entry is not None and entry.images is not None:
            rows = int((numbers == code).sum())
            found.append(Expectation(dataset=entry.name, published=entry.images, found=rows))
    return found


class _Context:
    """Labels and splits, to say whether copies differ in them."""

    def __init__(self, manifest: Manifest) -> None:
        self.labels = manifest.labels
        numbers, values = manifest.codes("split")
        known = np.asarray([v in SPLITS for v in values] + [False])
        self.splits = np.where(known[numbers], numbers, -1)

    def copies(
        self, kind: Kind, rows: NDArray[np.int64], similarity: float = 1.0, pairs: int = -1
    ) -> CopySet:
        splits = self.splits[rows]
        return CopySet(
            kind=kind,
            rows=tuple(rows.tolist()),
            similarity=similarity,
            across_splits=len(np.unique(splits[splits >= 0])) > 1,
            across_labels=len(np.unique(self.labels[rows])) > 1,
            pairs=len(rows) * (len(rows) - 1) // 2 if pairs < 0 else pairs,
        )


def _equal(
    digests: NDArray[np.uint8], rows: NDArray[np.int64]
) -> tuple[list[NDArray[np.int64]], NDArray[np.int64]]:
    """Sets of two and more of ``rows`` with equal digests, and the first row of every digest."""
    if len(rows) == 0:
        return [], rows
    values = np.ascontiguousarray(digests[rows]).view("V16")[:, 0]
    _, first, inverse, counts = np.unique(
        values, return_index=True, return_inverse=True, return_counts=True
    )
    order = np.argsort(inverse, kind="stable")
    ends = np.cumsum(counts)
    sets = [rows[order[end - n : end]] for end, n in zip(ends, counts, strict=True) if n > 1]
    return sets, np.sort(rows[first])


def _near(
    context: _Context,
    seen: Inspection,
    rows: NDArray[np.int64],
    progress: Progress | None,
) -> list[CopySet]:
    if len(rows) < 2:
        return []
    pairs = rows[candidate_pairs(seen.hashes[rows], progress=progress)]
    similarity = confirm(seen.greys, pairs)
    pairs, similarity = pairs[similarity >= SIMILARITY], similarity[similarity >= SIMILARITY]
    owner = clusters(pairs, len(seen.readable))
    sets = []
    for members in _members(owner, pairs):
        inside = owner[pairs[:, 0]] == owner[members[0]]
        lowest = float(similarity[inside].min())
        sets.append(context.copies("near", members, lowest, int(inside.sum())))
    return sets


def _members(owner: NDArray[np.int64], pairs: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    touched = np.unique(pairs)
    order = touched[np.argsort(owner[touched], kind="stable")]
    cuts = np.flatnonzero(np.diff(owner[order])) + 1
    return [part for part in np.split(order, cuts) if len(part)]


def _balance(part: str, name: str, labels: NDArray[np.int8]) -> Balance:
    real, generated = (int(n) for n in np.bincount(labels, minlength=2))
    note = ""
    if 0 in (real, generated):
        note = "one class only"
    elif max(real, generated) > _SKEWED * (real + generated):
        note = "skewed"
    return Balance(part=part, name=name, real=real, generated=generated, note=note)
