"""What verify says: plain frozen records, the same for JSON, the page and the command line."""

from __future__ import annotations

from typing import Literal

from authentiscan.core.records import Record


class ImageRef(Record):
    """An image of the manifest. ``label``: 0 real, 1 generated."""

    row: int
    name: str
    label: int
    generator: str
    split: str | None
    group: str


class Unreadable(Record):
    """An image that could not be read, and why."""

    image: ImageRef
    error: str


class Mismatch(Record):
    """A fact that the manifest claims and the file contradicts."""

    image: ImageRef
    column: str
    claimed: str
    found: str


class Copies(Record):
    """Images that are one.

    kind: ``bytes`` (the same file), ``pixels`` (another file, the same decoded pixels) or ``near``
    (resized, re-encoded or slightly cropped). similarity: smallest in the set, in [-1, 1]; 1 for
    exact copies. across_splits, across_labels: whether the copies differ in split or label.
    """

    kind: Literal["bytes", "pixels", "near"]
    images: tuple[ImageRef, ...]
    count: int
    similarity: float
    across_splits: bool
    across_labels: bool


class GroupLeak(Record):
    """A group whose images are in more than one split: images in each."""

    group: str
    splits: dict[str, int]


class Balance(Record):
    """Images of each class in one part of the manifest (``all``, a split or a data set)."""

    part: str
    name: str
    real: int
    generated: int
    note: str = ""


class Expectation(Record):
    """Images a data set of the catalog is published with, and rows here."""

    dataset: str
    published: int
    found: int


class CopyCounts(Record):
    """How many copies there are.

    sets: sets of images that are one. extra: images beyond the first of their set.
    pairs: pairs of images within the sets (for ``near``, the pairs confirmed).
    """

    sets: int = 0
    extra: int = 0
    pairs: int = 0
    sets_across_splits: int = 0
    sets_across_labels: int = 0


class Verification(Record):
    """The report of one run. Lists are cut at ``listed`` entries of a kind; counts are complete.

    Copies are ordered near, pixels, bytes, and within these across splits and labels first.

    leaks: sets of copies across splits plus groups across splits; 0 is what it must be. warnings:
    what may be wrong and only the user can tell.
    """

    schema_version: Literal[1] = 1
    manifest: str
    rows: int
    readable: int
    unreadable_count: int
    mismatch_count: int
    group_leak_count: int
    leaks: int
    counts: dict[str, dict[str, int]]
    expectations: tuple[Expectation, ...]
    balance: tuple[Balance, ...]
    copies: dict[str, CopyCounts]
    listed: int
    unreadable: tuple[Unreadable, ...]
    mismatches: tuple[Mismatch, ...]
    duplicates: tuple[Copies, ...]
    group_leaks: tuple[GroupLeak, ...]
    warnings: tuple[str, ...] = ()
    seconds: float
    images_per_second: float

    @property
    def trustworthy(self) -> bool:
        """True where nothing leaks, every image is readable and no exact copy has two labels."""
        exact = sum(self.copies[k].sets_across_labels for k in ("bytes", "pixels"))
        return self.leaks == 0 and self.unreadable_count == 0 and exact == 0


class Removed(Record):
    """A row that the cleaned manifest no longer has, and why."""

    image: ImageRef
    reason: str
