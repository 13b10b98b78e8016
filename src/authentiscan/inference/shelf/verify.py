"""Are the scores of a wrapped detector those of its authors? On their images, by their numbers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from authentiscan.core.errors import UsageError
from authentiscan.core.files import write_text
from authentiscan.core.progress import Stages, stage
from authentiscan.inference.bundle import read_spec
from authentiscan.inference.detector import load_detector
from authentiscan.inference.shelf.card import Card, File, Reference
from authentiscan.inference.shelf.download import fetch_file, wrong
from authentiscan.inference.shelf.place import fetched, shelf_folder

MARK = "verified.json"
IMAGES = "images"


@dataclass(frozen=True)
class Compared:
    """One image: the authors' score and the bundle's."""

    name: str
    stated: float
    found: float

    @property
    def difference(self) -> float:
        """Of the two scores, without sign."""
        return abs(self.stated - self.found)


def verify(
    card: Card, images: Path | None = None, progress: Stages | None = None
) -> list[Compared]:
    """Score the card's reference images with the fetched detector and note the outcome.

    images: a folder that holds them under their names; None fetches them. Raises UsageError where
    the card has no references, FetchError where an image cannot be had or is another.
    """
    if card.references is None:
        raise UsageError(f"no scores to compare with are known of {card.name}")
    bundle = fetched(card.name)
    if bundle is None:
        raise UsageError(f"{card.name} was not fetched yet: authentiscan shelf get {card.name}")
    detector = load_detector(bundle)
    found = []
    for reference in card.references.images:
        path = _image(card, reference, images, bundle.parent / IMAGES, progress)
        found.append(Compared(reference.name, reference.score, detector.predict(path).score))
    _note(bundle, found, card.references.tolerance)
    return found


def verified(name: str) -> str:
    """``no``, or ``yes`` and when and how well, of a detector on the shelf, as it is today."""
    bundle = fetched(name)
    shelf = shelf_folder()
    if bundle is None or shelf is None:
        return "no"
    try:
        noted = json.loads((bundle.parent / MARK).read_text(encoding="utf-8"))
        same = noted["identity"] == read_spec(bundle, verify=False).identity
        worst = float(noted["largest_difference"])
        count, day, passed = int(noted["images"]), str(noted["date"]), noted["passed"] is True
    except (OSError, ValueError, KeyError, TypeError):
        return "no"
    if not same:
        return "no: the bundle is another than the one that was compared"
    words = f"{day}, {count} images, scores differ by at most {worst:.4f}"
    return f"yes: {words}" if passed else f"no: {words}"


def _note(bundle: Path, found: Sequence[Compared], tolerance: float) -> None:
    worst = max(one.difference for one in found)
    noted = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "images": len(found),
        "largest_difference": worst,
        "tolerance": tolerance,
        "passed": worst <= tolerance,
        "identity": read_spec(bundle, verify=False).identity,
    }
    write_text(bundle.parent / MARK, json.dumps(noted, indent=1) + "\n")


def _image(
    card: Card,
    reference: Reference,
    images: Path | None,
    folder: Path,
    progress: Stages | None,
) -> Path:
    file = File(name=reference.name, address=reference.address, sha256=reference.sha256)
    if images is None:
        return fetch_file(card, file, folder, stage(progress, f"{file.name}, MiB"))
    path = images / reference.name
    if not path.is_file():
        raise UsageError(f"{images} has no {reference.name}; its SHA-256 is {reference.sha256}")
    if why := wrong(path, file):
        raise UsageError(f"{path} is another image than the one with the known score: {why}")
    return path
