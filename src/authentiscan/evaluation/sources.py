"""What `--data` may name: manifests, or folders or zips of images that are read as such."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

from authentiscan.core.errors import ManifestError
from authentiscan.manifest.table import SPLITS, Manifest


@dataclass(frozen=True)
class DataSource:
    """A data set by name."""

    name: str
    manifest: Manifest


def named_source(text: str, *, split: str | None = None, cache: Path | None = None) -> DataSource:
    """The source that ``text`` names, as `read_data`; ``name=`` before the path names it."""
    name, equals, path = text.partition("=")
    if not equals or "/" in name:
        name, path = "", text
    manifest = read_data(path, split=split, cache=cache)
    return DataSource(name or data_name(path), manifest)


def read_data(path: Path | str, *, split: str | None = None, cache: Path | None = None) -> Manifest:
    """The manifest at ``path``, or one made of the folder or zip there (``real/`` and ``fake/`` and
    the other layouts that `datasets.organize` knows).

    split: keep only its rows; None or ``all`` keeps every row. cache: folder for the manifest made
    of a folder; a temporary one without it. Raises ManifestError where nothing is left.
    """
    source = Path(path)
    if source.is_file() and source.suffix == ".parquet":
        manifest = Manifest.read(source)
    else:
        manifest = _organized(source, cache)
    if split in (None, "all"):
        return manifest
    if split not in SPLITS:
        raise ManifestError(f"no split {split!r}; there are {', '.join(SPLITS)} and all")
    kept = manifest.where(split=split)
    if not len(kept):
        found = sorted({str(s) for s in manifest.column("split")})
        raise ManifestError(
            f"{source.name} has no rows of split {split!r}, it has {found}; take --split all"
        )
    return kept


def data_name(path: Path | str, split: str | None = None) -> str:
    """Short name of a data source for tables: its file or folder name, and the split."""
    stem = Path(path).resolve().stem
    return stem if split in (None, "all") else f"{stem}/{split}"


def _organized(source: Path, cache: Path | None) -> Manifest:
    from authentiscan.datasets.organize import organize

    if not source.exists():
        raise ManifestError(f"no manifest, folder or zip at {source}")
    folder = cache or Path(tempfile.mkdtemp(prefix="authentiscan-"))
    folder.mkdir(parents=True, exist_ok=True)
    key = hashlib.sha256(str(source.resolve()).encode()).hexdigest()[:12]
    return organize([source], folder / f"manifest-{key}.parquet").manifest()
