"""Parts of facts joined into one manifest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from authentiscan.core.errors import UsageError
from authentiscan.datasets.facts import CONTENT_HASH, GROUP_HASH
from authentiscan.datasets.merge import METADATA, join_parts, plan_splits
from authentiscan.manifest.hold_out import HoldOut
from authentiscan.manifest.split import name_hash
from authentiscan.manifest.table import COLUMNS, Manifest

HALVES = (0.5, 0.0, 0.5)


def part(path: Path, groups: list[str], contents: list[int], **columns: Any) -> Path:
    n = len(groups)
    table = {
        "path": [f"{path.stem}-{i}" for i in range(n)],
        "label": pa.array([i % 2 for i in range(n)], pa.int8()),
        "generator": ["camera", "flux"] * (n // 2) + ["camera"] * (n % 2),
        "dataset": ["d"] * n,
        "split": pa.array([None] * n, pa.string()),
        "group": pa.array(groups, pa.string()),
        GROUP_HASH: pa.array([name_hash(g) for g in groups], pa.uint64()),
        CONTENT_HASH: pa.array(contents, pa.uint64()),
        **columns,
    }
    pq.write_table(pa.table(table), path)
    return path


def joined(parts: list[Path], target: Path, **options: Any) -> Manifest:
    how = {"fractions": HALVES, "seed": 0, "hold_out": (), "own_split": False, **options}
    join_parts(parts, plan_splits(parts, **how), target, {"left_out": {"x": 1}})
    return Manifest.read(target)


def test_rows_come_in_the_order_of_the_parts(tmp_path: Path) -> None:
    parts = [
        part(tmp_path / "b.parquet", ["1", "2"], [1, 2]),
        part(tmp_path / "empty.parquet", [], []),
        part(tmp_path / "a.parquet", ["3", "4", "5"], [3, 4, 5]),
    ]
    manifest = joined(parts, tmp_path / "m.parquet")
    assert manifest.column("path") == ["b-0", "b-1", "a-0", "a-1", "a-2"]
    assert manifest.table.column_names[: len(COLUMNS)] == list(COLUMNS)
    assert not any(name.startswith("__") for name in manifest.table.column_names)
    kept = pq.read_schema(tmp_path / "m.parquet").metadata[METADATA]
    assert json.loads(kept) == {"left_out": {"x": 1}}


def test_groups_with_an_equal_image_become_one_over_parts(tmp_path: Path) -> None:
    parts = [
        part(tmp_path / "a.parquet", ["one", "two"], [7, 8]),
        part(tmp_path / "b.parquet", ["three", "three", "four"], [7, 9, 10]),
    ]
    plan = plan_splits(parts, HALVES, 0, (), own_split=False)
    assert plan.joined == 1 or plan.joined == 2  # whichever of the two names stays
    manifest = joined(parts, tmp_path / "m.parquet")
    groups = manifest.column("group")
    assert groups[0] == groups[2] == groups[3]
    assert groups[0] in ("one", "three")
    assert groups[1] == "two"
    assert len({manifest.column("split")[i] for i in (0, 2, 3)}) == 1


def test_own_columns_of_all_sources_are_there(tmp_path: Path) -> None:
    parts = [
        part(tmp_path / "a.parquet", ["1"], [1], style=["photo"], count=pa.array([1], pa.int16())),
        part(tmp_path / "b.parquet", ["2"], [2], count=pa.array([2], pa.int64()), zoom=[0.5]),
        part(tmp_path / "c.parquet", ["3"], [3], count=["many"]),
    ]
    manifest = joined(parts, tmp_path / "m.parquet")
    assert manifest.column("style") == ["photo", None, None]
    assert manifest.column("zoom") == [None, 0.5, None]
    assert manifest.column("count") == ["1", "2", "many"]
    wider = joined(parts[:2], tmp_path / "w.parquet")
    assert wider.table["count"].type == pa.int64()


def test_held_out_rows_are_marked_and_take_their_group_along(tmp_path: Path) -> None:
    parts = [
        part(
            tmp_path / "a.parquet", ["1", "1", "2", "2", "3"], [1, 2, 3, 4, 5], source=list("xyyzz")
        )
    ]
    manifest = joined(
        parts, tmp_path / "m.parquet", fractions=(1.0, 0.0, 0.0), hold_out=[HoldOut("source", "x")]
    )
    assert manifest.column("held_out") == [True, False, False, False, False]
    assert manifest.column("split") == ["test", "test", "train", "train", "train"]
    with pytest.raises(UsageError, match=r"source=w matches no image; source is one of: x, y, z"):
        plan_splits(parts, HALVES, 0, [HoldOut("source", "w")], own_split=False)
    with pytest.raises(UsageError, match="there is no column 'sauce'"):
        plan_splits(parts, HALVES, 0, [HoldOut("sauce", "x")], own_split=False)


def test_a_failed_join_leaves_the_old_manifest(tmp_path: Path) -> None:
    (tmp_path / "m.parquet").write_bytes(b"old")
    good = part(tmp_path / "a.parquet", ["1"], [1])
    plan = plan_splits([good], HALVES, 0, (), own_split=False)
    good.write_bytes(b"damaged meanwhile")
    with pytest.raises(pa.ArrowInvalid):
        join_parts([good], plan, tmp_path / "m.parquet")
    assert (tmp_path / "m.parquet").read_bytes() == b"old"
    assert [p.name for p in tmp_path.glob("*partial*")] == []
