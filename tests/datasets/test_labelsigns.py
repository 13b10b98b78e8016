"""Labels held against everything else that a table's rows say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from authentiscan.core.errors import UsageError
from authentiscan.datasets.labelsigns import check_labels

ROLES = {"label": "label", "path": "path"}


def check(*rows: Mapping[str, Any], explained: tuple[str, ...] = (), **roles: str) -> None:
    check_labels("t.csv", rows, {**ROLES, **roles}, int, explained)


def rows(**columns: list[Any]) -> list[dict[str, Any]]:
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


@pytest.mark.parametrize(
    "columns",
    [
        {"path": ["train/real/1.jpg", "train/fake/2.jpg"]},
        {"path": ["real/a.jpg", "fake/b.jpg"]},
        {"path": ["1_real/a.jpg", "x.jpg"]},
        {"path": ["a", "b"], "label_str": ["real", "fake"]},
        {"path": ["a", "b"], "kind": ["REAL", "generated"]},
        {"path": ["a", "b"], "is_fake": ["0", "1"]},
        {"path": ["a", "b"], "is_generated": [False, True]},
        {"path": ["a", "b"], "is_real": [1, 0]},
        {"path": ["a", "b"], "model": ["camera", "flux"]},
        {"path": ["C:\\set\\real\\1.jpg", "C:\\set\\fake\\2.jpg"]},
    ],
)
def test_label_1_on_what_is_real_stops(columns: dict[str, list[Any]]) -> None:
    turned = rows(label=["1", "0"], **columns)
    with pytest.raises(UsageError, match=r"contradicts itself.*--label .*1=real"):
        check(*turned, generator="model")
    check(*rows(label=["0", "1"], **columns), generator="model")


def test_both_signs_and_the_options_are_named() -> None:
    with pytest.raises(UsageError) as error:
        check(*rows(label=["1"], path=["real/1.jpg"], label_str=["real"]))
    told = str(error.value)
    assert 'label = 1 would mean generated, but the folder is "real" on 1 such rows' in told
    assert 'label_str is "real"' in told
    assert "--label 1=real, or --label 1=generated to go by the column alone" in told


def test_what_the_user_told_is_believed() -> None:
    turned = rows(label=["1", "0"], path=["real/1.jpg", "fake/2.jpg"])
    check(*turned, explained=("0", "1"))
    with pytest.raises(UsageError):
        check(*turned, explained=("1",))


@pytest.mark.parametrize(
    "columns",
    [
        {"path": ["ai/set/1.jpg", "ai/set/2.jpg"]},  # the project's own folder
        {"path": ["a", "b"], "prompt": ["real", "a red car"]},  # not a column of such words
        {"path": ["a", "b"], "subset": ["ai", "ai"]},  # the same for both classes
        {"path": ["photos/1.jpg", "nature/2.jpg"]},  # subjects
        {"path": ["a", "b"], "is_fake": ["", ""]},
        {"path": ["fake/nature/1.jpg", "real/city/2.jpg"]},
    ],
)
def test_what_is_no_sign_stops_nothing(columns: dict[str, list[Any]]) -> None:
    check(*rows(label=["1", "0"], **columns))


def test_a_folder_of_one_class_alone_is_a_sign() -> None:
    with pytest.raises(UsageError, match='the folder is "real" on 2'):
        check(*rows(label=["1", "1"], path=["real/1.jpg", "real/2.jpg"]))


def test_one_wrong_row_among_many_is_found() -> None:
    many = rows(label=["0"] * 50 + ["1"] * 50, path=["real/1.jpg"] * 49 + ["fake/2.jpg"] * 51)
    with pytest.raises(UsageError, match='the folder is "fake" on 1 such rows'):
        check(*many)
