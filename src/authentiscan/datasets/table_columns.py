"""What the columns of a table mean: which says what, and what its values say."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from authentiscan.core.errors import DatasetError
from authentiscan.core.types import Row
from authentiscan.datasets.facts import FACTS, MORE_FACTS, Entry
from authentiscan.datasets.foldernames import SPLIT_WORDS, label_of
from authentiscan.datasets.labelsigns import FLAGS, TRUTH
from authentiscan.manifest.table import COLUMNS

# What a column is called in tables met in the wild; the first that is there counts.
ROLES: Mapping[str, tuple[str, ...]] = {
    "path": ("path", "file", "file_name", "filename", "filepath", "image_path"),
    "row": ("row",),
    "label": ("label", "labels", *FLAGS, "class", "target"),
    "generator": ("generator", "model", "generator_name", "model_name"),
    "dataset": ("dataset",),
    "split": ("split",),
    "group": ("group", "group_id"),
    "licence": ("licence", "license"),
    "confidence": ("confidence",),
    "name": ("name",),
}
_RESERVED = frozenset({*FACTS, *MORE_FACTS, *COLUMNS, "held_out"})


@dataclass(frozen=True, slots=True)
class TableFacts:
    """What all rows of a table share.

    place: how the manifest names the table, or, where rows name files, the manifest's folder.
    roles: role -> column. kept: own column -> its name in the manifest. names: column -> names of
    its integer classes. labels: the user's own reading of label values, as (value, 0 or 1). split:
    the split that the file's name says. image, image_path: the column of images, and whether it
    has their names.
    """

    source: str
    place: str
    dataset: str
    generator: str | None
    licence: str | None
    roles: Mapping[str, str]
    names: Mapping[str, tuple[str, ...]]
    kept: Mapping[str, str]
    labels: tuple[tuple[str, int], ...] = ()
    image: str | None = None
    image_path: bool = False
    split: str | None = None

    def label(self, value: object) -> int:
        """0 or 1. Raises DatasetError for a value that does not say real or generated."""
        named = self.class_name("label", value)
        for text, label in self.labels:
            if text in (str(value), str(named)):
                return label
        if FLAGS.get(self.roles["label"].lower()) == 0 and str(named).lower() in TRUTH:
            return 1 - TRUTH[str(named).lower()]
        if isinstance(named, str):
            found = label_of(named)
            if found is None:
                found = TRUTH.get(named.lower())
            if found is not None:
                return found
        elif isinstance(named, int | float) and named in (0, 1):
            return int(named)
        raise DatasetError(
            f"{self.source}: label {named!r} does not say real or generated; "
            f"tell with --label '{named}=real' or --label '{named}=generated'"
        )

    def _because(self, value: object) -> str:
        named = self.class_name("label", value)
        shown = f"{value} ({named})" if named != value else str(value)
        explained = {text for text, _ in self.labels} & {str(value), str(named)}
        return f"the column {self.roles['label']} = {shown}" + (
            ", as --label says" if explained else ""
        )

    def class_name(self, role: str, value: object) -> object:
        """The name of an integer class where the file gives names, else the value as it is."""
        names = self.names.get(self.roles.get(role, ""), ())
        return names[value] if isinstance(value, int) and 0 <= value < len(names) else value

    def entry(self, row: Row, path: str, number: int | None) -> Entry:
        """The Entry of one row, without its bytes."""
        values = {role: row.get(column) for role, column in self.roles.items()}
        label = self.label(values.get("label"))
        generator = self.class_name("generator", values.get("generator")) or self.generator
        split = str(values.get("split") or self.split or "").lower()
        return Entry(
            path=path,
            row=number,
            name=str(values.get("name") or values.get("path") or f"{Path(path).name}#{number}"),
            label=label,
            generator=str(generator or "unknown"),
            dataset=str(self.class_name("dataset", values.get("dataset")) or self.dataset),
            data=None,
            because=self._because(values.get("label")),
            split=SPLIT_WORDS.get(split),
            group=text_of(values.get("group")),
            licence=text_of(values.get("licence")) or self.licence,
            confidence=text_of(values.get("confidence")),
            extras={name: row.get(column) for column, name in self.kept.items()},
        )


def kept_columns(
    columns: Iterable[str], used: Collection[str | None], *, facts: bool = False
) -> dict[str, str]:
    """A table's own columns that the manifest keeps, and what they are called there.

    Facts are read from the bytes, so a table's own are dropped unless ``facts``; its ``format`` is
    kept as ``source_format``, for tables that store images otherwise than they were found.
    """
    # A column without a name is the index that pandas writes.
    own = [c for c in columns if c not in used and c.strip() and not c.startswith("__")]
    kept = {c: c for c in own if c not in _RESERVED or (facts and c in FACTS)}
    if not facts and "format" in own and "source_format" not in own:
        kept["format"] = "source_format"
    return kept


def roles_of(path: Path, columns: list[str], images: str | None) -> dict[str, str]:
    """Which column plays which role. images: what the images stand in, None where rows name files.

    Raises DatasetError where one that is needed is missing.
    """
    lower = {c.strip().lower(): c for c in reversed(columns)}
    roles = {
        role: next(lower[n] for n in names if n in lower)
        for role, names in ROLES.items()
        if any(n in lower for n in names)
    }
    if images:
        roles.pop("row", None)
        if "path" in roles and "name" not in roles:
            roles["name"] = roles.pop("path")
        roles.pop("path", None)
    missing = [r for r in (("label",) if images else ("path", "label")) if r not in roles]
    if missing:
        wanted = "; ".join(f"{r}: one of {', '.join(ROLES[r])}" for r in missing)
        raise DatasetError(f"{path} lacks a column ({wanted}); it has {', '.join(columns)}")
    return roles


def text_of(value: object) -> str | None:
    """A cell as text; None where it is empty."""
    return None if value in (None, "") else str(value)
