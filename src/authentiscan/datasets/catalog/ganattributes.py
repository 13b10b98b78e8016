"""One folder a generator and one for real photographs: the layout of GAN-attribution data sets."""

from __future__ import annotations

from authentiscan.datasets.catalog.base import (
    REAL_NAMES,
    SPLIT_NAMES,
    DataSet,
    Parts,
    Place,
    label_of,
    own_split,
    place_of,
    slug,
)

# Names of real-photograph collections that such data sets use for their real folder.
REAL_COLLECTIONS = frozenset({"celeba", "celeba-hq", "ffhq", "lsun", "imagenet", "coco", "flickr"})


def place(parts: Parts) -> Place | None:
    """``[{train,val,test}/]<generator or real>/.../name``; what is not real is a generator."""
    above = [p for p in parts[:-1] if p.lower() not in SPLIT_NAMES]
    if not above:
        return None
    folder = slug(above[0])
    if label_of(folder) == 1:  # `fake/` alone names no generator: the plain layout reads that
        return place_of(1, slug(above[1]), own_split(parts)) if len(above) > 1 else None
    real = folder in REAL_NAMES or folder in REAL_COLLECTIONS
    return place_of(int(not real), folder, own_split(parts))


GAN_ATTRIBUTES = DataSet(
    name="generators",
    title="Any folder with one folder a generator and one called real (GAN attribution)",
    licence="the data's own",
    layout=True,
    home="",
    place=place,
)
