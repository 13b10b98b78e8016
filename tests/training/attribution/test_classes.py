"""Which images are classes."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from authentiscan.core.errors import TrainingError, UsageError
from authentiscan.manifest.table import Manifest
from authentiscan.training.attribution.classes import Classes, choose_classes, epoch_rows
from authentiscan.training.attribution.recipe import ClassSettings


def manifest(counts: dict[str, int], **columns: list[object]) -> Manifest:
    names = [name for name, count in counts.items() for _ in range(count)]
    return Manifest(
        pa.table(
            {
                "path": [f"{i}.png" for i in range(len(names))],
                "label": [0 if name == "camera" else 1 for name in names],
                "generator": names,
                "dataset": ["x"] * len(names),
                "group": [f"g{i // 2}" for i in range(len(names))],
                "source": [f"s{i % 3 // 2}" for i in range(len(names))],
                **columns,
            }
        )
    )


COUNTS = {"a": 60, "b": 40, "few": 8, "c(mixed)": 30, "unspecified-2022": 9, "camera": 50}


def chosen(**settings: object) -> Classes:
    return choose_classes(manifest(COUNTS), ClassSettings.model_validate({"least": 15, **settings}))


def test_weak_and_small_ones_are_left_out_and_told() -> None:
    classes = chosen()
    assert classes.names == ("a", "b", "camera")
    told = "; ".join(classes.left_out)
    assert "weak labels: c(mixed) (30), unspecified-2022 (9)" in told
    assert "fewer than 15 training images: few" in told


def test_weak_ones_may_be_asked_for_and_photographs_left_out() -> None:
    assert chosen(weak=True, photographs=False).names == ("a", "b", "c(mixed)")


def test_names_may_be_joined() -> None:
    assert chosen(together={"ab": ["a", "b"]}, weak=True).names == ("ab", "c(mixed)", "camera")


def test_other_generators_may_be_kept_for_the_open_set() -> None:
    names = {"a": 60, "b": 40, "c": 50, "camera": 50}
    settings = ClassSettings(least=15, only=("ab", "c"), together={"ab": ("a", "b")})
    assert choose_classes(manifest(names), settings).names == ("ab", "c", "camera")
    settings = ClassSettings(least=15, only=("a", "c"))
    classes = choose_classes(manifest(names), settings)
    assert classes.names == ("a", "c", "camera")
    assert "not in classes.only: 1 generators, 40 images" in classes.left_out
    assert (classes.codes[60:100] == -1).all()
    with pytest.raises(UsageError, match=r"names d, .*there are: a, b, c"):
        choose_classes(manifest(names), ClassSettings(only=("a", "d")))


def test_no_source_gives_more_than_it_may() -> None:
    names = {"a": 90, "b": 60, "camera": 90}
    sources = ["big"] * 80 + ["small"] * 10 + ["big"] * 60 + ["album"] * 90
    data = manifest(names, source=list(sources))
    settings = ClassSettings(least=4, most_of_source=40, most_photographs=20)
    classes = choose_classes(data, settings)
    kept = Counter(
        (names_of, source)
        for code, source in zip(classes.codes, sources, strict=True)
        if code >= 0
        for names_of in [classes.names[code]]
    )
    assert kept == {("a", "big"): 40, ("a", "small"): 10, ("b", "big"): 40, ("camera", "album"): 20}
    assert "beyond the most of a source: 130 images" in classes.left_out
    again = choose_classes(data, settings)
    assert (again.codes == classes.codes).all()
    assert (choose_classes(data, settings, seed=1).codes != classes.codes).any()


def test_small_images_may_be_left_out() -> None:
    names = {"a": 40, "b": 40}
    sides = [64 if i % 4 == 0 else 200 for i in range(80)]
    data = manifest(names, width=list(sides), height=[300] * 80)
    classes = choose_classes(data, ClassSettings(least=4, least_side=160))
    assert ((classes.codes == -1) == (np.asarray(sides) < 160)).all()
    assert "a shorter side under 160: 20 images" in classes.left_out


def test_splits_are_dealt_out_by_group_or_stand() -> None:
    classes = chosen()
    splits = classes.manifest.column("split")
    groups = classes.manifest.column("group")
    assert all(len({s for s, g in zip(splits, groups, strict=True) if g == x}) == 1 for x in groups)
    assert set(splits) == {"train", "val", "test"}
    own = ["train", "val"] * (sum(COUNTS.values()) // 2) + ["test"] * (sum(COUNTS.values()) % 2)
    stood = choose_classes(manifest(COUNTS, split=list(own)), ClassSettings(least=15))
    assert stood.manifest.column("split") == own


def test_leaving_one_out_keeps_the_rows() -> None:
    classes = chosen()
    without = classes.without("a")
    assert without.names == ("b", "camera")
    assert without.manifest is classes.manifest
    b, camera = np.flatnonzero(classes.codes == 1), np.flatnonzero(classes.codes == 2)
    assert (without.codes[b] == 0).all()
    assert (without.codes[camera] == 1).all()
    assert sum(without.counts("train").values()) < sum(classes.counts("train").values())


def test_too_few_generators_are_told_with_the_reason() -> None:
    with pytest.raises(TrainingError, match=r"1 is left .*few.*classes.least"):
        choose_classes(manifest({"a": 60, "few": 9}), ClassSettings(least=20))
    with pytest.raises(TrainingError, match="0 are left"):
        choose_classes(manifest({"camera": 60}), ClassSettings(least=20))


def test_an_epoch_has_as_many_of_each_class() -> None:
    classes = chosen()
    rows = epoch_rows(classes, ClassSettings(most=21), np.random.default_rng(0))
    assert Counter(classes.codes[rows].tolist()) == {0: 21, 1: 21, 2: 21}
    assert set(rows) <= set(classes.rows("train"))
    other = epoch_rows(classes, ClassSettings(most=21), np.random.default_rng(1))
    assert sorted(rows) != sorted(other)


def test_a_large_source_does_not_stand_for_its_generator() -> None:
    names = {"a": 200, "b": 200}
    sources = ["big"] * 180 + ["small"] * 20 + ["big"] * 200
    data = manifest(names, source=list(sources), split=["train"] * 398 + ["val"] * 2)
    data = data.with_column("split", ["train", "val"] * 200)
    classes = choose_classes(data, ClassSettings(least=15))
    drawn = epoch_rows(classes, ClassSettings(most=40), np.random.default_rng(0))
    mine = [sources[i] for i in drawn if classes.codes[i] == 0]
    assert mine.count("small") > 6  # a fourth, where a tenth of the images are
