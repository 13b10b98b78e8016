"""Joining parts of facts into one manifest: who goes to which split, then one pass to write it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from authentiscan.core.files import whole_path
from authentiscan.datasets.facts import CONTENT_HASH, GROUP_HASH, NAMED
from authentiscan.manifest.hold_out import UNKNOWN, Codes, HoldOut, no_match, split_code
from authentiscan.manifest.split import U64, Fractions, SplitRows, assign, join_duplicates
from authentiscan.manifest.table import COLUMNS, SPLITS

if TYPE_CHECKING:
    import pyarrow as pa

_Scalar = TypeVar("_Scalar", bound=np.generic)
_SEPARATOR = "\x1f"
_ROW_GROUP = 50_000
METADATA = b"authentiscan"
"""Key of the metadata in which a manifest says how it was made."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Where every row goes, in the order of the parts.

    codes: split (0, 1, 2). held: the split held out for, or -1. groups: hashes after joining equal
    images. renamed: hash -> name of groups that took in others. joined: rows whose group changed.
    """

    codes: Codes
    held: Codes
    groups: U64
    renamed: dict[int, str]
    joined: int


def plan_splits(
    parts: Sequence[Path],
    fractions: Fractions,
    seed: int,
    hold_out: Sequence[HoldOut],
    *,
    own_split: bool,
) -> Plan:
    """Decide the splits of all rows of all parts, holding hashes and codes but no names.

    Raises UsageError for a hold-out that matches no row.
    """
    own_groups, rows = _gather(parts, hold_out)
    codes = assign(rows, fractions, seed, own_split=own_split)
    changed = own_groups != rows.groups
    renamed = _names_of(parts, set(rows.groups[changed].tolist()))
    return Plan(codes, rows.held, rows.groups, renamed, int(changed.sum()))


def _gather(parts: Sequence[Path], hold_out: Sequence[HoldOut]) -> tuple[U64, SplitRows]:
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    strata, datasets = _Codes(), _Codes()
    groups, contents, stratum, dataset, own, held = ([] for _ in range(6))
    matched = dict.fromkeys(hold_out, 0)
    for part in parts:
        table = pq.read_table(part, memory_map=True)
        if not table.num_rows:
            continue
        groups.append(table[GROUP_HASH].to_numpy())
        contents.append(table[CONTENT_HASH].to_numpy())
        keys = [table["dataset"], table["generator"], table["label"].cast("string")]
        stratum.append(strata.of(pc.binary_join_element_wise(*keys, _SEPARATOR)))
        dataset.append(datasets.of(table["dataset"]))
        own.append(np.array([split_code(s) for s in table["split"].to_pylist()], dtype=np.int8))
        held.append(_held(table, hold_out, matched))
    for rule, count in matched.items():
        if not count:
            raise _unmatched(parts, rule)
    own_groups = _together(groups, np.uint64)
    rows = SplitRows(
        groups=join_duplicates(own_groups, _together(contents, np.uint64)),
        strata=strata.sorted(_together(stratum, np.int64)),
        datasets=datasets.sorted(_together(dataset, np.int64)),
        own=_together(own, np.int8),
        held=_together(held, np.int8),
    )
    return own_groups, rows


class _Codes:
    """Numbers for names as they come, and afterwards in the order of the names."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def of(self, names: pa.ChunkedArray) -> NDArray[np.int64]:
        coded = names.combine_chunks().dictionary_encode()
        known = [
            self._numbers.setdefault(n, len(self._numbers)) for n in coded.dictionary.to_pylist()
        ]
        numbers: NDArray[np.int64] = np.asarray(known, dtype=np.int64)[coded.indices.to_numpy()]
        return numbers

    def sorted(self, codes: NDArray[np.int64]) -> NDArray[np.int64]:
        order = np.empty(len(self._numbers), dtype=np.int64)
        for place, name in enumerate(sorted(self._numbers)):
            order[self._numbers[name]] = place
        return order[codes]


def _held(table: pa.Table, hold_out: Sequence[HoldOut], matched: dict[HoldOut, int]) -> Codes:
    import pyarrow.compute as pc

    held = np.full(table.num_rows, UNKNOWN, dtype=np.int8)
    for rule in hold_out:
        if rule.column in table.column_names:
            values = table[rule.column].cast("string")
            match = pc.fill_null(pc.equal(values, rule.value), False).to_numpy()
            matched[rule] += int(match.sum())
            held[match] = np.maximum(held[match], split_code(rule.split))
    return held


