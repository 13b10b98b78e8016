"""What the names of folders say: real or generated, which split, which generator.

Paths are read from the outside in. Some words say "real" or "generated" wherever they stand, and of
several the outermost counts: whatever lies below ``fake/`` is generated. Others may as well name a
subject: below ``fake/``, ``nature/`` is a landscape. They say "real" only beside a folder that says
"generated", or outermost where no other subject lies beside them. A word for a split may be the
name of a class: ``train/`` beside ``bus/`` is a railway train. So a folder is read beside its
neighbours, never alone.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

REAL_WORDS = frozenset({"real", "reals", "authentic", "training_real"})
GENERATED_WORDS = frozenset(
    {"fake", "fakes", "ai", "generated", "synthetic", "ai_generated", "aigenerated",
     "training_fake"}
)  # fmt: skip
SUBJECT_WORDS = frozenset(
    {"nature", "natural", "human", "humans", "camera", "photo", "photos", "photographs",
     "original", "originals"}
)  # fmt: skip
"""Words for real that may name a subject."""

_PICTURES = re.compile(r"_?(images?|imgs?|pictures|photos|faces)$")
"""What may follow such a word: ``Fake_Images``, ``real-faces``."""

SPLIT_WORDS: Mapping[str, str] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}

Parts = tuple[str, ...]
"""A path below the data set's root, split at the separators; the last part is the file's name."""


@dataclass(frozen=True, slots=True)
class Sign:
    """A folder of a path that says what lies in it. label: 0 real, 1 generated."""

    label: int
    folder: str
    depth: int


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two folders of one path, the outer one first, that say different things."""

    path: str
    outer: Sign
    inner: Sign


def word_of(folder: str) -> str:
    """A folder's name as it is looked up: small letters, without a class number in front."""
    return re.sub(r"^\d+_", "", folder.strip().lower().replace(" ", "_").replace("-", "_"))


def plain_label(text: str) -> int | None:
    """0 or 1 for a word that says real or generated wherever it stands, else None."""
    for word in (word_of(text), _PICTURES.sub("", word_of(text))):
        if word in REAL_WORDS | GENERATED_WORDS:
            return int(word in GENERATED_WORDS)
    return None


def label_of(text: str) -> int | None:
    """0 or 1 for any word that can say real or generated, else None."""
    return 0 if word_of(text) in SUBJECT_WORDS else plain_label(text)


def slug(name: str) -> str:
    """A folder's name as a generator name: lower case, ``-`` for blanks and underscores."""
    return "-".join(name.lower().replace("_", " ").split())


class FolderNames:
    """The folders of a data set, each to be read beside its neighbours.

    folders: every folder with images, as path parts below the root. labels: names of folders and
    what they mean to the user (0 real, 1 generated), which counts before anything else.
    """

    def __init__(self, folders: Iterable[Parts], labels: Mapping[str, int] | None = None) -> None:
        self.folders = list(folders)
        self.given = {word_of(name): label for name, label in (labels or {}).items()}
        self._beside: dict[Parts, set[str]] = {}
        for folder in self.folders:
            for depth, name in enumerate(folder):
                self._beside.setdefault(_place(folder[:depth]), set()).add(name)

    def beside(self, folder: Parts, depth: int) -> Collection[str]:
        """The folder at ``depth`` and all that lie where it lies, in every class and split."""
        return self._beside.get(_place(folder[:depth]), set())

    def signs(self, folder: Parts) -> list[Sign]:
        """What says real or generated in a path, from the outside in."""
        given = [Sign(self.given[w], n, i) for i, n, w in _words(folder) if w in self.given]
        if given:
            return given[:1]
        labels = [(i, n, plain_label(n)) for i, n, _ in _words(folder)]
        found = [Sign(label, name, depth) for depth, name, label in labels if label is not None]
        return found or [
            Sign(0, name, depth)
            for depth, name, word in _words(folder)
            if word in SUBJECT_WORDS and self._means_real(folder, depth)
        ]

    def contradictions(self) -> list[Contradiction]:
        """The folders in which an inner name says the opposite of an outer one."""
        found = []
        for folder in self.folders:
            signs = self.signs(folder)
            inner = next((s for s in signs if s.label != signs[0].label), None)
            if inner is not None:
                found.append(Contradiction("/".join(folder), signs[0], inner))
        return found

    def split(self, folder: Parts) -> tuple[int, str] | None:
        """Depth and split (train, val, test) of the outermost folder that is one, else None.

        A word for a split is one where its neighbours are such words too, or where there are two.
        """
        for depth, _, word in _words(folder):
            if word in SPLIT_WORDS:
                known = [SPLIT_WORDS.get(word_of(n)) for n in self.beside(folder, depth)]
                if None not in known or len(set(known) - {None}) > 1:
                    return depth, SPLIT_WORDS[word]
        return None

    def outermost(self, folder: Parts, depth: int) -> bool:
        """Whether nothing but a split lies further out."""
        split = self.split(folder)
        return depth == 0 or (depth == 1 and split is not None and split[0] == 0)

    def _means_real(self, folder: Parts, depth: int) -> bool:
        beside = self.beside(folder, depth)
        if any(plain_label(n) == 1 for n in beside):
            return True
        return self.outermost(folder, depth) and all(label_of(n) is not None for n in beside)


def _words(folder: Parts) -> list[tuple[int, str, str]]:
    return [(depth, name, word_of(name)) for depth, name in enumerate(folder)]


def _place(folder: Parts) -> Parts:
    """The same for all classes and splits, so that real/bus and fake/bus are neighbours."""
    return tuple("*" if plain_label(n) is not None else _split_or(n) for n in folder)


def _split_or(name: str) -> str:
    return "@" if word_of(name) in SPLIT_WORDS else name
