"""What a catalog entry is: facts about a data set, and how its paths turn into labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from authentiscan.core.types import CAMERA

REAL_NAMES = frozenset(
    {"real", "reals", "0_real", "nature", "natural", "authentic", "camera", "photo", "photos",
     "training_real", "human", "original"}
)  # fmt: skip
GENERATED_NAMES = frozenset(
    {"fake", "fakes", "1_fake", "ai", "generated", "synthetic", "ai_generated", "ai-generated",
     "training_fake", "aigenerated"}
)  # fmt: skip
SPLIT_NAMES: Mapping[str, str] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}


@dataclass(frozen=True, slots=True)
class Place:
    """What the path of an image says of it.

    label: 0 real, 1 generated. generator: ``camera`` for real ones. split: the publisher's own, in
    this package's words (``train``, ``val``, ``test``), or None. group: images with the same one
    stay in one split; None where the path does not tell (the content's hash is used then).
    """

    label: int
    generator: str
    split: str | None = None
    group: str | None = None


Parts = tuple[str, ...]
"""A path below the data set's root, split at the separators; the last part is the file's name."""

Placer = Callable[[Parts], Place | None]


@dataclass(frozen=True, slots=True)
class KaggleSource:
    """A data set on Kaggle: ``handle`` is ``owner/name``."""

    handle: str


@dataclass(frozen=True, slots=True)
class HubSource:
    """A data set on the Hugging Face hub: ``repository`` is ``owner/name``."""

    repository: str


@dataclass(frozen=True, slots=True)
class DataSet:
    """One entry of the catalog.

    name: what the command line calls it, and the `dataset` value of its rows.
    images: published number of images, None for layouts that any data can have.
    generators: the names used in manifests. gigabytes: download size where published, else None.
    place: path parts below the root -> what they say, or None where an image is not part of the
        data set. None for kinds that are tables rather than folders.
    manual: the steps by hand, shown where no client can fetch it; ``{home}`` and ``{folder}`` are
    filled in.
    rooted: True where the root's own name may be part of the layout, as of one generator's folder.
    layout: True for a way of laying out any data, False for one published data set.
    """

    name: str
    title: str
    licence: str
    home: str
    images: int | None = None
    generators: tuple[str, ...] = ()
    gigabytes: float | None = None
    place: Placer | None = None
    kaggle: KaggleSource | None = None
    hub: HubSource | None = None
    manual: str = ""
    rooted: bool = False
    layout: bool = False


def label_of(part: str) -> int | None:
    """0 or 1 for a folder name that says real or generated (any case), else None."""
    word = part.lower().replace(" ", "_")
    if word in REAL_NAMES:
        return 0
    return 1 if word in GENERATED_NAMES else None


def slug(name: str) -> str:
    """A folder's name as a generator name: lower case, ``-`` for blanks and underscores."""
    return "-".join(name.lower().replace("_", " ").split())


def place_of(label: int, generator: str, split: str | None, group: str | None = None) -> Place:
    """A Place whose generator is ``camera`` where the label says real."""
    return Place(label, CAMERA if label == 0 else generator, split, group)


def own_split(parts: Parts) -> str | None:
    """The split that one of the folders names, None where none does."""
    return next((SPLIT_NAMES[p.lower()] for p in parts[:-1] if p.lower() in SPLIT_NAMES), None)
