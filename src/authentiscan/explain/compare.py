"""Where several detectors look on the same samples, and how much they agree."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations_with_replacement
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from authentiscan.core.csv_cells import defused
from authentiscan.core.errors import DecodeError, UsageError
from authentiscan.core.files import whole_file, whole_text, write_bytes
from authentiscan.core.records import Record
from authentiscan.core.types import RGBImage
from authentiscan.explain.base import Explainable, Heatmap, Target, enlarge
from authentiscan.explain.colours import coloured
from authentiscan.explain.gradcam import explain
from authentiscan.explain.overlay import Panel, figure, labelled_matrix, overlay
from authentiscan.images.decode import decode, encode
from authentiscan.manifest.table import Manifest, ManifestRow

SIDES: tuple[Target, Target] = ("generated", "real")
GRID = 64
"""Maps are compared at GRID x GRID, whatever the image's size."""
TOP_SHARE = 0.2
CHANCE_IOU = TOP_SHARE / (2 - TOP_SHARE)
"""Overlap of two unrelated maps' top shares: 0.111."""


class Seen(Record):
    """One detector on one image: its score and the strength of its evidence, logit units."""

    model: str
    dataset: str
    name: str
    generator: str
    label: int
    score: float
    strongest: float
    picture: str


class Overlap(Record):
    """Agreement of two detectors' maps over a data set's samples.

    iou: mean overlap of the strongest fifth of places, in [0, 1]; 0.111 is chance, 1 the same.
    correlation: mean Pearson correlation of the maps, in [-1, 1].
    """

    dataset: str
    first: str
    second: str
    iou: float
    correlation: float
    images: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """What `compare` found; pictures and tables lie in ``folder``."""

    folder: Path
    seen: tuple[Seen, ...]
    overlaps: tuple[Overlap, ...]
    skipped: tuple[str, ...]


def compare(
    detectors: Mapping[str, Explainable],
    datasets: Mapping[str, Manifest],
    folder: Path,
    *,
    samples: int = 20,
    seed: int = 0,
    opacity: float = 0.5,
    kept: Path | None = None,
    progress: Callable[[], None] = lambda: None,
) -> Comparison:
    """Explain ``samples`` images of every data set with every detector.

    A detector *looks* where its evidence is strong either way: Grad-CAM for generated plus Grad-CAM
    for real. The overlay pictures show the side its score leans to. Writes into ``folder``:
    overlays/<model>/<data set>/*.png, samples.csv, overlap.csv, mean_maps.png, overlap.png.
    What is found on an image is laid down in the folder ``kept`` and taken from there when asked
    again; it must belong to these detectors, images and opacity. ``progress`` is called after every
    image of every detector.
    """
    if not detectors or not datasets or samples < 1:
        raise UsageError("a comparison needs a detector, a data set and at least 1 sample")
    seen: list[Seen] = []
    skipped: list[str] = []
    grids: dict[tuple[str, str], list[NDArray[np.float32]]] = {}
    for dataset, manifest in datasets.items():
        for index in _sample(manifest, samples, seed):
            row = manifest[index]
            try:
                image = decode(manifest.image_bytes(index)).pixels
            except DecodeError as error:
                skipped.append(f"{dataset}/{row.name}: {error}")
                continue
            for model, detector in detectors.items():
                place = Path(_plain(model)) / _plain(dataset)
                name = f"{index:06d}_{'generated' if row.label else 'real'}"
                look = _kept_look(
                    kept / place / f"{name}.npz" if kept else None,
                    partial(_look, detector, image, opacity),
                )
                picture = Path("overlays") / place / f"{name}.png"
                write_bytes(folder / picture, look.overlay)
                grids.setdefault((model, dataset), []).append(look.grid)
                seen.append(_seen(model, dataset, row, look, picture))
                progress()
    overlaps = _overlaps(list(detectors), list(datasets), grids)
    _write_csv(folder / "samples.csv", seen)
    _write_csv(folder / "overlap.csv", overlaps)
    if grids:
        _write(folder / "mean_maps.png", _mean_maps(list(detectors), list(datasets), grids))
        _write(folder / "overlap.png", _overlap_picture(list(detectors), overlaps))
    return Comparison(folder, tuple(seen), tuple(overlaps), tuple(skipped))


def _seen(model: str, dataset: str, row: ManifestRow, look: _Look, picture: Path) -> Seen:
    return Seen(
        model=model,
        dataset=dataset,
        name=row.name,
        generator=row.generator,
        label=row.label,
        score=look.score,
        strongest=look.strongest,
        picture=picture.as_posix(),
    )


