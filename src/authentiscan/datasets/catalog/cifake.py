"""CIFAKE: CIFAR-10 photographs against Stable Diffusion 1.4, 32x32 JPEG (Bird and Lotfi, 2023)."""

from __future__ import annotations

import re

from authentiscan.datasets.catalog.base import (
    DataSet,
    HubSource,
    KaggleSource,
    Place,
    place_of,
    split_above,
)
from authentiscan.datasets.foldernames import Parts

GENERATOR = "stable-diffusion-1.4"
NUMBERED = re.compile(r"\d{1,5}( \(\d+\))?\.jpg")


def place(parts: Parts) -> Place | None:
    """``[{train,test}/]{REAL,FAKE}/0123 (4).jpg``; case and numbers tell it from others."""
    if len(parts) < 2 or parts[-2] not in ("REAL", "FAKE") or not NUMBERED.fullmatch(parts[-1]):
        return None
    return place_of(int(parts[-2] == "FAKE"), GENERATOR, split_above(parts))


CIFAKE = DataSet(
    name="cifake",
    title="CIFAKE: CIFAR-10 photographs and Stable Diffusion 1.4, 32x32",
    images=120_000,
    generators=(GENERATOR,),
    gigabytes=0.1,
    licence="MIT (as stated by its publisher)",
    home="https://www.kaggle.com/datasets/birdy654/cifake-real-and-ai-generated-synthetic-images",
    place=place,
    kaggle=KaggleSource("birdy654/cifake-real-and-ai-generated-synthetic-images"),
    hub=HubSource("yanbax/CIFAKE_autotrain_compatible"),
    manual=(
        "1. Open {home} in a browser, sign in and press Download (one zip, about 0.1 GB).\n"
        "2. Unpack it, so that {folder} holds train/REAL, train/FAKE, test/REAL and test/FAKE.\n"
        "3. authentiscan data organize {folder} --out cifake.parquet"
    ),
)
