"""Registering a new generator from a few images: a prototype, no training."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from authentiscan.attribution.attributor import (
    Attributor,
    find_attributor,
    load_attributor,
    packaged_folder,
)
from authentiscan.attribution.card import attributor_card
from authentiscan.attribution.prototypes import Prototypes, nearest, prototype_of
from authentiscan.attribution.result import UNKNOWN
from authentiscan.attribution.spec import MOST_NAME, AttributorSpec, Generator, write_attributor
from authentiscan.core.errors import AuthentiscanError, UsageError
from authentiscan.core.files import write_text
from authentiscan.core.types import CAMERA
from authentiscan.images.inputs import ImageInput
from authentiscan.inference.bundle import CARD_FILE
from authentiscan.inference.folder import replaced_bundle

FEW = 8
"""Images under which a prototype is rough."""


@dataclass(frozen=True, slots=True)
class Added:
    """What became of registering a generator.

    found: of its images, each left out of the prototype in turn: how many got its name.
    unknown: how many were ``unknown`` then. instead: other names they got, with how often.
    failures: images that could not be read, and why.
    """

    spec: AttributorSpec
    generator: Generator
    found: int
    unknown: int
    instead: dict[str, int]
    failures: tuple[str, ...]


def add_generator(
    name: str,
    images: Iterable[ImageInput],
    output: Path | str,
    *,
    attributor: Path | str | None = None,
) -> Added:
    """Write ``attributor`` with one more generator, ``name``, to the folder ``output``.

    ``output`` may be the attributor's own folder; the packaged one is never changed. A registered
    generator of the same name is replaced. Images that cannot be read are told and left out.
    Raises UsageError for fewer than 2 images that can be read, or for the name of a trained one.
    """
    folder = find_attributor(attributor)
    if Path(output).resolve() == packaged_folder().resolve():
        raise UsageError(f"{output} is the packaged attributor; name another folder with -o")
    ready = load_attributor(folder)
    _check_name(name, ready.spec)
    embeddings, failures = _embedded(ready, images)
    generator = prototype_of(name, embeddings)
    kept = tuple(g for g in ready.spec.generators if g.name != name)
    spec = ready.spec.model_copy(update={"generators": (*kept, generator)})
    outcome = _left_out(spec, name, embeddings)
    with replaced_bundle(Path(output)) as partial:
        for file in spec.files:
            shutil.copyfile(folder / file, partial / file)
        written = write_attributor(partial, spec)
        write_text(partial / CARD_FILE, attributor_card(written))
    instead = {k: n for k, n in outcome.items() if k not in (name, UNKNOWN)}
    return Added(
        written, generator, outcome.get(name, 0), outcome.get(UNKNOWN, 0), instead, tuple(failures)
    )


def _check_name(name: str, spec: AttributorSpec) -> None:
    plain = name.isprintable() and name.encode("utf-8", "replace").decode() == name
    if not name.strip() or not plain or len(name) > MOST_NAME or name in (UNKNOWN, CAMERA):
        raise UsageError(
            f"{name[:MOST_NAME]!r} cannot be a generator's name; take another of at most "
            f"{MOST_NAME} plain characters"
        )
    trained = [g.name for g in spec.generators if not g.registered]
    if name in trained:
        raise UsageError(
            f"{name!r} is one of the generators that this attributor was trained on; take another "
            "name, such as that of the version"
        )


def _embedded(
    ready: Attributor, images: Iterable[ImageInput]
) -> tuple[NDArray[np.float64], list[str]]:
    found: list[NDArray[np.float64]] = []
    failures: list[str] = []
    for image in images:
        try:
            found.append(ready.embed(image)[0])
        except AuthentiscanError as error:
            failures.append(str(error))
    width = len(ready.spec.generators[0].prototype)
    return np.asarray(found).reshape(len(found), width), failures


def _left_out(spec: AttributorSpec, name: str, embeddings: NDArray[np.float64]) -> dict[str, int]:
    """What each image is called when the prototype is made of the others; empty under 3 images."""
    counts: dict[str, int] = {}
    if len(embeddings) < 3:
        return counts
    others = [g for g in spec.generators if g.name != name]
    for place in range(len(embeddings)):
        generator = prototype_of(name, np.delete(embeddings, place, axis=0))
        tried = Prototypes.of((*others, generator), spec.logits)
        squared = tried.squared_distances(embeddings[place : place + 1])
        (predicted,), fit = nearest(squared, tried.names, spec.distances)
        predicted = predicted if fit[0] >= spec.least_fit else UNKNOWN
        counts[predicted] = counts.get(predicted, 0) + 1
    return counts
