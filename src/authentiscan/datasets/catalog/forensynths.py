"""ForenSynths, the data of CNNDetection (Wang et al., CVPR 2020, arXiv 1912.11035)."""

from __future__ import annotations

from authentiscan.datasets.catalog.base import (
    DataSet,
    Place,
    place_of,
)
from authentiscan.datasets.foldernames import SPLIT_WORDS, Parts, slug

LABELS = {"0_real": 0, "1_fake": 1}
TEST_GENERATORS = (
    "progan", "stylegan", "biggan", "cyclegan", "stargan", "gaugan", "crn", "imle",
    "seeingdark", "san", "deepfake", "stylegan2", "whichfaceisreal",
)  # fmt: skip


def place(parts: Parts) -> Place | None:
    """``[{train,val,test}/]<generator>[/<class>]/{0_real,1_fake}/name``.

    The training and validation folders hold ProGAN only and name no generator: a folder below
    ``train`` or ``val`` that is no known generator is one of ProGAN's object classes, of which one
    is called ``train``.
    """
    if len(parts) < 2 or parts[-2] not in LABELS:
        return None
    above = list(parts[:-2])
    at = next((i for i, p in enumerate(above) if p.lower() in SPLIT_WORDS), None)
    split = None
    if at is not None and (at == 0 or at < len(above) - 1):  # below a generator it is a class
        split = SPLIT_WORDS[above.pop(at).lower()]
    known = next((slug(p) for p in above if slug(p) in TEST_GENERATORS), None)
    if known is None:
        known = "progan" if split in ("train", "val") else slug(above[0]) if above else None
    if known is None:
        return None
    return place_of(LABELS[parts[-2]], known, split)


FORENSYNTHS = DataSet(
    name="forensynths",
    title="ForenSynths (CNNDetection): ProGAN for training, 13 generators for testing",
    images=None,
    generators=TEST_GENERATORS,
    licence="see home page",
    home="https://github.com/PeterWang512/CNNDetection",
    place=place,
    manual=(
        "1. Open {home}, section (3) Dataset; download the test, training and validation zips.\n"
        "2. Unpack them into {folder}/test, {folder}/train and {folder}/val.\n"
        "3. authentiscan data organize {folder} --as forensynths --out forensynths.parquet"
    ),
)
