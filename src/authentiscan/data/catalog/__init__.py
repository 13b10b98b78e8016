"""Data sets known by name: one file each, one line in `CATALOG`.

Order matters for folders that are not named on the command line: the first entry that recognizes
most of the images wins, so the narrow layouts stand before the wide ones.
"""

from __future__ import annotations

from authentiscan.core.errors import DatasetError
from authentiscan.data.catalog.base import DataSet, HubSource, KaggleSource, Place
from authentiscan.data.catalog.cifake import CIFAKE
from authentiscan.data.catalog.csvlist import CSV_LIST
from authentiscan.data.catalog.faces import FACES
from authentiscan.data.catalog.forensynths import FORENSYNTHS
from authentiscan.data.catalog.ganattributes import GAN_ATTRIBUTES
from authentiscan.data.catalog.genimage import GENIMAGE
from authentiscan.data.catalog.huggingface import HUGGING_FACE
from authentiscan.data.catalog.parquet import PARQUET
from authentiscan.data.catalog.plain import PLAIN

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
