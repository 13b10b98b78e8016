"""Splits: leak-free, stratified, independent of the rows' order, whatever the groups."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authentiscan.core.errors import UsageError
from authentiscan.manifest.hold_out import HoldOut, held_codes, parse_hold_outs
from authentiscan.manifest.split import (
    assign_splits,
    check_fractions,
    deal,
    join_duplicates,
    join_splits,
    name_hash,
)
from authentiscan.manifest.table import Manifest


def table(
    groups: list[str],
    generators: list[str],
    *,
    dataset: str = "d",
    sha256: list[str] | None = None,
    split: list[str | None] | None = None,
) -> Manifest:
    count = len(groups)
    columns = {
        "path": [f"{i}.jpg" for i in range(count)],
        "label": pa.array([int(g != "camera") for g in generators], pa.int8()),
        "generator": generators,
        "dataset": [dataset] * count,
        "group": groups,
        "sha256": sha256 or [f"{i:064x}" for i in range(count)],
        "split": pa.array(split or [None] * count, pa.string()),
    }
    return Manifest(pa.table(columns))


rows = st.lists(
    st.tuples(st.integers(0, 30), st.sampled_from(["camera", "flux", "sdxl"])),
    min_size=1,
    max_size=120,
)


@given(rows=rows, seed=st.integers(0, 5), order=st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_groups_stay_together_and_order_does_not_matter(rows, seed, order) -> None:
    manifest = table([f"g{g}" for g, _ in rows], [n for _, n in rows])
    splits = assign_splits(manifest, seed=seed).column("split")
    by_group: dict[str, set[str]] = {}
    for group, split in zip(manifest.column("group"), splits, strict=True):
        by_group.setdefault(group, set()).add(split)
    assert all(len(s) == 1 for s in by_group.values())
    turned = list(range(len(rows)))
    order.shuffle(turned)
    again = assign_splits(manifest.take(turned), seed=seed).column("split")
    assert again == [splits[i] for i in turned]


@given(
    sizes=st.lists(st.integers(1, 400), min_size=1, max_size=6),
    fractions=st.sampled_from([(0.7, 0.15, 0.15), (0.5, 0.25, 0.25), (0.8, 0.2, 0.0), (0, 0, 1)]),
)
@settings(max_examples=60, deadline=None)
def test_single_images_meet_their_shares_within_one(sizes, fractions) -> None:
    strata = np.repeat(np.arange(len(sizes)), sizes)
    groups = np.array([name_hash(str(i)) for i in range(len(strata))], dtype=np.uint64)
    code = deal(groups, strata, fractions, seed=3)
    for stratum, size in enumerate(sizes):
        counts = np.bincount(code[strata == stratum], minlength=3)
        assert counts.sum() == size
        assert np.all(np.abs(counts - size * np.array(fractions)) < 1)


def test_many_strata_of_one_image_still_reach_val_and_test() -> None:
    strata = np.arange(1000)
    groups = np.array([name_hash(str(i)) for i in range(1000)], dtype=np.uint64)
    counts = np.bincount(deal(groups, strata, (0.7, 0.15, 0.15), seed=0), minlength=3)
    assert abs(counts[0] - 700) < 60
    assert min(counts[1:]) > 100


def test_large_groups_meet_the_shares_nearly() -> None:
    rng = np.random.default_rng(0)
    member = np.repeat(np.arange(400), rng.integers(1, 9, 400))
    groups = np.array([name_hash(str(i)) for i in range(400)], dtype=np.uint64)[member]
    strata = member % 4
    code = deal(groups, strata, (0.7, 0.15, 0.15), seed=0)
    for stratum in range(4):
        mine = code[strata == stratum]
        shares = np.bincount(mine, minlength=3) / len(mine)
        assert np.all(np.abs(shares - [0.7, 0.15, 0.15]) < 0.02)


def test_a_group_larger_than_test_goes_to_train() -> None:
    manifest = table(["big"] * 60 + [f"g{i}" for i in range(40)], ["camera"] * 100)
    assert assign_splits(manifest).column("split")[0] == "train"


def test_seeds_differ() -> None:
    manifest = table([f"g{i}" for i in range(200)], ["camera"] * 200)
    one, other = (assign_splits(manifest, seed=s).column("split") for s in (0, 1))
    assert one != other


def test_equal_images_in_different_groups_stay_together() -> None:
    sha = [f"{i % 50:064x}" for i in range(100)]
    manifest = table([f"g{i}" for i in range(100)], ["camera"] * 100, sha256=sha)
    splits = assign_splits(manifest, seed=2).column("split")
    assert splits[:50] == splits[50:]


def test_join_duplicates_is_transitive() -> None:
    groups = np.array([5, 4, 4, 3, 9], dtype=np.uint64)
    contents = np.array([1, 1, 2, 2, 7], dtype=np.uint64)
    assert join_duplicates(groups, contents).tolist() == [3, 3, 3, 3, 9]


def test_hold_out_sends_whole_groups_to_test_and_is_recorded() -> None:
    groups = ["a", "a", *[f"g{i}" for i in range(98)]]
    manifest = table(groups, ["flux", "camera", *(["camera"] * 98)])
    made = assign_splits(manifest, hold_out=[HoldOut("generator", "flux")])
    assert made.column("split")[:2] == ["test", "test"]
    assert made.column("held_out") == [True] + [False] * 99
    assert 0 < made.column("split").count("val") < 30


def test_hold_out_to_val_and_test_wins_where_both_match() -> None:
    manifest = table(["a", "b", "b", "c"], ["flux", "sdxl", "camera", "camera"])
    rules = parse_hold_outs(["val:label=1", "generator=sdxl"])
    made = assign_splits(manifest, (1, 0, 0), hold_out=rules)
    assert made.column("split") == ["val", "test", "test", "train"]
    assert made.column("held_out") == [True, True, False, False]


def test_hold_out_that_matches_nothing_names_what_there_is() -> None:
    manifest = table(["a", "b"], ["camera", "flux"])
    with pytest.raises(UsageError, match="generator is one of: camera, flux"):
        assign_splits(manifest, hold_out=[HoldOut("generator", "fluks")])
    with pytest.raises(UsageError, match="no column 'genarator'"):
        assign_splits(manifest, hold_out=[HoldOut("genarator", "flux")])


def test_parse_hold_outs(tmp_path: Path) -> None:
    listing = tmp_path / "held.txt"
    listing.write_text("# sources\nsource=a/b=c\n\ngenerator = flux\n")
    found = parse_hold_outs(["dataset=x", f"@{listing}"])
    assert found == [
        HoldOut("dataset", "x"),
        HoldOut("source", "a/b=c"),
        HoldOut("generator", "flux"),
    ]
    with pytest.raises(UsageError, match="expected COLUMN=VALUE"):
        parse_hold_outs(["flux"])
    with pytest.raises(UsageError, match="no file"):
        parse_hold_outs(["@nowhere.txt"])


def test_own_split_stands_and_val_is_carved_from_train() -> None:
    own = ["train"] * 80 + ["test"] * 20
    manifest = table([f"g{i}" for i in range(100)], ["camera"] * 100, split=own)
    made = assign_splits(manifest, own_split=True).column("split")
    assert made[80:] == ["test"] * 20
    assert made[:80].count("val") in (14, 15)  # 80 * 0.15 / 0.85 = 14.1
    assert made[:80].count("test") == 0


def test_own_split_with_val_is_left_alone_and_the_rest_follows_its_group() -> None:
    own = ["train", "val", "test", None, None]
    manifest = table(["a", "b", "c", "c", "d"], ["camera"] * 5, split=own)
    made = assign_splits(manifest, (1, 0, 0), own_split=True).column("split")
    assert made == ["train", "val", "test", "test", "train"]


@pytest.mark.parametrize("fractions", [(0.5, 0.5), (0.7, 0.2, 0.2), (1.2, -0.1, -0.1)])
def test_wrong_fractions_are_refused(fractions: tuple[float, ...]) -> None:
    with pytest.raises(UsageError, match="sum to 1"):
        check_fractions(fractions)


def tied(groups: list[str], hashes: list[str | None]) -> Manifest:
    n = len(groups)
    columns = {
        "path": [f"{i}" for i in range(n)],
        "label": [0] * n,
        "generator": ["camera"] * n,
        "dataset": ["d"] * n,
        "group": groups,
        "sha256": pa.array(hashes, pa.string()),
    }
    return Manifest(pa.table(columns))


def test_groups_and_images_join_the_foremost_split() -> None:
    manifest = tied(["a", "a", "b", "c", "c"], ["1", "2", "2", "3", None])
    nobody = np.zeros(5, dtype=bool)
    codes, torn = join_splits(manifest, np.asarray([0, 0, 2, 0, 1], np.int8), nobody)
    assert codes.tolist() == [2, 2, 2, 1, 1]  # a and b by their equal image, c by its group
    assert not torn.any()


def test_rows_follow_the_settled_ones_or_fit_nowhere() -> None:
    manifest = tied(["a", "a", "b", "x", "b"], ["1", "2", "3", "9", "9"])
    settled = np.asarray([True, False, True, False, False])
    codes, torn = join_splits(manifest, np.asarray([0, 2, 2, 0, 0], np.int8), settled)
    assert codes[:3].tolist() == [0, 0, 2]  # settled rows stay, whatever new ones say
    assert codes[3:].tolist() == [2, 2]
    assert not torn.any()
    between = tied(["a", "b", "a"], ["1", "2", "2"])
    _, torn = join_splits(between, np.asarray([0, 2, 0], np.int8), np.asarray([True, True, False]))
    assert torn.tolist() == [False, False, True]


def test_hold_outs_are_for_some_rows_only() -> None:
    manifest = tied(["a", "b", "a"], [None] * 3)
    rule = [HoldOut("group", "a")]
    assert held_codes(manifest, rule).tolist() == [2, -1, 2]
    some = np.asarray([True, True, False])
    assert held_codes(manifest, rule, some).tolist() == [2, -1, -1]
    both = [HoldOut("group", "a"), HoldOut("group", "a", "val")]
    assert held_codes(manifest, both).tolist() == [2, -1, 2]
    with pytest.raises(UsageError, match="matches no image"):
        held_codes(manifest, rule, ~some & np.asarray([True, True, False]))
