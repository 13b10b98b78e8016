"""Frames of one video: images that are numbered in a row, and whether a split parts them.

Neighbouring frames are nearly one image. Where some are trained on and others tested on, the test
measures memory.
"""

from __future__ import annotations

import re
from array import array
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise

from authentiscan.core.types import JsonObject
from authentiscan.datasets.foldernames import SPLIT_WORDS, Parts, label_of, slug, word_of
from authentiscan.manifest.table import Manifest

_COLUMNS = ("label", "generator", "name", "path", "split")
_DIGITS = 18  # of a number; more do not fit 64 bits
_FEWEST = 3  # numbered images that make a row
_NUMBERED = re.compile(r"^(.*?)(\d+)$")
_FRAME_WORD = re.compile(r"frame|frm|clip|vid|shot(?!s)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TornFrames:
    """Rows of numbered images, as of frames of one video, that lie in several splits.

    rows: how many, of all the rows there are. example: an image of one.
    """

    rows: int
    all_rows: int
    example: str

    def __str__(self) -> str:
        return (
            f"{self.rows} of {self.all_rows} rows of numbered images, as of frames of one video, "
            f"lie in several splits (such as that of {self.example}); to keep each together: "
            "data organize --group folder, or --group name where the file's name tells the video"
        )


@dataclass(frozen=True, slots=True)
class _Row:
    """What the images of a row share: where they lie (splits left out) and their name's start."""

    folder: Parts
    stem: str
    label: int
    generator: str

    @property
    def speaks_of_frames(self) -> bool:
        return bool(_FRAME_WORD.search(self.stem))

    @property
    def of_a_class(self) -> bool:
        """Whether the folder is that of a class: real/0001.jpg, real/0002.jpg are no video."""
        last = self.folder[-1] if self.folder else ""
        return not last or label_of(last) is not None or slug(last) == self.generator


@dataclass(slots=True)
class _Images:
    """The images of a row, in few bytes each."""

    example: str
    numbers: array[int] = field(default_factory=lambda: array("q"))
    splits: set[str] = field(default_factory=set)


def torn_frames(manifest: Manifest) -> TornFrames | None:
    """The rows of numbered images that the splits of ``manifest`` part; None where they part none.

    A row are images of one folder whose names differ by a number that goes up evenly. It counts
    where its name speaks of frames, or where its class and generator have several such folders.
    """
    members: dict[_Row, _Images] = {}
    names = [n for n in _COLUMNS if n in manifest.table.column_names]
    for batch in manifest.table.select(names).to_batches(max_chunksize=50_000):
        for image in batch.to_pylist():
            _enter(members, image)
    found = {row: images for row, images in members.items() if _goes_up(images.numbers)}
    rows_of = Counter((row.label, row.generator) for row in found if not row.of_a_class)
    frames = {
        row: images
        for row, images in found.items()
        if row.speaks_of_frames or (not row.of_a_class and rows_of[row.label, row.generator] > 1)
    }
    torn = [images for images in frames.values() if len(images.splits) > 1]
    return TornFrames(len(torn), len(frames), torn[0].example) if torn else None


def _enter(members: dict[_Row, _Images], image: JsonObject) -> None:
    place = str(image.get("name") or image.get("path") or "")
    *above, file = place.split("/")
    numbered = _NUMBERED.match(file.rpartition(".")[0] or file)
    if numbered is None:
        return
    folder = tuple(part for part in above if word_of(part) not in SPLIT_WORDS)
    row = _Row(folder, numbered[1], image["label"], str(image["generator"]))
    images = members.setdefault(row, _Images(example=place))
    images.numbers.append(int(numbered[2][-_DIGITS:]))
    if image.get("split"):
        images.splits.add(image["split"])


def _goes_up(found: array[int]) -> bool:
    """Whether three or more different numbers stand mostly one step apart, whatever the step."""
    numbers = sorted(found)
    steps = [b - a for a, b in pairwise(numbers)]
    if len(numbers) < _FEWEST or 0 in steps:
        return False
    usual = sorted(steps)[len(steps) // 2]
    return 2 * steps.count(usual) > len(steps)
