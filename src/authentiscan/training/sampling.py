"""Which images make an epoch: exact shares, balanced classes, the same after a restart.

An epoch is a pure function of (seed, epoch number), so nothing about it needs to be saved. Every
stratum (a generator's images of one class in one data set) is walked through in seeded
permutations that go on from one epoch to the next: no image comes a second time before all others
of its stratum came once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from authentiscan.core.errors import TrainingError
from authentiscan.manifest.split import exact_counts
from authentiscan.training.loaders import Draw
from authentiscan.training.recipe import Sampling

_GOLDEN = (5**0.5 - 1) / 2
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class _ClassStream:
    """Endless sequence of the rows of one class of one data set; item i is a function of i."""

    strata: tuple[Rows, ...]
    weights: NDArray[np.float64]
    key: tuple[int, ...]

    def take(self, start: int, count: int) -> Rows:
        """Items ``start`` .. ``start + count - 1``."""
        which = self._stratum_of(start + count)
        taken = np.empty(count, dtype=np.int64)
        for number, rows in enumerate(self.strata):
            before = int(np.count_nonzero(which[:start] == number))
            places = np.flatnonzero(which[start:] == number)
            taken[places] = self._walk(number, rows, before, len(places))
        return taken

    def _stratum_of(self, end: int) -> Rows:
        """The stratum of items 0..end-1: a golden-ratio sequence, shares hold everywhere."""
        if len(self.strata) == 1:
            return np.zeros(end, dtype=np.int64)
        points = (np.arange(1, end + 1) * _GOLDEN) % 1.0
        edges = np.cumsum(self.weights) / self.weights.sum()
        return np.minimum(np.searchsorted(edges, points, side="right"), len(self.strata) - 1)

    def _walk(self, number: int, rows: Rows, start: int, count: int) -> Rows:
        if not count:
            return np.empty(0, dtype=np.int64)
        first, last = start // len(rows), (start + count - 1) // len(rows)
        rounds = [
            np.random.default_rng([*self.key, number, turn]).permutation(rows)
            for turn in range(first, last + 1)
        ]
        offset = start - first * len(rows)
        return np.concatenate(rounds)[offset : offset + count]


class EpochPlan:
    """Rows of every epoch of a run.

    labels (N,) 0 real, 1 generated; datasets (N,) names; strata (N,) values of the column to
    balance by. ``shares`` by data-set name, or None to mix all rows as one. Raises TrainingError
    where a named data set has no rows or a class is missing.
    """

    def __init__(
        self,
        labels: NDArray[np.integer],
        datasets: Sequence[str],
        strata: Sequence[object],
        settings: Sampling,
        *,
        shares: Mapping[str, float] | None,
        batch_size: int,
        seed: int,
    ) -> None:
        self.seed, self.settings = seed, settings
        if len(np.unique(labels)) < 2:
            have = "no images" if not len(labels) else f"only label {int(labels[0])}"
            raise TrainingError(
                f"training needs real and generated images; the training part has {have}"
            )
        names = list(shares) if shares else ["all"]
        member = np.asarray(datasets) if shares else np.full(len(labels), "all")
        wanted = settings.epoch_size or len(labels)
        # Whole batches only: a last batch of one image would break batch normalisation.
        self.size = max(1, wanted // batch_size) * batch_size if wanted >= batch_size else wanted
        counts = exact_counts([shares[n] for n in names] if shares else [1.0], self.size)
        self.counts = dict(zip(names, counts, strict=True))
        keys = np.asarray([str(value) for value in strata])
        self._streams = {
            (name, label): self._stream(
                np.flatnonzero((member == name) & (labels == label)), keys, i, label
            )
            for i, name in enumerate(names)
            for label in (0, 1)
            if np.any((member == name) & (labels == label))
        }
        for name in names:
            if not any(name == found for found, _ in self._streams):
                raise TrainingError(f"data set {name!r} has no images in the training part")

    def _stream(
        self, rows: Rows, keys: NDArray[np.generic], number: int, label: int
    ) -> _ClassStream:
        within = self.settings.within
        groups = (
            [rows]
            if within == "natural"
            else [rows[keys[rows] == k] for k in np.unique(keys[rows])]
        )
        sizes = np.asarray([len(g) for g in groups], dtype=np.float64)
        weights = np.sqrt(sizes) if within == "sqrt" else np.ones(len(groups))
        return _ClassStream(tuple(groups), weights, (self.seed, number, label))

    def class_counts(self, name: str, epoch: int) -> dict[int, int]:
        """How many real (0) and generated (1) images of data set ``name`` epoch ``epoch`` has."""
        start, end = (self._before(name, e) for e in (epoch, epoch + 1))
        return {label: end[label] - start[label] for label in end}

    def _before(self, name: str, epoch: int) -> dict[int, int]:
        """Images of either class drawn in all epochs before ``epoch``."""
        total = self.counts[name] * epoch
        present = [label for label in (0, 1) if (name, label) in self._streams]
        if len(present) == 1:
            return {present[0]: total}
        sizes = [sum(map(len, self._streams[name, label].strata)) for label in (0, 1)]
        natural = total * sizes[1] // sum(sizes)
        generated = total // 2 if self.settings.balance_classes else natural
        return {0: total - generated, 1: generated}

    def rows(self, epoch: int) -> Rows:
        """The rows of one epoch (size,), shuffled so that every batch is mixed like the epoch."""
        rng = np.random.default_rng([self.seed, 0x65706F63, epoch])
        parts, keys = [], []
        for (name, label), stream in self._streams.items():
            start, count = self._before(name, epoch)[label], self.class_counts(name, epoch)[label]
            if count:
                parts.append(stream.take(start, count))
                # One image in each of `count` equal stretches of the epoch, anywhere within it.
                keys.append((rng.permutation(count) + rng.random(count)) / count)
        return np.concatenate(parts)[np.argsort(np.concatenate(keys), kind="stable")]


class EpochBatches(Sampler[list[Draw]]):
    """Batches of one epoch for one of ``world`` processes, its part of each common batch."""

    def __init__(self, plan: EpochPlan, batch_size: int, *, rank: int = 0, world: int = 1) -> None:
        if batch_size % world:
            raise TrainingError(
                f"batch_size {batch_size} cannot be divided among {world} processes"
            )
        self.plan, self.batch_size, self.rank, self.world = plan, batch_size, rank, world
        self.epoch, self.start = 0, 0

    def set(self, epoch: int, start: int = 0) -> None:
        """Go on with batch ``start`` of epoch ``epoch`` at the next iteration."""
        self.epoch, self.start = epoch, start

    def __len__(self) -> int:
        """Batches of a whole epoch."""
        return (self.plan.size + self.batch_size - 1) // self.batch_size

    def __iter__(self) -> Iterator[list[Draw]]:
        rows, epoch = self.plan.rows(self.epoch), self.epoch
        for batch in range(self.start, len(self)):
            first = batch * self.batch_size
            positions = range(first, min(first + self.batch_size, len(rows)))
            yield [Draw(int(rows[p]), epoch, p) for p in positions[self.rank :: self.world]]
