"""The rules by which a cleaned manifest keeps and drops rows, one by one."""

from __future__ import annotations

import pyarrow as pa
import pytest

from authentiscan.checks.verify.checks import CopySet, Kind
from authentiscan.checks.verify.clean import clean
from authentiscan.manifest.table import Manifest


def manifest(
    splits: list[str | None], labels: list[int] | None = None, groups: list[str] | None = None
) -> Manifest:
    n = len(splits)
    columns = {
        "path": [f"{i}.jpg" for i in range(n)],
        "label": labels or [0] * n,
        "generator": ["camera"] * n,
        "dataset": ["d"] * n,
        "group": groups or [f"g{i}" for i in range(n)],
        "split": pa.array(splits, pa.string()),
    }
    return Manifest(pa.table(columns))


def copies(kind: Kind, *rows: int) -> CopySet:
    return CopySet(kind, rows, 1.0, False, False, 1)


def kept(cleaned: Manifest) -> list[str]:
    return [str(path).removesuffix(".jpg") for path in cleaned.column("path")]


def test_unreadable_images_go() -> None:
    cleaned, gone = clean(manifest(["train", "test"]), [], {1: "it is empty"})
    assert kept(cleaned) == ["0"]
    assert gone == {1: "unreadable: it is empty"}


@pytest.mark.parametrize("kind", ["bytes", "pixels"])
@pytest.mark.parametrize(
    ("splits", "stays"),
    [
        (["train", "test", "val"], "1"),
        (["train", "val", None], "1"),
        ([None, "train", "train"], "1"),
        (["val", "val", "val"], "0"),
    ],
)
def test_of_exact_copies_the_foremost_stays(
    kind: Kind, splits: list[str | None], stays: str
) -> None:
    cleaned, gone = clean(manifest(splits), [copies(kind, 0, 1, 2)], {})
    assert kept(cleaned) == [stays]
    assert set(gone.values()) == {f"exact copy of row {stays}, which stays"}


def test_exact_copies_with_both_labels_all_go() -> None:
    cleaned, gone = clean(
        manifest(["test", "train", "train"], [0, 1, 1]), [copies("bytes", 0, 1)], {}
    )
    assert kept(cleaned) == ["2"]
    assert gone[0] == gone[1] == "exact copies with both labels (rows 0, 1)"


def test_sets_that_share_an_image_are_one() -> None:
    sets = [copies("bytes", 0, 1), copies("pixels", 1, 2)]
    cleaned, _ = clean(manifest(["train", "val", "test"]), sets, {})
    assert kept(cleaned) == ["2"]


def test_near_copies_go_from_all_but_the_foremost_split() -> None:
    table = manifest(["train", "test", "test", None, "val"])
    cleaned, gone = clean(table, [copies("near", 0, 1, 2, 3, 4)], {})
    assert kept(cleaned) == ["1", "2", "3"]
    assert set(gone) == {0, 4}
    assert "near copy of row 1 in another split" in gone[0]


def test_near_copies_of_one_split_stay_and_share_a_group() -> None:
    table = manifest(["train"] * 4, [0, 1, 0, 0])
    cleaned, gone = clean(table, [copies("near", 0, 1), copies("near", 1, 2)], {})
    assert not gone
    assert cleaned.column("group") == ["g0", "g0", "g0", "g3"]


def test_copies_of_a_near_copy_follow_it() -> None:
    table = manifest(["train", "test", "train"])
    cleaned, _ = clean(table, [copies("bytes", 0, 2), copies("near", 0, 1)], {})
    assert kept(cleaned) == ["1"]


def test_groups_stay_in_their_foremost_split() -> None:
    table = manifest(["train", "val", "test", "train", None], groups=["a", "a", "b", "b", "a"])
    cleaned, gone = clean(table, [], {})
    assert kept(cleaned) == ["1", "2", "4"]
    assert set(gone.values()) == {"its group is also in another split, whose images stay"}


def test_nothing_wrong_changes_nothing() -> None:
    table = manifest(["train", "val", "test"])
    cleaned, gone = clean(table, [], {})
    assert not gone
    assert cleaned.table.equals(table.table)
