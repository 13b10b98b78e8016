"""Leak-free splits: stratified, grouped, seeded, and the same whatever the rows' order.

A group goes to one split as a whole. Its turn comes from a hash of the seed and its name, never
from its position, so shuffling the rows or listing the files in another order changes nothing.
Images with equal bytes are kept together too, even where their groups differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from authentiscan.core.errors import UsageError
from authentiscan.manifest.hold_out import UNKNOWN, Codes, HoldOut, held_codes, split_code
from authentiscan.manifest.table import SPLITS

if TYPE_CHECKING:
    from authentiscan.manifest.table import Manifest

Fractions = tuple[float, float, float]
DEFAULT_FRACTIONS: Fractions = (0.70, 0.15, 0.15)
TRAIN, VAL, TEST = range(3)

U64 = NDArray[np.uint64]


def check_fractions(fractions: Sequence[float]) -> Fractions:
    """Three shares of train, val, test that sum to 1. Raises UsageError for anything else."""
    if len(fractions) != 3 or min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-6:
        raise UsageError(
            f"fractions must be three numbers of at least 0 that sum to 1 (train, val, test), "
            f"got {list(fractions)}"
        )
    return (float(fractions[0]), float(fractions[1]), float(fractions[2]))


def exact_counts(shares: Sequence[float], total: int) -> list[int]:
    """``total`` divided in proportion to ``shares`` into whole numbers (largest remainder)."""
    exact = np.asarray(shares, dtype=np.float64) / np.sum(shares) * total
    counts = np.floor(exact).astype(int)
    rest = np.argsort(-(exact - counts), kind="stable")[: total - int(counts.sum())]
    counts[rest] += 1
    return [int(c) for c in counts]


def name_hash(name: str) -> int:
    """A 64-bit hash of a name, the same on every machine."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big")


def join_duplicates(groups: U64, contents: U64) -> U64:
    """Groups that share content become one, called by the smallest of their numbers.

    groups, contents: (N,) hashes of each row's group and bytes. Returns the joined groups, (N,).
    """
    pairs = np.unique(np.stack([contents, groups], axis=1), axis=0)
    same = pairs[1:, 0] == pairs[:-1, 0]  # neighbours: one content, two groups
    if not same.any():
        return groups
    parent: dict[int, int] = {}

    def root(g: int) -> int:
        while (up := parent.get(g, g)) != g:
            parent[g] = parent.get(up, up)
            g = up
        return g

    for left, right in zip(pairs[:-1][same, 1].tolist(), pairs[1:][same, 1].tolist(), strict=True):
        a, b = root(left), root(right)
        if a != b:
            parent[max(a, b)] = min(a, b)
    members = np.array(sorted(set(parent) | set(parent.values())), dtype=np.uint64)
    roots = np.array([root(int(g)) for g in members], dtype=np.uint64)
    at = np.searchsorted(members, groups).clip(max=len(members) - 1)
    return np.where(members[at] == groups, roots[at], groups)


def deal(groups: U64, strata: NDArray[np.int64], fractions: Fractions, seed: int) -> Codes:
    """Deal rows out to train, val, test (0, 1, 2), whole groups at a time.

    groups: (N,) hashes. strata: (N,) codes whose order does not depend on the rows' order; the
    fractions hold within each, as near as whole groups allow.
    """
    names, first, member, sizes = np.unique(
        groups, return_index=True, return_inverse=True, return_counts=True
    )
    turn = _mix(names, seed)
    wanted = np.bincount(strata)[:, None] * np.asarray(fractions)  # (strata, 3)
    have = np.zeros_like(wanted)
    result = np.full(len(names), UNKNOWN, dtype=np.int8)
    _deal_large(result, have, wanted, (member, sizes, turn, strata))
    single = np.flatnonzero(sizes == 1)
    _deal_single(result, have, wanted, (single, turn[single], strata[first[single]], seed))
    return result[member]


