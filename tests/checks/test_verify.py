"""Verify on manifests with planted faults: each is found, each is mended by the written rule."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from authentiscan.checks.verify import Verified, verification_page, verify
from authentiscan.core.errors import DatasetError, ManifestError
from authentiscan.core.progress import Progress
from authentiscan.datasets.open import open_data
from authentiscan.images import degrade
from authentiscan.images.decode import encode
from authentiscan.manifest.table import Manifest

Photos = dict[str, np.ndarray]


def parts(photos: Photos, side: int = 96) -> list[np.ndarray]:
    found = [
        photo[top : top + side, left : left + side]
        for photo in photos.values()
        for top in range(0, photo.shape[0] - side + 1, 2 * side)
        for left in range(0, photo.shape[1] - side + 1, 2 * side)
    ]
    return [part for part in found if part.std() > 20]


class Folder:
    """Files and manifest rows, added one after another."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.rows: list[dict[str, object]] = []

    def add(self, data: bytes, **columns: object) -> int:
        name = f"image-{len(self.rows)}.bin"
        (self.root / name).write_bytes(data)
        usual = {"label": 0, "generator": "camera", "dataset": "own", "split": "train"}
        row = {"path": name, "group": name, **usual, **columns}
        self.rows.append(row)
        return len(self.rows) - 1

    def manifest(self) -> Manifest:
        pq.write_table(pa.Table.from_pylist(self.rows), self.root / "manifest.parquet")
        return open_data(self.root / "manifest.parquet")


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def kinds(found: Verified) -> list[tuple[str, tuple[int, ...]]]:
    return sorted((c.kind, tuple(i.row for i in c.images)) for c in found.report.duplicates)


def test_a_clean_manifest_is_trustworthy(folder: Folder, photos: Photos) -> None:
    for i, part in enumerate(parts(photos)[:12]):
        folder.add(encode(part, "PNG"), label=i % 2, split=("train", "val", "test")[i % 3])
    found = verify(folder.manifest())
    assert found.report.trustworthy
    assert found.report.leaks == 0
    assert found.report.duplicates == ()
    assert found.report.counts["label"] == {"real": 6, "generated": 6}
    assert found.report.counts["split"] == {"train": 4, "val": 4, "test": 4}


def test_every_planted_fault_is_found(folder: Folder, photos: Photos) -> None:
    images = parts(photos)
    a = folder.add(encode(images[0], "PNG"), split="train")
    b = folder.add(encode(images[0], "PNG"), split="test")  # same bytes, other split
    c = folder.add(encode(images[1], "PNG"), label=0)
    d = folder.add(encode(images[1], "PNG", compress_level=0), label=1, generator="x")  # pixels
    e = folder.add(encode(images[2], "PNG"), split="train")
    small = degrade.parse("resize:scale=0.6 | jpeg:quality=80")(images[2], degrade.image_rng(0))[0]
    f = folder.add(encode(small, "PNG"), split="val")  # near, other split
    g = folder.add(b"")
    h = folder.add(encode(images[3], "JPEG")[:200])
    i = folder.add(encode(images[4], "PNG"), group="person", split="train")
    folder.add(encode(images[5], "PNG"), group="person", split="test")
    (folder.root / folder.rows[i]["path"]).rename(folder.root / "moved")
    missing = i
    found = verify(folder.manifest())
    assert kinds(found) == [("bytes", (a, b)), ("near", (e, f)), ("pixels", (c, d))]
    assert {u.image.row for u in found.report.unreadable} == {g, h, missing}
    assert found.report.unreadable[0].error == "the file is empty (0 bytes)"
    assert [leak.group for leak in found.report.group_leaks] == ["person"]
    assert found.report.leaks == 3
    assert not found.report.trustworthy
    assert found.report.copies["pixels"].sets_across_labels == 1


def test_the_cleaned_manifest_has_no_fault_left(
    folder: Folder, photos: Photos, tmp_path: Path
) -> None:
    images = parts(photos)
    stays = folder.add(encode(images[0], "PNG"), split="test")
    goes = [folder.add(encode(images[0], "PNG"), split="train")]
    goes += [folder.add(encode(images[1], "PNG"), label=k, generator="x") for k in (0, 1)]
    goes.append(folder.add(encode(images[2], "PNG"), split="train"))
    near = degrade.parse("crop:keep=0.95,x=0.5,y=0.5")(images[2], degrade.image_rng(0))[0]
    folder.add(encode(near, "PNG"), split="val")
    goes.append(folder.add(b"no image"))
    goes.append(folder.add(encode(images[3], "PNG"), group="g", split="train"))
    folder.add(encode(images[4], "PNG"), group="g", split="val")
    one = folder.add(encode(images[5], "PNG"), group="first", split="train")
    half = degrade.parse("resize:scale=0.5")(images[5], degrade.image_rng(0))[0]
    two = folder.add(encode(half, "PNG"), group="second", split="train")
    (tmp_path / "out").mkdir()
    target = tmp_path / "out" / "clean.parquet"
    removed = verify(folder.manifest()).fix(target)
    assert [r.image.row for r in removed] == sorted(goes)
    assert f"exact copy of row {stays}" in removed[0].reason
    assert "both labels" in removed[1].reason
    text = (tmp_path / "out" / "clean.removed.csv").read_text()
    assert len(text.splitlines()) == len(goes) + 1
    cleaned = Manifest.read(target)  # its paths hold from the other folder
    again = verify(cleaned)
    assert again.report.trustworthy
    assert again.report.rows == len(folder.rows) - len(goes)
    groups = {row["path"]: row["group"] for row in cleaned.table.to_pylist()}
    joined = [groups[f"../image-{row}.bin"] for row in (one, two)]
    assert joined[0] == joined[1]


