"""Choosing rows of a manifest by their values."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from authentiscan.core.errors import UsageError
from authentiscan.manifest.select import parse_wheres, sample, select
from authentiscan.manifest.table import Manifest


@pytest.fixture
def manifest() -> Manifest:
    rows = [
        {
            "path": f"{i}.jpg",
            "label": i % 2,
            "generator": ["camera", "flux", "camera", "dall-e"][i],
            "dataset": ["a", "a", "b", "b"][i],
            "group": str(i),
            "width": 64 * (i + 1),
        }
        for i in range(4)
    ]
    return Manifest(pa.Table.from_pylist(rows), Path())


def names(manifest: Manifest) -> list[str]:
    return manifest.column("path")


def test_values_of_one_column_are_alternatives_and_columns_all_count(manifest: Manifest) -> None:
    wheres = parse_wheres(["generator=camera", "generator=flux", "dataset=a"])
    assert names(select(manifest, wheres)) == ["0.jpg", "1.jpg"]


def test_values_can_be_left_out(manifest: Manifest) -> None:
    wheres = parse_wheres(["generator!=flux", "generator!=dall-e", "dataset=a"])
    assert names(select(manifest, wheres)) == ["0.jpg"]


def test_numbers_are_compared_as_text(manifest: Manifest) -> None:
    assert names(select(manifest, parse_wheres(["width=128"]))) == ["1.jpg"]


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (["flux"], "expected COLUMN=VALUE"),
        (["!=flux"], "expected COLUMN=VALUE"),
        (["generator!=fluks"], "one of: camera, dall-e, flux"),
        (["generator=fluks"], "one of: camera, dall-e, flux"),
        (["colour=red"], "there is no such column; there are: dataset"),
        (["generator=flux", "dataset=b"], "no image matches all"),
    ],
)
def test_mistakes_are_told(manifest: Manifest, texts: list[str], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        select(manifest, parse_wheres(texts))


def test_a_sample_keeps_proportions_and_does_not_depend_on_row_order() -> None:
    rows = [
        {
            "path": f"{i}.jpg",
            "label": int(i % 5 == 0),
            "generator": "flux" if i % 5 == 0 else "camera",
            "dataset": "a",
            "split": "test" if i < 40 else "train",
            "group": str(i),
        }
        for i in range(200)
    ]
    chosen = sample(Manifest(pa.Table.from_pylist(rows), Path()), 50)
    assert len(chosen) == 50
    assert chosen.column("split").count("test") == 10
    assert chosen.labels.sum() == 10
    again = sample(Manifest(pa.Table.from_pylist(rows[::-1]), Path()), 50)
    assert sorted(names(again)) == sorted(names(chosen))
    other = sample(Manifest(pa.Table.from_pylist(rows), Path()), 50, seed=1)
    assert names(other) != names(chosen)
    assert len(sample(chosen, 50)) == 50