def _unmatched(parts: Sequence[Path], rule: HoldOut) -> Exception:
    import pyarrow.parquet as pq

    columns: set[str] = set()
    values: set[str] = set()
    for part in parts:
        names = pq.read_schema(part).names
        columns |= {n for n in names if not n.startswith("__")}
        if rule.column in names and len(values) < 10_000:
            values |= {str(v) for v in pq.read_table(part, columns=[rule.column])[0].to_pylist()}
    return no_match(rule, columns, values)


def _names_of(parts: Sequence[Path], hashes: set[int]) -> dict[int, str]:
    """The names of the groups with these hashes."""
    import pyarrow.parquet as pq

    names: dict[int, str] = {}
    if not hashes:
        return names
    wanted = np.array(sorted(hashes), dtype=np.uint64)
    for part in parts:
        table = pq.read_table(part, columns=[GROUP_HASH, "group"])
        found = np.flatnonzero(np.isin(table[GROUP_HASH].to_numpy(), wanted))
        for row in found.tolist():
            names[table[GROUP_HASH][row].as_py()] = table["group"][row].as_py()
    return names


def join_parts(
    parts: Sequence[Path], plan: Plan, target: Path, notes: Mapping[str, object] | None = None
) -> None:
    """Write the manifest from its parts, replacing ``target`` only once it is whole.

    notes: what is to be kept of the whole, as JSON in the table's metadata under `METADATA`.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = _schema(parts)
    if notes is not None:
        schema = schema.with_metadata({METADATA: json.dumps(notes)})
    with (
        whole_path(target) as partial,
        pq.ParquetWriter(partial, schema, compression="zstd") as writer,
    ):
        for batch in _gathered(_finished(parts, plan, schema), _ROW_GROUP):
            table = pa.concat_tables(batch).combine_chunks().cast(schema)
            writer.write_table(table, row_group_size=_ROW_GROUP)


def _finished(parts: Sequence[Path], plan: Plan, schema: pa.Schema) -> Iterator[pa.Table]:
    """The parts' tables in the manifest's schema, with split, held_out and joined groups."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = np.array([*SPLITS], dtype=object)
    start = 0
    for part in parts:
        table = pq.read_table(part)
        rows = slice(start, start + table.num_rows)
        start = rows.stop
        columns: dict[str, pa.Array] = {
            n: table[n] for n in table.column_names if n in schema.names
        }
        columns["split"] = pa.array(names[plan.codes[rows]], type=pa.string())
        columns["held_out"] = pa.array(plan.held[rows] != UNKNOWN)
        changed = np.flatnonzero(table[GROUP_HASH].to_numpy() != plan.groups[rows])
        if len(changed):
            groups = table["group"].to_pylist()
            for row in changed.tolist():
                groups[row] = plan.renamed[int(plan.groups[rows][row])]
            columns["group"] = pa.array(groups, type=pa.string())
        for field in schema:
            if field.name not in columns:
                columns[field.name] = pa.nulls(table.num_rows, field.type)
        yield pa.table({n: columns[n].cast(schema.field(n).type) for n in schema.names})


def _gathered(tables: Iterator[pa.Table], rows: int) -> Iterator[list[pa.Table]]:
    """Neighbouring tables, so that each list has about ``rows`` rows."""
    batch: list[pa.Table] = []
    for table in tables:
        batch.append(table)
        if sum(t.num_rows for t in batch) >= rows:
            yield batch
            batch = []
    if batch:
        yield batch


def _schema(parts: Sequence[Path]) -> pa.Schema:
    """The contract's columns, then names and facts, then all the sources' own, alphabetically.

    Where two sources give a column types that have nothing in common, it becomes text.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    known = {n: pa.type_for_alias(t) for n, t in {**COLUMNS, "held_out": "bool", **NAMED}.items()}
    own: dict[str, pa.DataType] = {}
    for part in parts:
        for field in pq.read_schema(part):
            if field.name in known or field.name.startswith("__"):
                continue
            if field.name in own and own[field.name] != field.type:
                own[field.name] = _wider(own[field.name], field.type)
            else:
                own[field.name] = field.type
    return pa.schema([*known.items(), *sorted(own.items())])


def _wider(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    import pyarrow as pa

    fields = [pa.schema([("x", kind)]) for kind in (one, other)]
    try:
        return pa.unify_schemas(fields, promote_options="permissive").field("x").type
    except (pa.ArrowTypeError, pa.ArrowInvalid):
        return pa.string()


def _together(arrays: list[NDArray[_Scalar]], kind: type[_Scalar]) -> NDArray[_Scalar]:
    return np.concatenate(arrays) if arrays else np.zeros(0, dtype=kind)
