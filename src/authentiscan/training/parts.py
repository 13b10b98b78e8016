"""Which images play which role in a run: learned from, chosen by, tested on."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from authentiscan.core.errors import TrainingError
from authentiscan.core.types import JsonObject
from authentiscan.inference.spec import DataUse
from authentiscan.manifest.hold_out import Codes, held_codes, parse_hold_outs, split_code
from authentiscan.manifest.split import join_splits
from authentiscan.manifest.table import SPLITS, Manifest
from authentiscan.training.recipe import DataSource, Recipe
from authentiscan.training.recipe_data import check_paths, read_source

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

    def table(self) -> list[JsonObject]:
        """Images by data set, split and class, for showing."""
        rows: list[JsonObject] = []
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


def gather(recipe: Recipe, folder: Path, *, processes: int = 1) -> Parts:
    """Read all data sets of a recipe into one table in which every row has a split.

    What is no manifest yet is organized into ``folder/manifests``, and found there again when a run
    goes on. A group or an image that occurs in several splits goes to one: test before val before
    train. Raises TrainingError where data are missing or a part lacks a class.
    """
    check_paths(recipe)
    loaded = [(source, read_source(source, recipe, folder, processes)) for source in recipe.data]
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
    stated = np.asarray([split_code(name) for name in whole.column("split")], dtype=np.int8)
    known = _of(whole, [source for source in recipe.data if source.known])
    codes, torn = join_splits(whole, np.maximum(stated, _held_out(whole, recipe)), known)
    moved = int(np.count_nonzero((codes != stated) & ~torn))
    if moved:
        _LOG.warning("%d images moved to another split: held out, or their group is there", moved)
    if torn.any():
        _LOG.warning("%d new images left out: known ones tie them to two splits", torn.sum())
    placed = whole.with_column("split", [SPLITS[code] for code in codes])
    return placed.take(np.flatnonzero(~torn)) if torn.any() else placed


def _held_out(whole: Manifest, recipe: Recipe) -> Codes:
    """What the split plans hold out, each among the data sets that go by it."""
    held = np.full(len(whole), -1, dtype=np.int8)
    for plan in dict.fromkeys(source.split or recipe.split for source in recipe.data):
        mine = _of(whole, [s for s in recipe.data if (s.split or recipe.split) == plan])
        held = np.maximum(held, held_codes(whole, parse_hold_outs(plan.hold_out), mine))
    return held


def _of(whole: Manifest, sources: Sequence[DataSource]) -> NDArray[np.bool_]:
    """Which rows are of these data sets."""
    names = {source.name for source in sources}
    return np.asarray([name in names for name in whole.column(SOURCE)], dtype=bool)


def _only_watched(whole: Manifest, recipe: Recipe) -> Manifest:
    """Of data sets that are only watched the training part goes, the rest is for testing."""
    watched = _of(whole, [source for source in recipe.data if source.role == "watch"])
    if not watched.any():
        return whole
    splits = np.asarray(whole.column("split"))
    kept = np.flatnonzero(~(watched & (splits == "train")))
    splits[watched] = "test"
    return whole.with_column("split", splits.tolist()).take(kept)


def _use(name: str, manifest: Manifest, whole: Manifest) -> DataUse:
    mine: Mapping[str, int] = {
        split: len(whole.where(**{SOURCE: name, "split": split}))
        for split in ("train", "val", "test")
    }
    licences = sorted({str(v) for v in manifest.column("licence") if v})
    text = "; ".join(licences[:10]) + ("; ..." if len(licences) > 10 else "")
    return DataUse(name=name, sha256=manifest.sha256(), images=dict(mine), licence=text or None)
