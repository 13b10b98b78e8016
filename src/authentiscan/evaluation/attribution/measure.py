"""An attributor on a manifest: closed set, open set, JPEG qualities, photographs.

Every image first gets the encoding history that training images had, so that formats cannot help.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from authentiscan.attribution import Attributor, AttributorSpec
from authentiscan.attribution.labels import generator_names, is_weak
from authentiscan.attribution.prototypes import Prototypes, nearest
from authentiscan.core.errors import AuthentiscanError, DatasetError
from authentiscan.core.parallel import Room, in_threads
from authentiscan.core.progress import Progress, Stages, stage
from authentiscan.core.records import Record
from authentiscan.core.types import CAMERA, RGBImage
from authentiscan.images.decode import decode
from authentiscan.images.degrade import codecs
from authentiscan.images.history import JpegHistory, needs_history
from authentiscan.manifest.history import observe_history
from authentiscan.manifest.table import Manifest
from authentiscan.metrics.bootstrap import ROUNDS, Estimate
from authentiscan.metrics.open_set import (
    Floats,
    accepted_share,
    balanced_accuracy,
    confusion,
    oscr,
    unknown_auc,
    with_interval,
)

Interval: TypeAlias = tuple[float | None, float | None, float | None]
"""Value, low and high end of its 95 % interval."""

QUALITIES = (95, 90, 80, 70, 60, 50, 40, 30)
"""JPEG qualities of the curve."""

_HISTORY_SAMPLE = 2000
_HELD_BYTES = 64 << 20
_REACH = 3
"""Crops' sides that are kept of a large image in each direction: what lies outside is not read."""


@dataclass(frozen=True)
class Answers:
    """What an attributor said of images whose generator is told.

    truth, predicted: (N,) generator and nearest known one. knownness: (N,) minus the squared
    distance to it; fit: (N,). groups: (N,).
    """

    truth: tuple[str, ...]
    predicted: tuple[str, ...]
    knownness: Floats
    fit: Floats
    groups: tuple[object, ...]

    def at(self, places: NDArray[np.intp] | NDArray[np.bool_]) -> Answers:
        """Those at ``places``."""
        kept = np.arange(len(self.truth))[places].tolist()
        return Answers(
            tuple(self.truth[i] for i in kept),
            tuple(self.predicted[i] for i in kept),
            self.knownness[kept],
            self.fit[kept],
            tuple(self.groups[i] for i in kept),
        )


class GeneratorRow(Record):
    """One known generator. recall, precision in [0, 1]; kept: the share that is not `unknown`."""

    generator: str
    images: int
    recall: float | None
    precision: float | None
    kept: float | None


class Measured(Record):
    """Figures of an attributor on some images; each ``[value, low, high]``, 95 % intervals.

    accuracy, balanced: of the nearest known generator, closed set. kept: share of images of known
    generators whose fit is not too small. auc, oscr, rejected: only where there are images of
    generators that the attributor does not know; rejected is the share of them that is `unknown`.
    photographs_named: share of photographs that get a generator's name.
    quality: balanced accuracy by JPEG quality. counts: confusion matrix, rows and columns as
    ``generators``; last column: `camera`.
    """

    images: int
    unknown_images: int = 0
    unreadable: int = 0
    left_out: tuple[str, ...] = ()
    generators: tuple[str, ...]
    accuracy: Interval
    balanced: Interval
    kept: Interval
    auc: Interval | None = None
    oscr: Interval | None = None
    rejected: Interval | None = None
    photographs_named: Interval | None = None
    quality: dict[int, Interval] = Field(default_factory=dict)
    rows: tuple[GeneratorRow, ...] = ()
    counts: tuple[tuple[int, ...], ...] = ()


def evaluate_attributor(
    attributor: Attributor,
    data: Manifest,
    *,
    qualities: Sequence[int] = QUALITIES,
    column: str | None = None,
    history: JpegHistory | None = None,
    rounds: int = ROUNDS,
    seed: int = 0,
    workers: int = 1,
    stages: Stages | None = None,
) -> Measured:
    """Measure ``attributor`` on ``data``; rows with weak labels are left out and told.

    qualities: also measure after JPEG compression at these. column: of the manifest that names the
    generator; None for the one that the attributor learned from. history: JPEG generations that
    losslessly stored images are given; None for those of ``data``. Raises DatasetError where no
    image is by a generator that it knows.
    """
    labels = label_rows(attributor.spec, data, column)
    history = history or observe_history(data, sample=_HISTORY_SAMPLE, seed=seed)
    prototypes = Prototypes.of(attributor.spec.generators, attributor.spec.logits)
    groups = data.column("group")
    found = {}
    for quality in (None, *qualities):
        title = "images" if quality is None else f"JPEG quality {quality}"
        rows = labels.rows if quality is None else labels.known_rows
        embeddings, read = embed_rows(
            attributor, data, rows, history=history, quality=quality, seed=seed,
            workers=workers, progress=stage(stages, title),
        )  # fmt: skip
        found[quality] = answers_of(
            prototypes.squared_distances(embeddings), prototypes.names,
            attributor.spec.distances, labels.of(read), [groups[row] for row in read],
        )  # fmt: skip
    measured = measure(
        found[None], attributor.spec, rounds=rounds, seed=seed,
        left_out=labels.left_out, unreadable=len(labels.rows) - len(found[None].truth),
    )  # fmt: skip
    curve = {
        int(q): _balanced(a, attributor.spec.names, rounds, seed).as_json()
        for q, a in found.items()
        if q is not None
    }
    return Measured.model_validate({**measured.model_dump(), "quality": curve})


