"""A cleaned manifest, by rules that are written down, with the reason for every row that went.

1. Images that cannot be read go.
2. Exact copies (bytes or pixels) with both labels all go: nobody knows which label is right.
3. Of exact copies with one label, one stays: in test before val before train before no split, then
   the first row. Evaluation sets keep their images, training loses what it must not have seen.
4. Of near copies in several splits, those in the foremost of these splits stay, the others go. Near
   copies within one split stay, also with different labels: they may be meant (a photograph and its
   reconstruction).
5. Of a group in several splits, the images in the foremost split stay, the others go.
6. Near copies that stay get one `group`, so that no later split can part them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from authentiscan.checks.verify.checks import CopySet
from authentiscan.manifest.table import Manifest

# Which copy stays: the lower number.
_RANK = {"test": 0, "val": 1, "train": 2}


def clean(
    manifest: Manifest, sets: Sequence[CopySet], errors: dict[int, str]
) -> tuple[Manifest, dict[int, str]]:
    """The manifest without what must go, and the reason for each row that went."""
    work = _Cleaning(manifest, sets)
    work.gone |= {row: f"unreadable: {error}" for row, error in errors.items()}
    for rows in work.exact:
        work.drop_exact(rows)
    near = [work.standing(s.rows) for s in sets if s.kind == "near"]
    for rows in near:
        work.drop_beyond_split(rows)
    work.drop_leaking_groups()
    gone = np.fromiter(work.gone, np.int64, len(work.gone))
    keep = np.setdiff1d(np.arange(len(manifest)), gone)
    return work.with_merged_groups(near).take(keep), dict(sorted(work.gone.items()))


class _Cleaning:
    """The rows that are to go so far, and why."""

    def __init__(self, manifest: Manifest, sets: Sequence[CopySet]) -> None:
        self.manifest = manifest
        self.gone: dict[int, str] = {}
        self.ranks = _ranks(manifest)
        self.exact = _joined([s.rows for s in sets if s.kind != "near"])
        self.partners = {row: rows for rows in self.exact for row in rows}

    def standing(self, rows: Sequence[int]) -> list[int]:
        """``rows`` of a near set with their exact copies, without those that went."""
        wide = {other for row in rows for other in self.partners.get(row, [row])}
        return sorted(wide - set(self.gone))

    def drop_exact(self, rows: list[int]) -> None:
        rows = [row for row in rows if row not in self.gone]
        if len({int(self.manifest.labels[row]) for row in rows}) > 1:
            for row in rows:
                self.gone[row] = f"exact copies with both labels (rows {_listed(rows)})"
            return
        kept = min(rows, key=lambda row: (self.ranks[row], row), default=-1)
        for row in rows:
            if row != kept:
                self.gone[row] = f"exact copy of row {kept}, which stays"

    def drop_beyond_split(self, rows: list[int]) -> None:
        known = [row for row in rows if self.ranks[row] < len(_RANK)]
        foremost = min((self.ranks[row] for row in known), default=0)
        kept = [row for row in known if self.ranks[row] == foremost]
        for row in known:
            if self.ranks[row] != foremost:
                self.gone[row] = f"near copy of row {kept[0]} in another split, which stays"

    def drop_leaking_groups(self) -> None:
        groups, _ = self.manifest.codes("group")
        level = np.asarray(self.ranks, dtype=np.int64)
        level[list(self.gone)] = len(_RANK)
        known = np.flatnonzero((level < len(_RANK)) & (groups >= 0))
        foremost = np.full(groups.max(initial=-1) + 1, len(_RANK))
        np.minimum.at(foremost, groups[known], level[known])
        for row in known[level[known] != foremost[groups[known]]].tolist():
            self.gone[row] = "its group is also in another split, whose images stay"

    def with_merged_groups(self, near: Sequence[list[int]]) -> Manifest:
        numbers, names = self.manifest.codes("group")
        standing = [numbers[self.standing(rows)].tolist() for rows in near]
        joined = _joined([groups for groups in standing if len(set(groups)) > 1])
        if not joined:
            return self.manifest
        renamed = {group: names[groups[0]] for groups in joined for group in groups}
        return self.manifest.with_column(
            "group", [renamed.get(i, names[i]) if i >= 0 else None for i in numbers.tolist()]
        )


def _joined(sets: Iterable[Sequence[int]]) -> list[list[int]]:
    """Sets that share a member, put together; members ascending."""
    owner: dict[int, list[int]] = {}
    for found in sets:
        members = sorted({r for item in found for r in owner.get(item, [item])})
        for item in members:
            owner[item] = members
    return list({id(members): members for members in owner.values()}.values())


def _ranks(manifest: Manifest) -> list[int]:
    numbers, values = manifest.codes("split")
    by_code = [_RANK.get(str(v), len(_RANK)) for v in values] + [len(_RANK)]
    return [by_code[i] for i in numbers]


def _listed(rows: list[int]) -> str:
    shown = ", ".join(str(row) for row in rows[:5])
    return shown + (" and more" if len(rows) > 5 else "")
