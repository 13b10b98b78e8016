"""The data sets of a recipe: where they lie, and each of them as a manifest with splits."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from authentiscan.core.errors import TrainingError, UsageError
from authentiscan.core.files import expanded, is_there
from authentiscan.datasets.open import is_manifest
from authentiscan.datasets.organize import organize
from authentiscan.manifest.parquet import open_parquet
from authentiscan.manifest.split import assign_splits
from authentiscan.manifest.table import Manifest
from authentiscan.training.recipe import DataSource, Recipe

_LOG = logging.getLogger(__name__)


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
        if not is_there(expanded(str(source.path))):
            raise TrainingError(f"data set {source.name!r}: there is no {source.path}")


def read_source(source: DataSource, recipe: Recipe, folder: Path, processes: int) -> Manifest:
    """A data set of ``recipe``: a manifest as it is, anything else organized into ``folder``.

    Every row has a split. Raises TrainingError where no row is left or too many images cannot be
    read.
    """
    assert source.path is not None
    path = expanded(source.path)
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
    manifest = _as_manifest(expanded(str(source.path)))
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
    """The manifest at ``path``; None for what has to be organized, tables of images too."""
    if not is_manifest(path):
        return None
    manifest = Manifest.read(path)
    return manifest if "path" in open_parquet(path).schema_arrow.names else None
