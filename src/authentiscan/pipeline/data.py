"""All data sets of a pipeline as manifests with one common split, made once.

A group or an image that occurs in several data sets goes to one part in all of them (test before
val before train), so that a test image is a test image for every detector.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from authentiscan.core.errors import TrainingError
from authentiscan.core.files import expanded
from authentiscan.manifest.table import SPLITS, Manifest
from authentiscan.pipeline.config import PipelineConfig
from authentiscan.training.leavings import write_json
from authentiscan.training.parts import SOURCE, gather
from authentiscan.training.recipe import DataSource, Recipe
from authentiscan.training.reporter import Reporter

FORMAT = 1
"""Raised when other code would make other manifests of the same files."""
_INDEX = "data.json"


@dataclass(frozen=True)
class DataPart:
    """One data set: its manifest in the pipeline's folder, the manifest's content hash, and images
    by split and class, ``{"train": [real, generated], ...}``.
    """

    path: Path
    sha256: str
    images: dict[str, list[int]]

    def test(self) -> Manifest:
        """The rows that no detector of the pipeline learns from or is chosen by."""
        return Manifest.read(self.path).where(split="test")

    @property
    def tests(self) -> int:
        """Images of the test part."""
        return sum(self.images["test"])


def prepared(config: PipelineConfig, folder: Path) -> dict[str, DataPart] | None:
    """The manifests in ``folder`` by data set; None where they are absent or of other files."""
    try:
        content = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
        if content["key"] != _key(config):
            return None
        parts = {
            name: DataPart(folder / part["path"], part["sha256"], part["images"])
            for name, part in content["data"].items()
        }
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return parts if all(part.path.is_file() for part in parts.values()) else None


def prepare(
    config: PipelineConfig, folder: Path, reporter: Reporter, *, processes: int = 1
) -> dict[str, DataPart]:
    """Organize all data sets into ``folder``, or find that it was done.

    Interrupted, it goes on where it was. Raises TrainingError where a data set lacks a class in its
    training, validation or test part, and the errors of `gather`.
    """
    key = _key(config)
    found = prepared(config, folder)
    if found is not None:
        return found
    reporter.info(f"data: reading {', '.join(config.data)} and dealing out one split for all")
    work = folder / f"work-{key[:12]}"
    parts = gather(_all_data(config), work, processes=processes)
    made = {}
    for name in config.data:
        rows = [getattr(parts, split).where(**{SOURCE: name}) for split in SPLITS]
        made[name] = _write(name, rows, folder)
        _check(name, made[name])
    content = {name: {**asdict(part), "path": part.path.name} for name, part in made.items()}
    write_json(folder / _INDEX, {"key": key, "data": content})
    shutil.rmtree(work, ignore_errors=True)
    for name, part in made.items():
        shown = ", ".join(f"{split} {sum(counts):,}" for split, counts in part.images.items())
        reporter.info(f"data: {name}: {shown}")
    return made


def _all_data(config: PipelineConfig) -> Recipe:
    """A recipe that reads every data set; of it only data, split and limits matter."""
    sources = tuple(
        DataSource(name=name, path=str(expanded(data.path).resolve()), where=data.where)
        for name, data in config.data.items()
    )
    first = next(iter(config.recipes().values()))
    return first.model_copy(update={"data": sources, "split": config.split})


def _key(config: PipelineConfig) -> str:
    """Hash of where the data come from (paths, sizes, times) and how they are split.

    It only saves reading them again; what later work depends on are the hashes of the manifests.
    """
    digest = hashlib.sha256(f"{FORMAT}\n{config.split.model_dump_json()}\n".encode())
    for name, data in config.data.items():
        path = expanded(data.path).resolve()
        digest.update(f"{name}\n{path}\n{sorted(data.where.items())}\n".encode())
        for file in _files(path):
            facts = file.stat()
            digest.update(f"{file}\n{facts.st_size}\n{facts.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _files(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from sorted(p for p in path.rglob("*") if p.is_file())
    else:
        yield path


def _write(name: str, rows: list[Manifest], folder: Path) -> DataPart:
    import pyarrow as pa

    whole = Manifest(pa.concat_tables([m.table for m in rows]).drop_columns([SOURCE]), Path("/"))
    content = whole.sha256()
    path = folder / f"{name}-{content[:12]}.parquet"
    whole.write(path)
    counts = {
        split: [int((part.labels == label).sum()) for label in (0, 1)]
        for split, part in zip(SPLITS, rows, strict=True)
    }
    return DataPart(path, content, counts)


def _check(name: str, part: DataPart) -> None:
    for split, (real, generated) in part.images.items():
        if not real or not generated:
            lacking = "generated" if real else "real"
            raise TrainingError(
                f"data set {name!r}: the {split} part of {real + generated} images has no "
                f"{lacking} ones; give more images, or other split.fractions"
            )
