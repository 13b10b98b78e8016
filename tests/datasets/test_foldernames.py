"""Names of folders, read from the outside in and beside their neighbours."""

from __future__ import annotations

import pytest

from authentiscan.datasets.catalog import CATALOG
from authentiscan.datasets.catalog.base import Place
from authentiscan.datasets.foldernames import FolderNames, label_of, plain_label


def names(*folders: str, **labels: int) -> FolderNames:
    return FolderNames([tuple(f.split("/")) for f in folders], labels)


def read(layout: str, *folders: str, **labels: int) -> dict[str, Place | None]:
    """What the layout says of an image in each folder."""
    place = CATALOG[layout].placer(names(*folders, **labels))
    return {f: place((*f.split("/"), "1.jpg")) for f in folders}


def labels_of(layout: str, *folders: str, **labels: int) -> list[int | None]:
    return [p and p.label for p in read(layout, *folders, **labels).values()]


@pytest.mark.parametrize(
    "subject", ["nature", "human", "photos", "natural", "original", "camera", "real_estate", "city"]
)
@pytest.mark.parametrize(
    "fake",
    ["fake", "FAKE", "1_fake", "ai", "generated", "AI-generated", "Fake_Images", "fakeimages"],
)
def test_everything_below_generated_is_generated(fake: str, subject: str) -> None:
    folders = (f"{fake}/{subject}", f"real/{subject}", f"train/{fake}/{subject}/more")
    assert labels_of("folders", *folders) == [1, 0, 1]


@pytest.mark.parametrize(
    ("folders", "labels"),
    [
        (("nature", "ai"), [0, 1]),
        (("sdv5/val/nature", "sdv5/val/ai"), [0, 1]),
        (("photos/fake", "photos/real"), [1, 0]),
        (("nature/fake", "nature/real"), [1, 0]),
        (("sd15/nature", "sd15/city"), [None, None]),
        (("nature", "city"), [None, None]),
        (("photos", "originals"), [0, 0]),
        (("train/photos", "test/ai"), [0, 1]),
        (("raw/human", "raw/ai"), [0, 1]),
        (("0_real", "1_fake"), [0, 1]),
        (("0_fake", "1_real"), [1, 0]),
        (("Real Images", "unsorted"), [0, None]),
        (("0_real", "1_fake_faces"), [0, 1]),
        (("Fake_Images/nature", "Real-Images/nature"), [1, 0]),
        (("not_fake", "surreal_images"), [None, None]),
    ],
)
def test_words_that_may_be_subjects_need_a_neighbour(
    folders: tuple[str, ...], labels: list[int | None]
) -> None:
    assert labels_of("folders", *folders) == labels


@pytest.mark.parametrize(
    ("folders", "split"),
    [
        (("train/real", "train/fake", "test/real", "test/fake"), "train"),
        (("real/train", "real/test", "fake/train", "fake/test"), "train"),
        (("train/real", "train/fake"), "train"),
        (("train/real", "val/real", "extra/real"), "train"),
        (("real/train", "real/bus", "fake/train", "fake/bus"), None),
        (("fake/train", "real/bus"), None),
        (("real/train", "fake/bus"), None),
        (("train/train/real", "train/bus/real", "val/train/real"), "train"),
        (("val/train/real", "val/bus/real", "train/train/real"), "val"),
    ],
)
def test_a_class_called_train_is_no_split(folders: tuple[str, ...], split: str | None) -> None:
    first = read("folders", *folders)[folders[0]]
    assert first is not None
    assert first.split == split


def test_two_folders_that_contradict_each_other_are_named() -> None:
    found = names("fake/real", "fake/nature", "real/x").contradictions()
    assert [(c.path, c.outer.folder, c.inner.folder) for c in found] == [
        ("fake/real", "fake", "real")
    ]
    assert not names("fake/ai", "real/nature", "real/authentic").contradictions()


def test_what_the_user_says_of_a_folder_counts_first() -> None:
    assert labels_of("folders", "fake/real", "real/x", fake=1) == [1, 0]
    assert labels_of("folders", "fake/real", "fake/x", real=0) == [0, 1]
    assert not names("fake/real", fake=1).contradictions()
    told = read("folders", "cats", "sd_cats/hard", cats=0, sd_cats=1)
    assert told["cats"] == Place(0, "camera")
    assert told["sd_cats/hard"] == Place(1, "sd-cats")


@pytest.mark.parametrize(
    ("folders", "generators"),
    [
        (("real", "ProGAN/cat", "ProGAN/dog"), ["camera", "progan", "progan"]),
        (("set/real", "set/sd15/cats", "set/sd15/dogs"), ["camera", "sd15", "sd15"]),
        (("cats/real", "cats/sd15", "dogs/flux"), ["camera", "sd15", None]),
        (("train/FFHQ", "train/StyleGAN/young", "test/StyleGAN"), ["camera"] + ["stylegan"] * 2),
        (("real", "fake/midjourney/v5", "fake/flux"), ["camera", "midjourney", "flux"]),
        (("real", "sd15/photos", "sd15/nature"), ["camera", "sd15", "sd15"]),
        (("photos", "midjourney"), ["camera", "midjourney"]),
        (("sd15/a", "flux/b"), ["sd15", "flux"]),
        (("real", "fake"), ["camera", "unknown"]),
    ],
)
def test_folders_in_a_generator_are_its_own(
    folders: tuple[str, ...], generators: list[str | None]
) -> None:
    found = read("generators", *folders)
    assert [p and p.generator for p in found.values()] == generators


def test_the_sign_is_told() -> None:
    plain = read("folders", "train/fake/nature", "train/real")
    assert plain["train/fake/nature"].because == 'the folder "fake"'  # type: ignore[union-attr]
    beside = read("generators", "real", "sd15")["sd15"]
    assert beside is not None
    assert beside.because == 'the folder "sd15" beside "real"'


def test_words() -> None:
    assert [plain_label(w) for w in ("Real", "1_fake", "nature", "FAKE", "dog")] == [
        0, 1, None, 1, None,
    ]  # fmt: skip
    assert [label_of(w) for w in ("nature", "human", "ai", "dog")] == [0, 0, 1, None]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("progan/train/0_real/1.png", Place(0, "camera", None)),
        ("train/train/1_fake/1.png", Place(1, "progan", "train")),
        ("test/progan/train/1_fake/1.png", Place(1, "progan", "test")),
        ("CNNDetection/val/car/1_fake/1.png", Place(1, "progan", "val")),
    ],
)
def test_progans_class_of_trains(path: str, expected: Place) -> None:
    place = CATALOG["forensynths"].place
    assert place is not None
    assert place(tuple(path.split("/"))) == expected
