"""From a recipe's data sets to one table with splits, and what to remember of it."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from authentiscan.core.errors import ManifestError, TrainingError, UsageError
from authentiscan.datasets.organize import organize
from authentiscan.inference.bundle import DataUse
from authentiscan.manifest.split import assign_splits, no_match, parse_hold_outs, split_code
from authentiscan.manifest.table import REQUIRED, SPLITS, Manifest
from authentiscan.training.recipe import DataSource, Recipe

_LOG = logging.getLogger(__name__)

SOURCE = "data_source"
"""Column that says which of the recipe's data sets a row came from."""


@dataclass(frozen=True)
class Parts:
    """The rows to learn from and to choose by, and what is left for testing."""

    train: Manifest
    val: Manifest
    test: Manifest
    used: tuple[DataUse, ...]

    def unlearned(self) -> Manifest:
        """The test part, then the validation part."""
        import pyarrow as pa

        tables = [self.test.table, self.val.table]
        return Manifest(pa.concat_tables(tables, promote_options="permissive"), self.val.root)

    def table(self) -> list[dict[str, Any]]:
        """Images by data set, split and class, for showing."""
        rows: list[dict[str, Any]] = []
        for split in ("train", "val", "test"):
            manifest: Manifest = getattr(self, split)
            sources = np.asarray(manifest.column(SOURCE))
            for name in sorted(set(sources.tolist())):
                labels = manifest.labels[sources == name]
                rows.append(
                    {
                        "data": name,
                        "split": split,
                        "real": int((labels == 0).sum()),
                        "generated": int((labels == 1).sum()),
                    }
                )
        return rows


def with_data(recipe: Recipe, given: Sequence[str]) -> Recipe:
    """``recipe`` with data given on the command line: ``PATH`` for its only data set, or
    ``NAME=PATH``.

    Raises UsageError where a name is unknown or a path alone could mean several data sets.
    """
    sources = {source.name: source for source in recipe.data}
    for text in given:
        name, equals, path = text.partition("=")
        if not equals or Path(text).exists():
            if len(sources) > 1:
                raise UsageError(
                    f"--data {text}: the recipe {recipe.name!r} has {len(sources)} data sets; "
                    f"say which one as NAME={text} with NAME one of {', '.join(sources)}"
                )
            name, path = next(iter(sources)), text
        if name not in sources:
            raise UsageError(
                f"--data {text}: no data set {name!r} in the recipe; it has {', '.join(sources)}"
            )
        sources[name] = sources[name].model_copy(update={"path": path})
    return recipe.model_copy(update={"data": tuple(sources.values())})


def gather(recipe: Recipe, folder: Path, *, processes: int = 1) -> Parts:
    """Read all data sets of a recipe into one table in which every row has a split.

    What is no manifest yet is organized into ``folder/manifests``, and found there again when a run
    goes on. A group or an image that occurs in several splits goes to one: test before val before
    train. Raises TrainingError where data are missing or a part lacks a class.
    """
    check_paths(recipe)
    loaded = [(source, _read(source, recipe, folder, processes)) for source in recipe.data]
    whole = _joined([(source.name, manifest) for source, manifest in loaded])
    whole = _only_watched(_one_split_each(_newly_added(whole, recipe), recipe), recipe)
    parts = {name: whole.where(split=name) for name in ("train", "val", "test")}
    for name in ("train", "val"):
        found = set(np.unique(parts[name].labels).tolist())
        if found != {0, 1}:
            lacking = "real" if 0 not in found else "generated"
            raise TrainingError(
                f"the {name} part of {len(parts[name])} images has no {lacking} ones; give more "
                "images, or other split.fractions"
            )
    used = tuple(_use(source.name, manifest, whole) for source, manifest in loaded)
    return Parts(**parts, used=used)


def check_paths(recipe: Recipe) -> None:
    """Raise TrainingError where the recipe does not say where data lie, or they are not there."""
    lacking = [source.name for source in recipe.data if source.path is None]
    if lacking:
        example = f"{lacking[0]}=" if len(recipe.data) > 1 else ""
        raise TrainingError(
            f"the recipe {recipe.name!r} does not say where {', '.join(lacking)} "
            f"{'lies' if len(lacking) == 1 else 'lie'}; add --data {example}PATH (a folder with "
            "real/ and fake/, a Parquet table or a manifest)"
        )
    for source in recipe.data:
        if not Path(str(source.path)).expanduser().exists():
            raise TrainingError(f"data set {source.name!r}: there is no {source.path}")