def test_facts_that_files_contradict_are_told(folder: Folder, photos: Photos) -> None:
    part = parts(photos)[0]
    folder.add(encode(part, "PNG"), width=96, height=95, format="JPEG", bytes=None)
    found = verify(folder.manifest()).report
    assert {(m.column, m.claimed, m.found) for m in found.mismatches} == {
        ("height", "95", "96"),
        ("format", "JPEG", "PNG"),
    }


def test_skew_and_single_classes_are_noted(folder: Folder, photos: Photos) -> None:
    for i, part in enumerate(parts(photos)[:8]):
        folder.add(encode(part, "PNG"), label=int(i == 0), dataset="a" if i < 4 else "b")
    notes = {(b.part, b.name): b.note for b in verify(folder.manifest()).report.balance}
    assert notes["all", "all"] == "skewed"
    assert notes["dataset", "b"] == "one class only"


def test_counts_are_held_against_the_catalog(folder: Folder, photos: Photos) -> None:
    folder.add(encode(parts(photos)[0], "PNG"), dataset="cifake")
    found = verify(folder.manifest()).report.expectations
    assert [(e.dataset, e.published, e.found) for e in found] == [("cifake", 120_000, 1)]


def test_flat_images_are_no_near_copies(folder: Folder) -> None:
    for level in range(0, 250, 10):
        folder.add(encode(np.full((20, 20, 3), level, np.uint8), "PNG"))
    assert verify(folder.manifest()).report.duplicates == ()


def test_the_page_is_whole_and_escapes_names(
    folder: Folder, photos: Photos, read_page: Callable[[str], Any]
) -> None:
    data = encode(parts(photos)[0], "PNG")
    folder.add(data, name="<script>x</script>", split="test")
    folder.add(data, name="b", split="train")
    manifest = folder.manifest()
    page = read_page(verification_page(manifest, verify(manifest).report).html())
    assert "<script>x</script>" in page.text
    assert len(page.all("img")) == 2
    assert "1 leaks, 0 unreadable" in page.text


def test_two_processes_see_what_one_sees(tmp_path: Path, photos: Photos) -> None:
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (12, 12, 3), dtype=np.uint8) for _ in range(550)]
    images[549] = images[3]
    table = pa.table(
        {
            "image": [encode(image, "PNG") for image in images],
            "label": pa.array([i % 2 for i in range(550)], pa.int8()),
        }
    )
    pq.write_table(table, tmp_path / "table.parquet", row_group_size=100)
    manifest = open_data(tmp_path / "table.parquet")
    steps: list[tuple[str, int, int | None]] = []

    def told(title: str) -> Progress:
        return lambda done, total: steps.append((title, done, total))

    both = [verify(manifest, workers=n, progress=told) for n in (1, 2)]
    assert kinds(both[0]) == kinds(both[1]) == [("bytes", (3, 549))]
    assert ("reading images", 550, 550) in steps
    # Fixed manifests still find their images in the table they came from.
    both[0].fix(tmp_path / "clean.parquet")
    assert len(verify(Manifest.read(tmp_path / "clean.parquet")).report.unreadable) == 0


def test_tables_without_labels_are_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"image": [b"x"]}), tmp_path / "t.parquet")
    with pytest.raises(DatasetError, match=r"lacks a column \(label"):
        open_data(tmp_path / "t.parquet")
    with pytest.raises(ManifestError, match="there is no"):
        open_data(tmp_path / "absent.parquet")
    (tmp_path / "broken.parquet").write_bytes(b"nonsense")
    with pytest.raises(ManifestError, match="no readable Parquet"):
        open_data(tmp_path / "broken.parquet")


@pytest.mark.slow
def test_cifake_has_hundreds_of_exact_duplicates(shared_data: Path) -> None:
    report = verify(open_data(shared_data / "cifake.parquet")).report
    assert report.copies["bytes"].pairs == 920