def _weight(item: tuple[int, bytes | AuthentiscanError]) -> int:
    return len(item[1]) if isinstance(item[1], bytes) else 0


@dataclass(frozen=True)
class Labels:
    """Rows that can be measured, the generator of every row, and what was left out in words."""

    rows: list[int]
    known_rows: list[int]
    names: list[str]
    left_out: tuple[str, ...]

    def of(self, rows: Sequence[int]) -> list[str]:
        """Generators of ``rows``."""
        return [self.names[row] for row in rows]


def label_rows(spec: AttributorSpec, data: Manifest, column: str | None = None) -> Labels:
    """The generators of ``data`` as the attributor's own training named them."""
    classes = spec.recipe.get("classes")
    settings = classes if isinstance(classes, dict) else {}
    together = settings.get("together")
    chosen = column or str(settings.get("column") or "generator")
    if chosen not in data.table.column_names:
        chosen = "generator"
    names = generator_names(
        data,
        column=chosen,
        together=together if isinstance(together, dict) else None,  # type: ignore[arg-type]
    )
    known = set(spec.names)
    weak = [i for i, n in enumerate(names) if n and n not in known and is_weak(n)]
    unnamed = [i for i, n in enumerate(names) if not n]
    rows = sorted(set(range(len(names))) - set(weak) - set(unnamed))
    known_rows = [i for i in rows if names[i] in known]
    if not known_rows:
        raise DatasetError(
            "no image is by a generator that the attributor knows; it knows "
            f"{', '.join(spec.names)}"
        )
    left_out = [f"{len(weak)} images with weak labels"] if weak else []
    left_out += [f"{len(unnamed)} images without a generator's name"] if unnamed else []
    return Labels(rows, known_rows, names, tuple(left_out))


def embed_rows(
    attributor: Attributor,
    data: Manifest,
    rows: Sequence[int],
    *,
    history: JpegHistory,
    quality: int | None = None,
    seed: int = 0,
    workers: int = 1,
    progress: Progress | None = None,
) -> tuple[Floats, list[int]]:
    """Embeddings (M, D) of the readable ones of ``rows``, and which rows those are.

    quality: of a JPEG generation after the matched history; None for none.
    """
    work = partial(_embedded, attributor=attributor, history=history, quality=quality, seed=seed)
    found: list[NDArray[np.float64]] = []
    read: list[int] = []
    items = ((row, content) for row, content in data.images(rows))
    room = Room(workers * 4, _HELD_BYTES, _weight)
    for done, (row, embedding) in enumerate(in_threads(items, work, workers, room), start=1):
        if embedding is not None:
            found.append(embedding)
            read.append(row)
        if progress is not None:
            progress(done, len(rows))
    width = len(attributor.spec.generators[0].prototype)
    return np.asarray(found).reshape(len(found), width), read


def _embedded(
    item: tuple[int, bytes | AuthentiscanError],
    *,
    attributor: Attributor,
    history: JpegHistory,
    quality: int | None,
    seed: int,
) -> tuple[int, NDArray[np.float64] | None]:
    row, content = item
    if isinstance(content, AuthentiscanError):
        return row, None
    try:
        image = decode(content)
    except AuthentiscanError:
        return row, None
    pixels = _middle(image.pixels, _REACH * attributor.spec.preprocess.size)
    if needs_history(content, image.facts):
        rng = np.random.default_rng([seed, zlib.crc32(content)])
        pixels = history.apply(pixels, rng)
    if quality is not None:
        pixels = codecs.jpeg(pixels, quality=quality, subsampling="4:2:0")
    return row, attributor.embed(pixels)[0]


