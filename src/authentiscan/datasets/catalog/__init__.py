"""Data sets known by name: one file each, one line in `CATALOG`.

Order matters for folders that are not named on the command line: the first entry that recognizes
most of the images wins, so the narrow layouts stand before the wide ones.
"""

from __future__ import annotations

from authentiscan.core.errors import DatasetError
from authentiscan.datasets.catalog.base import DataSet, HubSource, KaggleSource, Place
from authentiscan.datasets.catalog.cifake import CIFAKE
from authentiscan.datasets.catalog.csvlist import CSV_LIST
from authentiscan.datasets.catalog.faces import FACES
from authentiscan.datasets.catalog.forensynths import FORENSYNTHS
from authentiscan.datasets.catalog.ganattributes import GAN_ATTRIBUTES
from authentiscan.datasets.catalog.genimage import GENIMAGE
from authentiscan.datasets.catalog.huggingface import HUGGING_FACE
from authentiscan.datasets.catalog.parquet import PARQUET
from authentiscan.datasets.catalog.plain import PLAIN

CATALOG: dict[str, DataSet] = {
    entry.name: entry
    for entry in (
        GENIMAGE,
        CIFAKE,
        FACES,
        FORENSYNTHS,
        PLAIN,
        GAN_ATTRIBUTES,
        HUGGING_FACE,
        PARQUET,
        CSV_LIST,
    )
}


def find(name: str) -> DataSet:
    """The entry called ``name``. Raises DatasetError, naming what there is, for an unknown one."""
    if name not in CATALOG:
        raise DatasetError(f"no data set is called {name!r}; known are: {', '.join(CATALOG)}")
    return CATALOG[name]


__all__ = ["CATALOG", "DataSet", "HubSource", "KaggleSource", "Place", "find"]
