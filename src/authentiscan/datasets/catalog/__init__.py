"""Data sets known by name: one file each, and one of layouts; see `CATALOG`.

Order matters for folders that are not named on the command line: the first entry that recognizes
most of the images wins, so the narrow layouts stand before the wide ones.
"""

from __future__ import annotations

from authentiscan.core.errors import DatasetError
from authentiscan.datasets.catalog.base import DataSet, HubSource, KaggleSource, Place
from authentiscan.datasets.catalog.cifake import CIFAKE
from authentiscan.datasets.catalog.faces import FACES
from authentiscan.datasets.catalog.forensynths import FORENSYNTHS
from authentiscan.datasets.catalog.genimage import GENIMAGE
from authentiscan.datasets.catalog.layouts import LAYOUTS

CATALOG: dict[str, DataSet] = {
    entry.name: entry for entry in (GENIMAGE, CIFAKE, FACES, FORENSYNTHS, *LAYOUTS)
}


def find(name: str) -> DataSet:
    """The entry called ``name``. Raises DatasetError, naming what there is, for an unknown one."""
    if name not in CATALOG:
        raise DatasetError(f"no data set is called {name!r}; known are: {', '.join(CATALOG)}")
    return CATALOG[name]


__all__ = ["CATALOG", "DataSet", "HubSource", "KaggleSource", "Place", "find"]