def _deal_large(
    result: Codes,
    have: NDArray[np.float64],
    wanted: NDArray[np.float64],
    groups: tuple[NDArray[np.intp], NDArray[np.intp], U64, NDArray[np.int64]],
) -> None:
    """Groups of several rows, large ones first, each to the split that lacks it most."""
    member, sizes, turn, strata = groups
    rows = np.flatnonzero(sizes[member] > 1)
    if not len(rows):
        return
    key = member[rows] * len(wanted) + strata[rows]
    cells, counts = np.unique(key, return_counts=True)  # (group, stratum) and its rows
    owners, kinds = np.divmod(cells, len(wanted))
    large, starts = np.unique(owners, return_index=True)
    ends = np.append(starts[1:], len(owners))
    # Sizes are compared by their power of two, so that the seed decides between alike groups.
    order = np.lexsort((turn[large], -np.floor(np.log2(sizes[large])).astype(int)))
    splits = [k for k in range(3) if wanted[:, k].sum() > 0]
    want, got = wanted.tolist(), have.tolist()
    for i in order.tolist():
        parts = list(
            zip(
                kinds[starts[i] : ends[i]].tolist(),
                counts[starts[i] : ends[i]].tolist(),
                strict=True,
            )
        )
        best = max(
            splits,
            key=lambda k: sum(n * (want[s][k] - got[s][k] - n) / want[s][k] for s, n in parts),
        )
        for s, n in parts:
            got[s][best] += n
        result[large[i]] = best
    have[:] = got


def _deal_single(
    result: Codes,
    have: NDArray[np.float64],
    wanted: NDArray[np.float64],
    groups: tuple[NDArray[np.intp], U64, NDArray[np.int64], int],
) -> None:
    """Groups of one row: in the order of their turns, to exact quotas within each stratum."""
    single, turn, strata, seed = groups
    order = np.lexsort((turn, strata))
    single, strata = single[order], strata[order]
    counts = np.bincount(strata, minlength=len(wanted))
    start = 0
    for stratum, count in enumerate(counts.tolist()):
        if not count:
            continue
        lacking = np.clip(wanted[stratum] - have[stratum], 0, None)
        share = lacking if lacking.sum() > 0 else wanted[stratum]
        quotas = _whole(count * share / share.sum(), (seed, stratum))
        result[single[start : start + count]] = np.repeat(np.arange(3, dtype=np.int8), quotas)
        start += count


def _whole(exact: NDArray[np.float64], seed: Sequence[int]) -> NDArray[np.int64]:
    """Whole numbers near ``exact`` with the same sum, rounded by chance as the remainders say.

    Always rounding to the nearest would send every stratum of one image to train.
    """
    down = np.floor(exact + 1e-9)
    extra = round(float(exact.sum() - down.sum()))
    if extra:
        rest = np.clip(exact - down, 0, None)
        lucky = np.random.default_rng(seed).choice(3, extra, replace=False, p=rest / rest.sum())
        down[lucky] += 1
    return down.astype(np.int64)


def _mix(values: U64, seed: int) -> U64:
    """Pseudo-random turns from hashes and a seed (the finalizer of SplitMix64)."""
    x = values ^ np.uint64(name_hash(f"split seed {seed}"))
    with np.errstate(over="ignore"):
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@dataclass(frozen=True, slots=True)
class SplitRows:
    """What splitting needs to know of N rows, and nothing else: about 26 bytes a row.

    groups: hashes, with equal contents already joined. strata, datasets: codes in the order of the
    sorted names. own: the publisher's split, -1 where there is none. held: the split that a row is
    held out for (1, 2), -1 where it is not.
    """

    groups: U64
    strata: NDArray[np.int64]
    datasets: NDArray[np.int64]
    own: Codes
    held: Codes


def assign(rows: SplitRows, fractions: Fractions, seed: int, *, own_split: bool = False) -> Codes:
    """Split codes (0 train, 1 val, 2 test) of all rows.

    Held-out rows and the rest of their groups go where the rule says. With ``own_split`` the
    publisher's split stands; rows without one follow their group or are dealt out, and where a data
    set has no val, part of its train becomes val (in the proportion of the fractions).
    """
    code = np.full(len(rows.groups), UNKNOWN, dtype=np.int8)
    for split in (VAL, TEST):  # test last: it wins
        code[np.isin(rows.groups, np.unique(rows.groups[rows.held == split]))] = split
    if own_split:
        stands = (code == UNKNOWN) & (rows.own != UNKNOWN)
        code[stands] = rows.own[stands]
        _follow_group(code, rows.groups)
        _carve_val(code, rows, fractions, seed)
    free = np.flatnonzero(code == UNKNOWN)
    if len(free):
        code[free] = deal(rows.groups[free], rows.strata[free], fractions, seed)
    return code


def _follow_group(code: Codes, groups: U64) -> None:
    """Rows without a split join the latest split (test over val over train) of their group."""
    names, member = np.unique(groups, return_inverse=True)
    latest = np.full(len(names), UNKNOWN, dtype=np.int8)
    np.maximum.at(latest, member, code)
    code[:] = np.where(code == UNKNOWN, latest[member], code)