def _middle(pixels: RGBImage, side: int) -> RGBImage:
    """The middle ``side`` pixels each way, from a multiple of 16: JPEG blocks stay whole."""
    top, left = (max(0, (n - side) // 2) // 16 * 16 for n in pixels.shape[:2])
    return pixels[top : top + side, left : left + side]


def answers_of(
    squared: Floats,
    names: Sequence[str],
    distances: Sequence[float],
    truth: Sequence[str],
    groups: Sequence[object],
) -> Answers:
    """What ``squared`` distances (N, K) to the prototypes of ``names`` say of N images.

    distances: those of held-out images, as `AttributorSpec` has them.
    """
    predicted, fit = nearest(squared, names, distances)
    return Answers(tuple(truth), tuple(predicted), -squared.min(axis=1), fit, tuple(groups))


def measure(
    found: Answers,
    spec: AttributorSpec,
    *,
    rounds: int = ROUNDS,
    seed: int = 0,
    left_out: Sequence[str] = (),
    unreadable: int = 0,
) -> Measured:
    """Figures with intervals of what an attributor said."""
    names = spec.names
    truth = np.asarray(found.truth)
    known = found.at(np.isin(truth, names))
    unknown = found.at(~np.isin(truth, [*names, CAMERA]))
    photographs = found.at(truth == CAMERA)
    right = np.asarray([a == b for a, b in zip(known.truth, known.predicted, strict=True)])
    zeros = np.zeros(len(right))
    figures: dict[str, object] = {
        "accuracy": with_interval(
            lambda i: float(right[i].mean()), zeros, known.groups, rounds=rounds, seed=seed
        ),
        "balanced": _balanced(known, names, rounds, seed),
        "kept": with_interval(
            lambda i: accepted_share(known.fit[i], spec.least_fit),
            zeros, known.groups, rounds=rounds, seed=seed,
        ),
    }  # fmt: skip
    if len(unknown.truth):
        figures |= _open(known, right, unknown, spec.least_fit, rounds=rounds, seed=seed)
    if len(photographs.truth):
        named = (photographs.fit >= spec.least_fit) & np.asarray(
            [predicted != CAMERA for predicted in photographs.predicted]
        )
        figures["photographs_named"] = with_interval(
            lambda i: float(named[i].mean()),
            np.zeros(len(named)), photographs.groups, rounds=rounds, seed=seed,
        )  # fmt: skip
    counts = confusion(known.truth, known.predicted, names).astype(int)
    return Measured(
        images=len(known.truth),
        unknown_images=len(unknown.truth),
        unreadable=unreadable,
        left_out=tuple(left_out),
        generators=names,
        rows=_rows(known, counts, names, spec.least_fit),
        counts=tuple(tuple(map(int, row)) for row in counts),
        **{k: e.as_json() for k, e in figures.items() if isinstance(e, Estimate)},
    )


def _open(
    known: Answers,
    right: NDArray[np.bool_],
    unknown: Answers,
    least_fit: float,
    *,
    rounds: int,
    seed: int,
) -> dict[str, Estimate]:
    kinds = np.repeat([0, 1], [len(known.truth), len(unknown.truth)])
    groups = (*known.groups, *unknown.groups)
    values = np.concatenate([known.knownness, unknown.knownness])
    named = np.concatenate([right, np.zeros(len(unknown.truth), dtype=bool)])
    fit = np.concatenate([known.fit, unknown.fit])

    def auc(i: NDArray[np.intp]) -> float:
        return unknown_auc(values[i[kinds[i] == 0]], values[i[kinds[i] == 1]])

    def area(i: NDArray[np.intp]) -> float:
        known_places = i[kinds[i] == 0]
        return oscr(values[known_places], named[known_places], values[i[kinds[i] == 1]])

    def rejected(i: NDArray[np.intp]) -> float:
        return 1 - accepted_share(fit[i[kinds[i] == 1]], least_fit)

    made = {"auc": auc, "oscr": area, "rejected": rejected}
    return {
        name: with_interval(figure, kinds, groups, rounds=rounds, seed=seed)
        for name, figure in made.items()
    }


def _balanced(found: Answers, names: Sequence[str], rounds: int, seed: int) -> Estimate:
    place = {name: i for i, name in enumerate(names)}
    truth = np.asarray([place[name] for name in found.truth])
    predicted = np.asarray([place.get(name, len(names)) for name in found.predicted])

    def figure(i: NDArray[np.intp]) -> float:
        counts = np.zeros((len(names), len(names) + 1))
        np.add.at(counts, (truth[i], predicted[i]), 1)
        return balanced_accuracy(counts)

    return with_interval(figure, np.zeros(len(truth)), found.groups, rounds=rounds, seed=seed)


def _rows(
    known: Answers, counts: NDArray[np.int64], names: Sequence[str], least_fit: float
) -> tuple[GeneratorRow, ...]:
    truth = np.asarray(known.truth)
    made = []
    for i, name in enumerate(names):
        total, answered_so = int(counts[i].sum()), int(counts[:, i].sum())
        made.append(
            GeneratorRow(
                generator=name,
                images=total,
                recall=counts[i, i] / total if total else None,
                precision=counts[i, i] / answered_so if answered_so else None,
                kept=accepted_share(known.fit[truth == name], least_fit) if total else None,
            )
        )
    return tuple(made)
