"""Every entry of the catalog lays out a sample of itself, and that sample must organize."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from authentiscan.core.errors import DatasetError
from authentiscan.core.types import CAMERA
from authentiscan.datasets.catalog import CATALOG, find
from authentiscan.datasets.catalog.base import Place
from authentiscan.datasets.folders import FolderSet, placer_in, recognize
from authentiscan.datasets.inputs import Input
from authentiscan.datasets.listing import walk
from authentiscan.datasets.organize import organize
from authentiscan.images.decode import decode
from catalog_samples import sample

Photos = dict[str, np.ndarray]


@pytest.mark.parametrize("name", CATALOG)
def test_sample_organizes_without_being_told_its_layout(
    name: str, tmp_path: Path, photos: Photos
) -> None:
    entry = CATALOG[name]
    source = sample(name, tmp_path / "sample", photos)
    made = organize([source], tmp_path / "m.parquet", processes=1)
    manifest = made.manifest()
    assert made.failed == 0
    assert set(manifest.labels.tolist()) == {0, 1}
    for row in manifest:
        assert (row.generator == CAMERA) == (row.label == 0)
        assert decode(manifest.image_bytes(row.index)).facts.width > 0
    if entry.generators:
        assert set(manifest.column("generator")) <= {*entry.generators, CAMERA}
    if not entry.layout:
        assert set(manifest.column("dataset")) == {name}
        assert set(manifest.column("licence")) == {entry.licence}


@pytest.mark.parametrize("name", [n for n, e in CATALOG.items() if e.of_folders])
def test_sample_is_recognized_as_itself_and_fits_whole(
    name: str, tmp_path: Path, photos: Photos
) -> None:
    entry = CATALOG[name]
    source = sample(name, tmp_path, photos)
    found = FolderSet.look(source)
    assert recognize(found).name == name
    place = placer_in(entry, source, found.names())
    assert all(place(image.parts) for image in walk(source))


@pytest.mark.parametrize("name", CATALOG)
def test_facts_are_complete(name: str) -> None:
    entry = CATALOG[name]
    assert entry.name == name
    assert entry.title
    assert entry.licence
    if not entry.layout:
        assert entry.home.startswith("https://")
        assert entry.generators
        assert "{folder}" in entry.manual or entry.kaggle or entry.hub


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(DatasetError, match="known are: genimage, cifake"):
        find("nope")


@pytest.mark.parametrize(
    ("path", "generator", "split"),
    [
        ("Midjourney/train/ai/1.png", "midjourney", "train"),
        ("Stable Diffusion V1.4/val/ai/1.png", "stable-diffusion-1.4", "test"),
        (
            "stable_diffusion_v_1_5/imagenet_ai_0424_sdv5/train/ai/1.png",
            "stable-diffusion-1.5",
            "train",
        ),
        ("imagenet_ai_0419_sdv4/train/ai/1.png", "stable-diffusion-1.4", "train"),
        ("wukong/imagenet_ai_0424_wukong/val/ai/1.png", "wukong", "test"),
        ("VQDM/imagenet_ai_0419_vqdm/val/ai/1.png", "vqdm", "test"),
        ("BigGAN/imagenet_ai_0419_biggan/val/ai/1.png", "biggan", "test"),
        ("glide/imagenet_glide/val/ai/1.png", "glide", "test"),
        ("ADM/imagenet_ai_0508_adm/val/ai/1.png", "adm", "test"),
    ],
)
def test_genimage_folders(path: str, generator: str, split: str) -> None:
    place = CATALOG["genimage"].place
    assert place is not None
    assert place(tuple(path.split("/"))) == Place(1, generator, split)


def test_genimage_reals_are_grouped_by_imagenet_file() -> None:
    place = CATALOG["genimage"].place
    assert place is not None
    expected = Place(0, CAMERA, "train", "imagenet:n01440764_10026")
    assert place(("ADM", "train", "nature", "n01440764_10026.JPEG")) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("train/cat/0_real/1.png", Place(0, CAMERA, "train")),
        ("train/cat/1_fake/1.png", Place(1, "progan", "train")),
        ("stylegan2/horse/1_fake/1.png", Place(1, "stylegan2", None)),
        ("test/deepfake/1_fake/1.png", Place(1, "deepfake", "test")),
        ("sdxl/1_fake/1.png", Place(1, "sdxl", None)),
        ("1_fake/1.png", None),
        ("sdxl/other/1.png", None),
    ],
)
def test_forensynths_folders(path: str, expected: Place | None) -> None:
    place = CATALOG["forensynths"].place
    assert place is not None
    assert place(tuple(path.split("/"))) == expected


def test_users_own_upper_case_folders_are_not_taken_for_cifake(
    tmp_path: Path, photos: Photos
) -> None:
    for kind in ("REAL", "FAKE"):
        (tmp_path / kind).mkdir()
        (tmp_path / kind / "IMG_2034.jpg").write_bytes(b"x")
    assert recognize(FolderSet.look(tmp_path)).name == "folders"


def test_layout_can_be_named_with_the_input(tmp_path: Path) -> None:
    assert Input.parse("genimage=/data/G").layout == "genimage"
    assert Input.parse("/data/a=b").path == Path("/data/a=b")
