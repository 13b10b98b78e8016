"""Layouts that any data can have: plain folders, one folder a generator, tables, lists."""

from __future__ import annotations

from functools import cache, partial

from authentiscan.datasets.catalog.base import DataSet, Place, Placer, place_of
from authentiscan.datasets.foldernames import FolderNames, Parts, plain_label, slug, word_of

UNKNOWN = "unknown"
# Names of real-photograph collections that such data sets use for their real folder.
REAL_COLLECTIONS = frozenset({"celeba", "celeba-hq", "ffhq", "lsun", "imagenet", "coco", "flickr"})
# Words that may name a subject, but hardly the subject of one folder beside other generators.
_REAL_BESIDE_GENERATORS = frozenset(
    {"camera", "photo", "photos", "photographs", "original", "originals"}
)
_OWN = "the data's own"


def plain_folders(names: FolderNames) -> Placer:
    """The outermost folder that says real or generated decides.

    The generator stays unknown, unless the user said of a folder that it is generated.
    """

    @cache
    def read(folder: Parts) -> Place | None:
        signs = names.signs(folder)
        if not signs:
            return None
        split = names.split(folder)
        name = signs[0].folder
        generator = UNKNOWN if plain_label(name) is not None else slug(name)
        because = f'the folder "{name}"'
        return place_of(signs[0].label, generator, split and split[1], because=because)

    return lambda parts: read(parts[:-1])


def generator_folders(names: FolderNames) -> Placer:
    """The outermost folder beside one of real photographs is a generator; what lies in it is its.

    Where no folder is called real, every outermost one is a generator.
    """
    lone = not any(
        _real_beside(names, folder, depth)
        for folder in names.folders
        for depth in range(len(folder))
    )

    @cache
    def read(folder: Parts) -> Place | None:
        found = names.split(folder)
        depths = [d for d in range(len(folder)) if found is None or d != found[0]]
        beside = {d: _real_beside(names, folder, d) for d in depths}
        depth = next((d for d in depths if beside[d] or lone), None)
        if depth is None:
            return None
        name, split = folder[depth], found and found[1]
        label = names.given.get(word_of(name), plain_label(name))
        if label == 0 or _is_real(names, folder, depth, name):
            return place_of(0, UNKNOWN, split, because=f'the folder "{name}"')
        because = f'the folder "{name}"' + (f' beside "{beside[depth]}"' if beside[depth] else "")
        inner = [folder[d] for d in depths if d > depth]
        if label == 1:  # fake/ names no generator, a folder in it does
            return place_of(1, slug(inner[0]) if inner else UNKNOWN, split, because=because)
        return place_of(1, slug(name), split, because=because)

    return lambda parts: read(parts[:-1])


def _real_beside(names: FolderNames, folder: Parts, depth: int) -> str:
    """The folder of real photographs that lies where the one at ``depth`` lies; empty for none."""
    beside = sorted(names.beside(folder, depth))
    return next((n for n in beside if _is_real(names, folder, depth, n)), "")


def _is_real(names: FolderNames, folder: Parts, depth: int, name: str) -> bool:
    if names.given.get(word_of(name), plain_label(name)) == 0 or slug(name) in REAL_COLLECTIONS:
        return True
    return word_of(name) in _REAL_BESIDE_GENERATORS and names.outermost(folder, depth)


_layout = partial(DataSet, licence=_OWN, layout=True, home="")

PLAIN = _layout(
    name="folders",
    title="Any folder with real/ and fake/ (REAL/FAKE, nature/ai, 0_real/1_fake, raw/real ...)",
    reader=plain_folders,
)
GENERATORS = _layout(
    name="generators",
    title="Any folder with one folder a generator and one called real (GAN attribution)",
    reader=generator_folders,
)
HUGGING_FACE = _layout(
    name="huggingface",
    title="A Hugging Face image data set: its Parquet shards, class names read from the file",
    home="https://huggingface.co/datasets",
    manual=(
        "1. huggingface-cli download --repo-type dataset OWNER/NAME --local-dir {folder}\n"
        "2. authentiscan data organize huggingface={folder} --out data.parquet"
    ),
)
PARQUET = _layout(
    name="parquet",
    title="A Parquet table with image bytes and labels, or a folder of such tables",
)
CSV_LIST = _layout(
    name="csv",
    title="A CSV list: path, label and, where known, generator, dataset, group, split, licence ...",
)
LAYOUTS = (PLAIN, GENERATORS, HUGGING_FACE, PARQUET, CSV_LIST)
