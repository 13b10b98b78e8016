"""Sampling: exact shares, balance, use of every image, epochs that do not depend on the past."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authentiscan.core.errors import TrainingError
from authentiscan.manifest.split import exact_counts
from authentiscan.training.recipe import Sampling
from authentiscan.training.sampling import EpochBatches, EpochPlan


def plan_of(
    sizes: dict[str, tuple[int, int]],
    shares: dict[str, float] | None = None,
    batch_size: int = 8,
    seed: int = 0,
    **settings: object,
) -> tuple[EpochPlan, np.ndarray, np.ndarray, np.ndarray]:
    """A plan over data sets of so many (real, generated) images; generators a (90 %) and b."""
    labels, datasets, strata = [], [], []
    for name, counts in sizes.items():
        for label, count in enumerate(counts):
            labels += [label] * count
            datasets += [name] * count
            strata += [f"{'ab'[i % 10 == 0]}{label}" for i in range(count)]
    plan = EpochPlan(
        np.asarray(labels),
        datasets,
        strata,
        Sampling.model_validate(settings),
        shares=shares,
        batch_size=batch_size,
        seed=seed,
    )
    return plan, np.asarray(labels), np.asarray(datasets), np.asarray(strata)


def test_the_combined_recipes_shares_are_exact() -> None:
    sizes = {"genimage": (300, 500), "cifake": (4000, 4000), "faces": (50, 60)}
    plan, labels, datasets, _ = plan_of(
        sizes, {"genimage": 44, "cifake": 18, "faces": 38}, epoch_size=1000, batch_size=10
    )
    for epoch in range(5):
        rows = plan.rows(epoch)
        assert Counter(datasets[rows].tolist()) == {"genimage": 440, "cifake": 180, "faces": 380}
        for name, count in plan.counts.items():
            assert Counter(labels[rows][datasets[rows] == name].tolist()) == {
                0: count // 2,
                1: count // 2,
            }


@settings(deadline=None)
@given(shares=st.lists(st.floats(0.01, 100), min_size=1, max_size=6), total=st.integers(0, 10_000))
def test_exact_counts_add_up_and_are_nearest(shares: list[float], total: int) -> None:
    counts = exact_counts(shares, total)
    assert sum(counts) == total
    exact = np.asarray(shares) / np.sum(shares) * total
    assert np.abs(np.asarray(counts) - exact).max() < 1


def test_every_image_comes_once_before_any_comes_twice() -> None:
    plan, _, _, _ = plan_of({"a": (40, 56)}, balance_classes=False)
    assert plan.size == 96
    for epoch in range(3):
        assert sorted(plan.rows(epoch).tolist()) == list(range(96))
    balanced, labels, _, _ = plan_of({"a": (30, 90)}, batch_size=10)
    drawn = np.concatenate([balanced.rows(e) for e in range(6)])
    uses = np.bincount(drawn, minlength=120)
    for label in (0, 1):
        assert np.ptp(uses[labels == label]) <= 1
    assert uses[labels == 0].sum() == uses[labels == 1].sum()


@pytest.mark.parametrize(("within", "share"), [("natural", 0.1), ("sqrt", 0.25), ("equal", 0.5)])
def test_balance_within_a_class(within: str, share: float) -> None:
    plan, labels, _, strata = plan_of({"a": (500, 500)}, within=within, batch_size=10)
    drawn = np.concatenate([plan.rows(e) for e in range(3)])
    for label in (0, 1):
        mine = strata[drawn][labels[drawn] == label]
        assert np.mean([s.startswith("b") for s in mine]) == pytest.approx(share, abs=0.01)


def test_epochs_differ_and_do_not_depend_on_order() -> None:
    plan, *_ = plan_of({"a": (64, 64)})
    again, *_ = plan_of({"a": (64, 64)})
    other, *_ = plan_of({"a": (64, 64)}, seed=1)
    later = again.rows(3)
    assert np.array_equal(plan.rows(0), again.rows(0))
    assert np.array_equal(plan.rows(3), later)
    assert not np.array_equal(plan.rows(0), plan.rows(1))
    assert not np.array_equal(plan.rows(0), other.rows(0))


def test_batches_are_mixed_like_the_epoch() -> None:
    plan, labels, datasets, _ = plan_of(
        {"a": (200, 200), "b": (200, 200)}, {"a": 3, "b": 1}, batch_size=32, epoch_size=640
    )
    rows = plan.rows(0).reshape(-1, 32)
    generated = labels[rows].sum(axis=1)
    assert generated.min() >= 12
    assert generated.max() <= 20
    assert ((datasets[rows] == "b").sum(axis=1) >= 4).all()


def test_processes_share_the_common_batch() -> None:
    plan, *_ = plan_of({"a": (40, 40)}, batch_size=8)
    whole = EpochBatches(plan, 8)
    parts = [EpochBatches(plan, 8, rank=r, world=2) for r in range(2)]
    for batches in (whole, *parts):
        batches.set(4, start=3)
    for together, first, second in zip(whole, *parts, strict=True):
        assert sorted([*first, *second], key=lambda d: d.position) == together
    assert len(list(whole)) == len(whole) - 3
    with pytest.raises(TrainingError, match="cannot be divided"):
        EpochBatches(plan, 7, world=2)


def test_one_class_only_is_refused_and_one_sided_sets_are_used() -> None:
    with pytest.raises(TrainingError, match="needs real and generated"):
        plan_of({"a": (5, 0)})
    plan, _, datasets, _ = plan_of({"a": (40, 0), "b": (40, 40)}, {"a": 1, "b": 1}, batch_size=10)
    assert Counter(datasets[plan.rows(0)].tolist()) == {"a": 60, "b": 60}
    with pytest.raises(TrainingError, match="'c' has no images"):
        plan_of({"a": (9, 9)}, {"a": 1, "c": 1})
