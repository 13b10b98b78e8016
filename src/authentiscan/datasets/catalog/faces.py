"""140K Real and Fake Faces: FFHQ photographs against StyleGAN, 256x256 JPEG."""

from __future__ import annotations

from pathlib import Path

from authentiscan.datasets.catalog.base import (
    DataSet,
    KaggleSource,
    Place,
    place_of,
    split_above,
)
from authentiscan.datasets.foldernames import Parts

GENERATOR = "stylegan"


def place(parts: Parts) -> Place | None:
    """``real_vs_fake/real-vs-fake/{train,valid,test}/{real,fake}/name.jpg``.

    Real ones are named after their FFHQ number, which becomes the group: FFHQ photographs recur in
    other data sets.
    """
    if len(parts) < 4 or parts[-2] not in ("real", "fake") or "real-vs-fake" not in parts:
        return None
    stem = Path(parts[-1]).stem
    generated = parts[-2] == "fake"
    group = f"ffhq:{stem}" if not generated and stem.isdigit() else None
    return place_of(int(generated), GENERATOR, split_above(parts), group)


FACES = DataSet(
    name="faces",
    title="140K Real and Fake Faces: FFHQ and StyleGAN, 256x256",
    images=140_000,
    generators=(GENERATOR,),
    licence="none stated for the collection; FFHQ: CC BY-NC-SA 4.0",
    home="https://www.kaggle.com/datasets/xhlulu/140k-real-and-fake-faces",
    place=place,
    rooted=True,
    kaggle=KaggleSource("xhlulu/140k-real-and-fake-faces"),
    manual=(
        "1. Open {home} in a browser, sign in and press Download (one zip).\n"
        "2. Unpack it, so that {folder}/real_vs_fake/real-vs-fake holds train, valid and test.\n"
        "3. authentiscan data organize {folder} --out faces.parquet"
    ),
)
