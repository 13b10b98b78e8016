"""Which images are classes: weak labels and small generators out, balanced, no leaks."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from authentiscan.attribution.labels import generator_names, is_weak
from authentiscan.core.errors import TrainingError, UsageError
from authentiscan.core.types import CAMERA
from authentiscan.manifest.split import assign_splits, name_hash
from authentiscan.manifest.table import Manifest
from authentiscan.training.attribution.recipe import ClassSettings


@dataclass(frozen=True)
class Classes:
    """The images of a run and their classes.

    names: the generators in alphabetical order, photographs (`camera`) last where they are a class.
    manifest: all images, each with a split. codes: (N,) class of each row, -1 for none.
    left_out: what was left out, in words, with counts.
    """

    names: tuple[str, ...]
    manifest: Manifest
    codes: NDArray[np.int64]
    left_out: tuple[str, ...]

    def rows(self, split: str) -> NDArray[np.intp]:
        """Places of the rows of ``split`` that are in a class."""
        parts = np.asarray([str(part) for part in self.manifest.column("split")])
        return np.flatnonzero((parts == split) & (self.codes >= 0))

    def counts(self, split: str) -> dict[str, int]:
        """Images of each class in ``split``."""
        found = Counter(self.codes[self.rows(split)].tolist())
        return {name: found.get(code, 0) for code, name in enumerate(self.names)}

    def without(self, name: str) -> Classes:
        """The same, with the images of the class ``name`` in none."""
        place = self.names.index(name)
        names = tuple(n for n in self.names if n != name)
        return Classes(names, self.manifest, moved_up(self.codes, place), self.left_out)


def moved_up(codes: NDArray[np.int64], gone: int) -> NDArray[np.int64]:
    """``codes`` without the class ``gone``: its own rows become -1, later classes move up."""
    moved: NDArray[np.int64] = np.where(codes == gone, -1, np.where(codes > gone, codes - 1, codes))
    return moved


def choose_classes(data: Manifest, settings: ClassSettings, *, seed: int = 0) -> Classes:
    """The classes of ``data`` as ``settings`` ask.

    Rows without a split are dealt out by group, 70 / 15 / 15 %; where the manifest has splits,
    they stand. Raises UsageError for a column that is not there, TrainingError where fewer than two
    generators are left, saying what was left out and why.
    """
    names = generator_names(data, column=settings.column, together=settings.together)
    taken, left_out = _taken(data, names, settings, seed)
    wanted, weak = _kept(names, settings)
    left_out += weak
    split = _with_splits(data, names, seed)
    counts = _training_counts(split, names, taken)
    small = {n: counts[n] for n in wanted if counts[n] < settings.least and n != CAMERA}
    if small:
        listed = ", ".join(f"{n} ({c})" for n, c in sorted(small.items()))
        left_out.append(f"fewer than {settings.least} training images: {listed}")
    generators = sorted(set(wanted) - set(small) - {CAMERA})
    if len(generators) < 2:
        reasons = "; ".join(left_out) or "there is no other"
        raise TrainingError(
            f"an attributor tells 2 generators apart or more, and {len(generators)} "
            f"{'is' if len(generators) == 1 else 'are'} left ({reasons}); least training images "
            f"of a generator: {settings.least} (--set classes.least=N)"
        )
    chosen = [*generators, *([CAMERA] if counts.get(CAMERA) and settings.photographs else [])]
    place = {name: i for i, name in enumerate(chosen)}
    codes = np.asarray([place.get(name, -1) for name in names], dtype=np.int64)
    codes[~taken] = -1
    classes = Classes(tuple(chosen), split, codes, tuple(left_out))
    _check_parts(classes)
    return classes


def _kept(names: list[str], settings: ClassSettings) -> tuple[list[str], list[str]]:
    """Names that may become classes, and what was left out."""
    counts = Counter(names)
    left_out = []
    weak = {n: c for n, c in counts.items() if n and not settings.weak and is_weak(n)}
    if weak:
        listed = ", ".join(f"{n} ({c})" for n, c in sorted(weak.items()))
        left_out.append(f"weak labels: {listed}")
    if counts.get("", 0):
        left_out.append(f"no generator named: {counts['']} images")
    kept = [n for n in counts if n and n not in weak]
    if settings.only:
        absent = sorted(set(settings.only) - set(kept))
        if absent:
            there = ", ".join(sorted(set(kept) - {CAMERA}))
            raise UsageError(
                f"classes.only names {', '.join(absent)}, of which there are no images; there are: "
                f"{there}"
            )
        other = {n: counts[n] for n in kept if n not in (*settings.only, CAMERA)}
        if other:
            left_out.append(
                f"not in classes.only: {len(other)} generators, {sum(other.values())} images"
            )
            kept = [n for n in kept if n not in other]
    return kept, left_out


def _taken(
    data: Manifest, names: list[str], settings: ClassSettings, seed: int
) -> tuple[NDArray[np.bool_], list[str]]:
    """Which rows (N,) may be used at all, and what was left out.

    Which images stand for a large source depends on the seed and their groups' names alone.
    """
    taken = np.ones(len(names), dtype=bool)
    left_out = []
    if settings.least_side is not None:
        sides = zip(data.column("width"), data.column("height"), strict=True)
        taken = np.asarray([min(w or 0, h or 0) >= settings.least_side for w, h in sides])
        left_out.append(f"a shorter side under {settings.least_side}: {int((~taken).sum())} images")
    before = int(taken.sum())
    turns = [name_hash(f"{seed}:{group}") for group in data.column("group")]
    sources = data.column("source")
    members: dict[tuple[str, str], list[int]] = {}
    for row in np.flatnonzero(taken).tolist():
        members.setdefault((names[row], str(sources[row])), []).append(row)
    for (name, _), rows in members.items():
        most = settings.most_photographs if name == CAMERA else settings.most_of_source
        if most is not None and len(rows) > most:
            taken[sorted(rows, key=lambda row: (turns[row], row))[most:]] = False
    if taken.sum() < before:
        left_out.append(f"beyond the most of a source: {before - int(taken.sum())} images")
    return taken, left_out


def _with_splits(data: Manifest, names: list[str], seed: int) -> Manifest:
    """Splits as they stand; rows of generators that lack train, val or test are dealt out."""
    own = [None if s not in ("train", "val", "test") else s for s in data.column("split")]
    if not any(own):
        return assign_splits(data.with_column("generator", names), seed=seed)
    if all(own):
        return data
    return assign_splits(data.with_column("generator", names), seed=seed, own_split=True)


def _training_counts(split: Manifest, names: list[str], taken: NDArray[np.bool_]) -> Counter[str]:
    rows = zip(names, split.column("split"), taken.tolist(), strict=True)
    return Counter(name for name, part, used in rows if used and part == "train")


def _check_parts(classes: Classes) -> None:
    for part in ("train", "val"):
        lacking = [n for n, count in classes.counts(part).items() if not count]
        if lacking:
            raise TrainingError(
                f"no {part} images of {', '.join(lacking)}; give each generator more images or "
                "groups, or leave the splits to the program"
            )


def epoch_rows(
    classes: Classes, settings: ClassSettings, rng: np.random.Generator
) -> NDArray[np.intp]:
    """Training rows of one epoch in random order, equally many of each class.

    As many as the median class has, or ``settings.most``; small classes are repeated. Within a
    class every source counts by the square root of its size, so that one large source does not
    stand for the generator.
    """
    train = classes.rows("train")
    codes = classes.codes[train]
    sizes = np.bincount(codes, minlength=len(classes.names))
    count = settings.most or max(1, int(np.median(sizes)))
    sources = np.asarray([str(s) for s in classes.manifest.column("source")])[train]
    drawn = []
    for code in range(len(classes.names)):
        mine = np.flatnonzero(codes == code)
        _, member, held = np.unique(sources[mine], return_inverse=True, return_counts=True)
        weights = held[member] ** -0.5
        drawn.append(
            train[mine[rng.choice(len(mine), count, p=weights / weights.sum(),
                                  replace=count > len(mine))]]
        )  # fmt: skip
    rows = np.concatenate(drawn)
    return rows[rng.permutation(len(rows))]