def _carve_val(code: Codes, rows: SplitRows, fractions: Fractions, seed: int) -> None:
    both = fractions[TRAIN] + fractions[VAL]
    if fractions[VAL] == 0 or both == 0:
        return
    with_val = np.unique(rows.datasets[rows.own == VAL])
    mine = (rows.own == TRAIN) & (code == TRAIN) & ~np.isin(rows.datasets, with_val)
    elsewhere = np.unique(rows.groups[(code != UNKNOWN) & ~mine])
    rows_to_deal = np.flatnonzero(mine & ~np.isin(rows.groups, elsewhere))
    if len(rows_to_deal):
        shares = (fractions[TRAIN] / both, fractions[VAL] / both, 0.0)
        code[rows_to_deal] = deal(
            rows.groups[rows_to_deal], rows.strata[rows_to_deal], shares, seed
        )


def assign_splits(
    manifest: Manifest,
    fractions: Sequence[float] = DEFAULT_FRACTIONS,
    *,
    seed: int = 0,
    hold_out: Sequence[HoldOut] = (),
    own_split: bool = False,
) -> Manifest:
    """The manifest with its ``split`` column filled (and ``held_out``, True for held-out rows).

    Stratified by data set, generator and label. Raises UsageError for fractions that do not sum to
    1 or a hold-out that matches no row.
    """
    shares = check_fractions(fractions)
    groups = _hashes(manifest.column("group"))
    contents = manifest.column("sha256")
    if any(contents):
        groups = join_duplicates(groups, _hashes([c or f"row {i}" for i, c in enumerate(contents)]))
    labels = manifest.labels.tolist()
    datasets = manifest.column("dataset")
    strata = zip(datasets, manifest.column("generator"), labels, strict=True)
    rows = SplitRows(
        groups=groups,
        strata=_codes([f"{d}\x1f{g}\x1f{y}" for d, g, y in strata]),
        datasets=_codes(datasets),
        own=np.array([split_code(s) for s in manifest.column("split")], dtype=np.int8),
        held=held_codes(manifest, hold_out),
    )
    code = assign(rows, shares, seed, own_split=own_split)
    split = manifest.with_column("split", [SPLITS[c] for c in code.tolist()])
    return split.with_column("held_out", (rows.held != UNKNOWN).tolist())


def join_splits(
    manifest: Manifest, codes: Codes, settled: NDArray[np.bool_]
) -> tuple[Codes, NDArray[np.bool_]]:
    """One split for each group and each image: test before val before train.

    codes: (N,) splits so far. settled: (N,) rows that others have to follow. Returns the
    splits, and which rows the settled ones tie to several splits, so that they fit in none.
    """
    keys = [_keys(manifest.column(name)) for name in ("group", "sha256")]
    codes = codes.copy()
    codes[settled] = _latest([key[settled] for key in keys], codes[settled])
    highest = _latest(keys, np.where(settled, codes, UNKNOWN).astype(np.int8))
    lowest = -_latest(keys, np.where(settled, -codes, -len(SPLITS)).astype(np.int8))
    tied = ~settled & (highest != UNKNOWN)
    codes[tied] = highest[tied]
    free = ~settled & ~tied
    codes[free] = _latest([key[free] for key in keys], codes[free])
    return codes, tied & (highest != lowest)


def _latest(keys: Sequence[NDArray[np.int64]], codes: Codes) -> Codes:
    """The highest code of all rows that a row is tied to by equal keys, directly or over others."""
    lowest = -len(SPLITS) - 1
    before = np.full_like(codes, lowest)
    while not np.array_equal(before, codes):
        before = codes.copy()
        for key in keys:
            latest = np.full(int(key.max(initial=-1)) + 1, lowest, dtype=np.int8)
            np.maximum.at(latest, key, codes)
            codes = latest[key]
    return codes


def _keys(values: Sequence[str | None]) -> NDArray[np.int64]:
    """Equal numbers for equal values; a number of its own for each None."""
    texts = [f"#{i}" if value is None else f"={value}" for i, value in enumerate(values)]
    return np.unique(np.asarray(texts), return_inverse=True)[1].astype(np.int64)


def _hashes(names: Sequence[str]) -> U64:
    return np.array([name_hash(str(n)) for n in names], dtype=np.uint64)


def _codes(names: Sequence[str]) -> NDArray[np.int64]:
    order = {name: i for i, name in enumerate(sorted(set(names)))}
    return np.array([order[name] for name in names], dtype=np.int64)
