"""Plain folders: real/ and fake/ under any of their usual names, at any depth."""

from __future__ import annotations

from authentiscan.datasets.catalog.base import DataSet, Parts, Place, label_of, own_split, place_of

UNKNOWN = "unknown"


def place(parts: Parts) -> Place | None:
    """The innermost folder that says real or generated decides; the generator stays ``unknown``."""
    label = next((v for p in reversed(parts[:-1]) if (v := label_of(p)) is not None), None)
    if label is None:
        return None
    return place_of(label, UNKNOWN, own_split(parts))


PLAIN = DataSet(
    name="folders",
    title="Any folder with real/ and fake/ (REAL/FAKE, nature/ai, 0_real/1_fake, raw/real ...)",
    licence="the data's own",
    layout=True,
    home="",
    place=place,
)
