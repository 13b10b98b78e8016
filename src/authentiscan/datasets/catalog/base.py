"""What a catalog entry is: facts about a data set, and how its paths turn into labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from authentiscan.core.types import CAMERA
from authentiscan.datasets.foldernames import SPLIT_WORDS, FolderNames, Parts


@dataclass(frozen=True, slots=True)
class Place:
    """What the path of an image says of it.

    label: 0 real, 1 generated. generator: ``camera`` for real ones. split: the publisher's own, in
    this package's words (``train``, ``val``, ``test``), or None. group: images with the same one
    stay in one split; None where the path does not tell (the content's hash is used then). because:
    which sign the label was read from, in words; empty for the layout itself.
    """

    label: int
    generator: str
    split: str | None = None
    group: str | None = None
    because: str = field(default="", compare=False)


Placer = Callable[[Parts], Place | None]
"""Path parts below the root -> what they say, or None where the image has no place."""


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
    place: what a path of a published data set says. reader: for layouts that any data can have,
        what reads a path beside all the folders there are. Kinds of tables have neither.
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
    reader: Callable[[FolderNames], Placer] | None = None
    kaggle: KaggleSource | None = None
    hub: HubSource | None = None
    manual: str = ""
    rooted: bool = False
    layout: bool = False

    @property
    def of_folders(self) -> bool:
        """Whether its images lie in folders, not in tables."""
        return self.place is not None or self.reader is not None

    def placer(self, folders: FolderNames) -> Placer:
        """What a path says, of a data set with these folders."""
        if self.reader is not None:
            return self.reader(folders)
        assert self.place is not None
        return self.place


def place_of(
    label: int,
    generator: str,
    split: str | None,
    group: str | None = None,
    *,
    because: str = "",
) -> Place:
    """A Place whose generator is ``camera`` where the label says real."""
    return Place(label, CAMERA if label == 0 else generator, split, group, because)


def split_above(parts: Parts) -> str | None:
    """The split that the folder above the image's own names, None where it names none."""
    return SPLIT_WORDS.get(parts[-3].lower()) if len(parts) > 2 else None
