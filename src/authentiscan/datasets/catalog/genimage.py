"""GenImage: ImageNet against eight generators (Zhu et al., NeurIPS 2023, arXiv 2306.08571)."""

from __future__ import annotations

from pathlib import Path

from authentiscan.datasets.catalog.base import DataSet, Place, place_of
from authentiscan.datasets.foldernames import Parts

# Every published folder name of a generator contains one of these, with case, blanks and signs
# taken out: "Stable Diffusion V1.4", "stable_diffusion_v_1_4", "imagenet_ai_0419_sdv4", ...
GENERATOR_MARKS: tuple[tuple[str, str], ...] = (
    ("midjourney", "midjourney"),
    ("stablediffusionv14", "stable-diffusion-1.4"),
    ("sdv4", "stable-diffusion-1.4"),
    ("sdv14", "stable-diffusion-1.4"),
    ("stablediffusionv15", "stable-diffusion-1.5"),
    ("sdv5", "stable-diffusion-1.5"),
    ("sdv15", "stable-diffusion-1.5"),
    ("wukong", "wukong"),
    ("vqdm", "vqdm"),
    ("biggan", "biggan"),
    ("glide", "glide"),
    ("adm", "adm"),
)
GENERATORS = tuple(dict.fromkeys(name for _, name in GENERATOR_MARKS))
# What the authors' download folders hold: folder -> archive, in parts name.z01, name.z02, ...,
# name.zip.
ARCHIVES = {
    "Midjourney": "imagenet_midjourney",
    "stable_diffusion_v_1_4": "imagenet_ai_0419_sdv4",
    "stable_diffusion_v_1_5": "imagenet_ai_0424_sdv5",
    "ADM": "imagenet_ai_0508_adm",
    "glide": "imagenet_glide",
    "wukong": "imagenet_ai_0424_wukong",
    "VQDM": "imagenet_ai_0419_vqdm",
    "BigGAN": "imagenet_ai_0419_biggan",
}
# The paper trains on `train` and tests on `val`, so `val` is this package's `test`.
SPLITS = {"train": "train", "val": "test"}


def generator_of(folder: str) -> str | None:
    """The generator that a folder is named after, None where it is none of the eight."""
    word = "".join(c for c in folder.lower() if c.isalnum())
    return next((name for mark, name in GENERATOR_MARKS if mark in word), None)


def place(parts: Parts) -> Place | None:
    """``<generator>[/imagenet_...]/{train,val}/{ai,nature}/name``.

    Real ones are named after their ImageNet file, which becomes the group.
    """
    if len(parts) < 4 or parts[-2] not in ("ai", "nature") or parts[-3] not in SPLITS:
        return None
    generator = next((g for g in map(generator_of, reversed(parts[:-3])) if g), None)
    if generator is None:
        return None
    if parts[-2] == "ai":
        return place_of(1, generator, SPLITS[parts[-3]])
    return place_of(0, generator, SPLITS[parts[-3]], f"imagenet:{Path(parts[-1]).stem}")


GENIMAGE = DataSet(
    name="genimage",
    title="GenImage: ImageNet and eight generators",
    images=2_681_167,
    generators=GENERATORS,
    licence="CC BY-NC-SA 4.0",
    home="https://genimage-dataset.github.io",
    place=place,
    rooted=True,
    manual=(
        "GenImage is handed out by its authors as multi-part zips; no client can fetch it.\n"
        "1. Open https://github.com/GenImage-Dataset/GenImage and follow its Google Drive or\n"
        "   Baidu link. There is one folder a generator, with one archive in parts:\n"
        + "".join(
            f"     {folder}: {name}.z01, .z02, ..., .zip\n" for folder, name in ARCHIVES.items()
        )
        + "2. Download every part of the generators you want into {folder}/<generator>/.\n"
        "   The .zip is the last part and is needed too. One generator takes some 20 GB or more.\n"
        "3. Join, check and unpack each generator inside its folder:\n"
        "   zip -s 0 name.zip --out whole.zip && unzip -t whole.zip && unzip whole.zip\n"
        "   A missing or damaged part is named by the first or the second of these.\n"
        "4. authentiscan data organize {folder} --as genimage --out genimage.parquet\n"
        "   Some published images are empty or damaged; they are listed and left out."
    ),
)
