"""Several detectors on several data sets: pictures, tables, overlap."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from authentiscan.core.errors import UsageError
from authentiscan.explain.compare import CHANCE_IOU, compare, top_overlap
from authentiscan.inference import load_detector
from authentiscan.manifest.table import Manifest


def manifest(images: list[np.ndarray], broken: bool = False) -> Manifest:
    encoded = []
    for image in images:
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "PNG")
        encoded.append(buffer.getvalue())
    if broken:
        encoded[0] = b"not an image"
    count = len(images)
    return Manifest(
        pa.table(
            {
                "image": encoded,
                "label": [index % 2 for index in range(count)],
                "generator": ["camera", "gan"] * (count // 2) + ["camera"] * (count % 2),
                "dataset": ["d"] * count,
                "group": [str(index) for index in range(count)],
                "name": [f"n{index}" for index in range(count)],
            }
        )
    )


def test_a_comparison_is_complete(tiny_bundle: Path, photos, tmp_path):
    detector = load_detector(tiny_bundle, threads=1)
    images = [photo[:150, :200] for photo in photos.values()]
    done = []
    found = compare(
        {"one": detector, "../two": detector},
        {"first": manifest(images), "second": manifest(images[:3], broken=True)},
        tmp_path / "out",
        samples=4,
        progress=lambda: done.append(1),
    )
    assert len(found.seen) == 2 * (4 + 2)
    assert len(done) == len(found.seen)
    assert [line.split(":")[0] for line in found.skipped] == ["second/n0"]
    labels = [seen.label for seen in found.seen if seen.model == "one" and seen.dataset == "first"]
    assert sorted(labels) == [0, 0, 1, 1]
    for seen in found.seen:
        picture = tmp_path / "out" / seen.picture
        assert picture.resolve().is_relative_to((tmp_path / "out" / "overlays").resolve())
        assert Image.open(picture).size == (200, 150)
    same = [row for row in found.overlaps if {row.first, row.second} == {"one", "../two"}]
    assert all(row.iou == pytest.approx(1) and row.correlation == pytest.approx(1) for row in same)
    with (tmp_path / "out" / "overlap.csv").open() as file:
        assert len(list(csv.DictReader(file))) == len(found.overlaps) == 6
    with (tmp_path / "out" / "samples.csv").open() as file:
        assert len(list(csv.DictReader(file))) == len(found.seen)
    for name in ("mean_maps.png", "overlap.png"):
        assert Image.open(tmp_path / "out" / name).width > 200


def test_the_same_seed_draws_the_same_images(tiny_bundle, photos, tmp_path):
    detector = load_detector(tiny_bundle, threads=1)
    data = {"d": manifest([photo[:100, :100] for photo in photos.values()])}
    first = compare({"m": detector}, data, tmp_path / "a", samples=2, seed=3)
    again = compare({"m": detector}, data, tmp_path / "b", samples=2, seed=3)
    assert [s.name for s in first.seen] == [s.name for s in again.seen]


def test_overlap_of_unrelated_maps_is_chance():
    rng = np.random.default_rng(0)
    pairs = rng.random((200, 2, 32, 32)).astype(np.float32)
    assert np.mean([top_overlap(a, b) for a, b in pairs]) == pytest.approx(CHANCE_IOU, abs=0.01)
    assert top_overlap(pairs[0, 0], pairs[0, 0]) == 1


def test_nothing_to_compare_is_refused(tmp_path):
    with pytest.raises(UsageError):
        compare({}, {}, tmp_path)


def test_an_interrupted_comparison_goes_on(tiny_bundle: Path, photos, tmp_path):
    detector = load_detector(tiny_bundle, threads=1)
    images = {"d": manifest([photo[:100, :120] for photo in photos.values()])}
    whole = compare({"one": detector}, images, tmp_path / "whole", samples=4)
    done = []

    def stop_after_two() -> None:
        done.append(1)
        if len(done) == 2:
            raise KeyboardInterrupt

    kept = tmp_path / "kept"
    with pytest.raises(KeyboardInterrupt):
        compare(
            {"one": detector},
            images,
            tmp_path / "part",
            samples=4,
            kept=kept,
            progress=stop_after_two,
        )
    assert len(list(kept.rglob("*.npz"))) == 2
    again = compare({"one": detector}, images, tmp_path / "again", samples=4, kept=kept)
    assert again.seen == whole.seen
    assert again.overlaps == whole.overlaps
    for seen in whole.seen:
        pictures = [(tmp_path / name / seen.picture).read_bytes() for name in ("whole", "again")]
        assert pictures[0] == pictures[1]
    assert not list(kept.rglob("*.partial"))
    compare({"one": _Refusing()}, images, tmp_path / "third", samples=4, kept=kept)


class _Refusing:
    """A detector that must not be asked any more."""

    def __getattr__(self, name):
        raise AssertionError(name)