def _read(source: DataSource, recipe: Recipe, folder: Path, processes: int) -> Manifest:
    """A manifest as it is; anything else as the catalog reads it; every row with a split."""
    assert source.path is not None
    path = Path(source.path).expanduser()
    manifest = _as_manifest(path)
    if manifest is None:
        made = folder / "manifests" / f"{source.name}.parquet"
        if not made.is_file():
            _organize(source, path, made, recipe, processes)
        manifest = Manifest.read(made)
        manifest = manifest.where(**source.where) if source.where else manifest
    else:
        manifest = _with_splits(manifest, source, recipe)
    if not len(manifest):
        raise TrainingError(f"data set {source.name!r}: no rows in {path} match {source.where}")
    return manifest


def _with_splits(manifest: Manifest, source: DataSource, recipe: Recipe) -> Manifest:
    plan = source.split or recipe.split
    if plan.resplit or not all(manifest.column("split")):
        manifest = assign_splits(
            manifest, plan.fractions, seed=plan.seed, own_split=not plan.resplit
        )
    return manifest.where(**source.where) if source.where else manifest


def manifest_sha256(source: DataSource, recipe: Recipe) -> str | None:
    """Hash of the manifest at ``source.path`` as a run reads it; None for other data."""
    manifest = _as_manifest(Path(str(source.path)).expanduser())
    return None if manifest is None else _with_splits(manifest, source, recipe).sha256()


def _organize(source: DataSource, path: Path, made: Path, recipe: Recipe, processes: int) -> None:
    """Make a manifest of what lies at ``path``; too many unreadable images raise TrainingError."""
    made.parent.mkdir(parents=True, exist_ok=True)
    plan = source.split or recipe.split
    found = organize(
        [path],
        made,
        fractions=plan.fractions,
        seed=plan.seed,
        own_split=not plan.resplit,
        processes=processes,
    )
    if not found.failed:
        return
    text = f"{found.failed} of {found.rows + found.failed} images of {path} cannot be read"
    if found.failed > recipe.max_unreadable * (found.rows + found.failed):
        listing = found.failures.read_text(encoding="utf-8") if found.failures else ""
        first = "\n".join(f"  {line}" for line in listing.splitlines()[:5])
        made.unlink()
        raise TrainingError(
            f"{text}, more than max_unreadable={recipe.max_unreadable:g} allows:\n{first}"
        )
    _LOG.warning("%s and are left out; they are listed in %s", text, found.failures)


def _as_manifest(path: Path) -> Manifest | None:
    if path.suffix != ".parquet" or not path.is_file():
        return None
    import pyarrow.parquet as pq

    try:
        names = set(pq.read_schema(path).names)
    except Exception as error:
        raise ManifestError(f"{path} is no readable Parquet table: {error}") from error
    is_manifest = set(REQUIRED) <= names and "path" in names
    return Manifest.read(path) if is_manifest else None


def _joined(manifests: Sequence[tuple[str, Manifest]]) -> Manifest:
    import pyarrow as pa

    tables = []
    for name, manifest in manifests:
        placed = _absolute(manifest)
        tables.append(placed.with_column(SOURCE, [name] * len(placed)).table)
    return Manifest(pa.concat_tables(tables, promote_options="permissive"), Path("/"))


def _absolute(manifest: Manifest) -> Manifest:
    if "path" not in manifest.table.column_names:
        return manifest
    root = manifest.root.resolve()
    # Without "..": a manifest's own folder may be gone or moved before the images are.
    paths = [None if p is None else os.path.normpath(root / p) for p in manifest.column("path")]
    return manifest.with_column("path", paths)


def _newly_added(whole: Manifest, recipe: Recipe) -> Manifest:
    """Without known test images that are added now: whoever adds them wants them learned from."""
    known = _of(whole, [source for source in recipe.data if source.known])
    hashes = np.asarray([str(value) for value in whole.column("sha256")])
    added = np.isin(hashes, hashes[~known]) & (hashes != "None")
    tested = np.asarray([split == "test" for split in whole.column("split")], dtype=bool)
    gone = known & tested & added
    if not gone.any():
        return whole
    _LOG.warning("%d images that were only tested with are added now as new ones", gone.sum())
    return whole.take(np.flatnonzero(~gone))