def top_overlap(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Intersection over union of the strongest fifth of two maps (h, w), ties broken by place."""
    count = max(1, round(TOP_SHARE * first.size))
    tops = [set(np.argsort(-m.ravel(), kind="stable")[:count].tolist()) for m in (first, second)]
    return len(tops[0] & tops[1]) / len(tops[0] | tops[1])


@dataclass(frozen=True, slots=True)
class _Look:
    """One detector on one image: evidence on the common grid (sum 1), and the side it leans to."""

    grid: NDArray[np.float32]
    score: float
    strongest: float
    overlay: bytes


def _look(detector: Explainable, image: RGBImage, opacity: float) -> _Look:
    generated, real = (explain(detector, image, target=target) for target in SIDES)
    grid = enlarge(generated.raw + real.raw, GRID, GRID)
    grid /= max(float(grid.sum()), 1e-12)
    shown: Heatmap = generated if generated.score >= 0.5 else real
    picture = overlay(image, shown.scaled(), opacity=opacity, covered=shown.covered)
    return _Look(grid, shown.score, float(shown.raw.max()), encode(picture, "PNG"))


def _kept_look(path: Path | None, make: Callable[[], _Look]) -> _Look:
    """What lies at ``path``; else what ``make`` finds, laid down there whole or not at all."""
    if path is None:
        return make()
    if path.is_file():
        with np.load(path, allow_pickle=False) as stored:
            score, strongest = stored["figures"].tolist()
            return _Look(stored["grid"], score, strongest, stored["overlay"].tobytes())
    look = make()
    with whole_file(path) as file:
        np.savez(
            file,
            grid=look.grid,
            figures=np.array([look.score, look.strongest]),
            overlay=np.frombuffer(look.overlay, np.uint8),
        )
    return look


def _sample(manifest: Manifest, samples: int, seed: int) -> list[int]:
    """Rows chosen at random, half of each class where there are enough."""
    rng = np.random.default_rng(seed)
    parts = [rng.permutation(np.flatnonzero(manifest.labels == label)) for label in (0, 1)]
    half = [min(len(parts[0]), samples // 2), min(len(parts[1]), samples - samples // 2)]
    half[0] = min(len(parts[0]), samples - half[1])
    return sorted(int(i) for part, count in zip(parts, half, strict=True) for i in part[:count])


def _overlaps(
    models: Sequence[str],
    datasets: Sequence[str],
    grids: Mapping[tuple[str, str], list[NDArray[np.float32]]],
) -> list[Overlap]:
    found = []
    for dataset in datasets:
        for first, second in combinations_with_replacement(models, 2):
            pairs = list(
                zip(grids.get((first, dataset), []), grids.get((second, dataset), []), strict=True)
            )
            pairs = [pair for pair in pairs if min(m.std() for m in pair) > 0]
            if pairs:
                alike = [float(np.corrcoef(a.ravel(), b.ravel())[0, 1]) for a, b in pairs]
                found.append(
                    Overlap(
                        dataset=dataset,
                        first=first,
                        second=second,
                        iou=float(np.mean([top_overlap(*pair) for pair in pairs])),
                        correlation=float(np.mean(alike)),
                        images=len(pairs),
                    )
                )
    return found


def _mean_maps(
    models: Sequence[str],
    datasets: Sequence[str],
    grids: Mapping[tuple[str, str], list[NDArray[np.float32]]],
) -> RGBImage:
    shown = []
    for model in models:
        for dataset in datasets:
            maps = grids.get((model, dataset))
            mean = np.mean(maps, axis=0) if maps else np.zeros((GRID, GRID), np.float32)
            top = max(float(mean.max()), 1e-12)
            picture = np.kron(coloured(mean / top), np.ones((4, 4, 1), np.uint8))
            # 1 is evidence spread evenly over the image.
            ends = ("0", f"{top * GRID * GRID:.1f} x even")
            shown.append(
                Panel(picture, f"{model} on {dataset} ({len(maps or [])})", "inferno", ends)
            )
    return figure(shown, title="Where they look, mean of samples", columns=len(datasets))


def _overlap_picture(models: Sequence[str], overlaps: Sequence[Overlap]) -> RGBImage:
    """One matrix of mean overlap a data set, models x models."""
    shown = []
    for dataset in dict.fromkeys(overlap.dataset for overlap in overlaps):
        matrix = np.zeros((len(models), len(models)), np.float32)
        for overlap in overlaps:
            if overlap.dataset == dataset:
                row, column = models.index(overlap.first), models.index(overlap.second)
                matrix[row, column] = matrix[column, row] = overlap.iou
        picture = labelled_matrix(matrix, models)
        shown.append(Panel(picture, dataset, "viridis", ("0", "1")))
    return figure(shown, title=f"Overlap of the strongest fifth (chance {CHANCE_IOU:.2f})")


def _write_csv(path: Path, rows: Sequence[Seen] | Sequence[Overlap]) -> None:
    with whole_text(path) as file:
        if rows:
            writer = csv.DictWriter(file, fieldnames=list(type(rows[0]).model_fields))
            writer.writeheader()
            for row in rows:
                writer.writerow({key: defused(value) for key, value in row.model_dump().items()})


def _write(path: Path, pixels: RGBImage) -> None:
    write_bytes(path, encode(pixels, "PNG"))


def _plain(name: str) -> str:
    """A name fit for a folder."""
    return re.sub(r"[^\w.-]+", "_", name).strip("._") or "unnamed"