def _one_split_each(whole: Manifest, recipe: Recipe) -> Manifest:
    """Held-out rows to test; then every group and every image to one split, over all data sets.

    Rows that the detector of ``recipe.start`` knows are settled first, as when it learned; others
    with the same group or image follow them, or are left out where they would be in two splits.
    """
    codes = np.asarray([split_code(name) for name in whole.column("split")], dtype=np.int8)
    stated = codes.copy()
    _hold_out(whole, codes, recipe)
    keys = [_keys(whole.column(name)) for name in ("group", "sha256")]
    known = _of(whole, [source for source in recipe.data if source.known])
    codes[known] = _latest([key[known] for key in keys], codes[known])
    highest = _latest(keys, np.where(known, codes, -1).astype(np.int8))
    lowest = -_latest(keys, np.where(known, -codes, -len(SPLITS)).astype(np.int8))
    tied = ~known & (highest >= 0)
    codes[tied] = highest[tied]
    codes[~known & ~tied] = _latest([key[~known & ~tied] for key in keys], codes[~known & ~tied])
    torn = tied & (highest != lowest)
    moved = int(np.count_nonzero((codes != stated) & ~torn))
    if moved:
        _LOG.warning("%d images moved to another split: held out, or their group is there", moved)
    if torn.any():
        _LOG.warning("%d new images left out: known ones tie them to two splits", torn.sum())
    placed = whole.with_column("split", [SPLITS[code] for code in codes])
    return placed.take(np.flatnonzero(~torn)) if torn.any() else placed


def _hold_out(whole: Manifest, codes: NDArray[np.int8], recipe: Recipe) -> None:
    """Send to test what the split plans hold out, each among the data sets that go by it."""
    for plan in dict.fromkeys(source.split or recipe.split for source in recipe.data):
        mine = _of(whole, [s for s in recipe.data if (s.split or recipe.split) == plan])
        for rule in parse_hold_outs(plan.hold_out):
            values = whole.column(rule.column)
            match = mine & np.asarray([str(value) == rule.value for value in values], dtype=bool)
            if not match.any():
                raise no_match(rule, whole.table.column_names, values)
            codes[match] = np.maximum(codes[match], split_code(rule.split))


def _of(whole: Manifest, sources: Sequence[DataSource]) -> NDArray[np.bool_]:
    """Which rows are of these data sets."""
    names = {source.name for source in sources}
    return np.asarray([name in names for name in whole.column(SOURCE)], dtype=bool)


def _latest(keys: Sequence[NDArray[np.int64]], codes: NDArray[np.int8]) -> NDArray[np.int8]:
    """The highest code of all rows that a row is tied to by equal keys, directly or over others."""
    before = np.full_like(codes, -len(SPLITS) - 1)
    while not np.array_equal(before, codes):
        before = codes.copy()
        for key in keys:
            latest = np.full(int(key.max(initial=-1)) + 1, -len(SPLITS) - 1, dtype=np.int8)
            np.maximum.at(latest, key, codes)
            codes = latest[key]
    return codes


def _only_watched(whole: Manifest, recipe: Recipe) -> Manifest:
    """Of data sets that are only watched the training part goes, the rest is for testing."""
    watched = _of(whole, [source for source in recipe.data if source.role == "watch"])
    if not watched.any():
        return whole
    splits = np.asarray(whole.column("split"))
    kept = np.flatnonzero(~(watched & (splits == "train")))
    splits[watched] = "test"
    return whole.with_column("split", splits.tolist()).take(kept)


def _keys(values: Sequence[Any]) -> NDArray[np.int64]:
    """Equal numbers for equal values; a number of its own for each None."""
    texts = [f"#{i}" if value is None else f"={value}" for i, value in enumerate(values)]
    return np.unique(np.asarray(texts), return_inverse=True)[1].astype(np.int64)


def _use(name: str, manifest: Manifest, whole: Manifest) -> DataUse:
    mine: Mapping[str, int] = {
        split: len(whole.where(**{SOURCE: name, "split": split}))
        for split in ("train", "val", "test")
    }
    licences = sorted({str(v) for v in manifest.column("licence") if v})
    text = "; ".join(licences[:10]) + ("; ..." if len(licences) > 10 else "")
    return DataUse(name=name, sha256=manifest.sha256(), images=dict(mine), licence=text or None)
