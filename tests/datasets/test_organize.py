"""From inputs to a manifest: facts, failures, resuming, order, merging."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from authentiscan.core.errors import DatasetError, ManifestError, UsageError
from authentiscan.datasets import folders
from authentiscan.datasets.inputs import Input
from authentiscan.datasets.merge import METADATA
from authentiscan.datasets.organize import organize
from authentiscan.images.decode import encode
from authentiscan.manifest.hold_out import HoldOut
from authentiscan.manifest.table import COLUMNS, Manifest
from catalog_samples import lay_out, sample, tiles

Photos = dict[str, np.ndarray]


@pytest.fixture
def raw(tmp_path: Path, photos: Photos) -> Path:
    """Twenty reals (JPEG) and twenty fakes (PNG)."""
    root = tmp_path / "raw"
    for i, pixels in zip(range(40), tiles(photos), strict=False):
        kind, ending = (("real", "jpg"), ("fake", "png"))[i % 2]
        target = root / kind / f"{i:02d}.{ending}"
        target.parent.mkdir(parents=True, exist_ok=True)
        format = "JPEG" if ending == "jpg" else "PNG"
        target.write_bytes(encode(pixels, format, **({"quality": 83} if format == "JPEG" else {})))
    return root


def splits(manifest: Manifest) -> dict[str, str]:
    return dict(zip(manifest.column("name"), manifest.column("split"), strict=True))


def test_facts_are_those_of_the_files(raw: Path, tmp_path: Path) -> None:
    made = organize([raw], tmp_path / "m.parquet")
    manifest = made.manifest()
    assert (made.rows, made.failed, made.failures) == (40, 0, None)
    assert list(COLUMNS) == manifest.table.column_names[: len(COLUMNS)]
    for i in range(40):
        row = {n: manifest.column(n)[i] for n in manifest.table.column_names}
        data = (tmp_path / row["path"]).read_bytes()
        assert manifest.image_bytes(i) == data
        assert row["sha256"] == hashlib.sha256(data).hexdigest()
        assert (row["width"], row["height"], row["bytes"]) == (48, 48, len(data))
        assert row["format"] == ("JPEG" if row["label"] == 0 else "PNG")
        assert row["jpeg_quality"] == (83 if row["label"] == 0 else None)
        assert row["dataset"] == "raw"
    assert not list(tmp_path.glob("*.parts"))


def test_trusted_headers_give_the_same_manifest_but_for_damaged_pixels(
    raw: Path, tmp_path: Path
) -> None:
    whole = organize([raw], tmp_path / "whole.parquet").manifest().table
    quick = organize([raw], tmp_path / "quick.parquet", trust_headers=True)
    assert quick.manifest().table.equals(whole)
    assert json.loads(quick.manifest().table.schema.metadata[METADATA])["trust_headers"] is True
    photo = raw / "real" / "00.jpg"
    photo.write_bytes(photo.read_bytes()[:-200])
    assert organize([raw], tmp_path / "whole.parquet").failed == 1
    assert organize([raw], tmp_path / "quick.parquet", trust_headers=True).failed == 0


def test_parts_with_other_trust_are_not_taken_up(raw: Path, tmp_path: Path) -> None:
    """Parts of a run that decoded nothing are no facts of one that decodes."""
    photo = raw / "real" / "00.jpg"
    photo.write_bytes(photo.read_bytes()[:-200])
    out = tmp_path / "m.parquet"
    with pytest.raises(UsageError, match="missing"):  # ends after the parts are written
        organize([raw], out, trust_headers=True, hold_out=[HoldOut("generator", "missing")])
    assert organize([raw], out).failed == 1


def test_same_manifest_whatever_the_file_order_or_processes(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = organize([raw], tmp_path / "one.parquet", processes=1).manifest()
    copy = tmp_path / "copy" / "raw"
    for path in sorted(raw.rglob("*.*"), reverse=True):  # created in another order
        target = copy / path.relative_to(raw)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    monkeypatch.setattr(folders, "CHUNK_IMAGES", 7)
    other = organize([copy], tmp_path / "copy" / "other.parquet", processes=2).manifest()
    assert one.sha256() == other.sha256()


def test_rows_of_a_shuffled_table_keep_their_splits(tmp_path: Path, photos: Photos) -> None:
    source = sample("parquet", tmp_path, photos)
    table = pq.read_table(source).drop_columns("group")
    table = table.append_column("name", pa.array([f"n{i}" for i in range(len(table))]))
    pq.write_table(table, tmp_path / "a.parquet")
    order = np.random.default_rng(1).permutation(len(table))
    pq.write_table(table.take(order), tmp_path / "b.parquet")
    one, other = (
        organize([Input(tmp_path / f"{n}.parquet", dataset="x")], tmp_path / f"{n}.m.parquet")
        for n in "ab"
    )
    assert splits(one.manifest()) == splits(other.manifest())


def test_unreadable_files_are_listed_and_left_out(raw: Path, tmp_path: Path) -> None:
    (raw / "real" / "empty.jpg").write_bytes(b"")
    (raw / "real" / "text.jpg").write_text("no image")
    whole = (raw / "fake" / "01.png").read_bytes()
    (raw / "fake" / "cut.png").write_bytes(whole[: len(whole) // 2])
    made = organize([raw], tmp_path / "m.parquet")
    assert (made.rows, made.failed) == (40, 3)
    assert made.failures is not None
    listed = [json.loads(line) for line in made.failures.read_text().splitlines()]
    told = {Path(f["path"]).name: f["error"] for f in listed}
    assert set(told) == {"empty.jpg", "text.jpg", "cut.png"}
    for name, words in (("empty", "empty"), ("text", "text file"), ("cut", "truncated")):
        assert any(n.startswith(name) and words in error for n, error in told.items()), told


def test_interrupted_work_is_taken_up_again(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "CHUNK_IMAGES", 8)
    out = tmp_path / "m.parquet"
    whole = organize([raw], out, processes=1).manifest().sha256()
    out.unlink()

    def interrupt(seen: int, _: int | None) -> None:
        if seen >= 24:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        organize([raw], out, processes=1, progress=interrupt)
    parts = tmp_path / "m.parquet.parts"
    before = {p.name: p.stat().st_mtime_ns for p in parts.glob("*.parquet")}
    assert len(before) == 3
    assert not out.exists()
    (parts / "part-000001.json").unlink()  # as if it had been cut off before it was whole
    written: list[str] = []
    real = organize.__globals__["write_part"]
    monkeypatch.setitem(
        organize.__globals__,
        "write_part",
        lambda *w: written.append(w[1].name) or real(*w),
    )
    assert organize([raw], out, processes=1).manifest().sha256() == whole
    assert written == ["part-000001.parquet", "part-000003.parquet", "part-000004.parquet"]


def test_interrupting_the_command_keeps_finished_parts(tmp_path: Path, photos: Photos) -> None:
    source = sample("parquet", tmp_path, photos)
    table = pa.concat_tables([pq.read_table(source)] * 600)
    pq.write_table(table, tmp_path / "big.parquet", row_group_size=200)
    out = tmp_path / "m.parquet"
    command = [
        sys.executable,
        "-c",
        "from authentiscan.cli import main; main()",
        "data",
        "organize",
    ]
    command += [str(tmp_path / "big.parquet"), "--out", str(out)]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    parts = tmp_path / "m.parquet.parts"
    for _ in range(3000):
        if len(list(parts.glob("*.json"))) >= 2:
            break
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=120)
    assert running.returncode == 130
    assert "Traceback" not in errors
    before = len(list(parts.glob("*.json")))
    assert 2 <= before < 30
    seen: list[int] = []
    made = organize(
        [tmp_path / "big.parquet"], out, processes=1, progress=lambda n, _: seen.append(n)
    )
    assert made.rows == 6_000
    assert len(seen) == 30


def test_changed_files_are_read_again_on_resuming(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "CHUNK_IMAGES", 8)

    def interrupt(seen: int, _: int | None) -> None:
        if seen >= 16:
            raise KeyboardInterrupt

    out = tmp_path / "m.parquet"
    with pytest.raises(KeyboardInterrupt):
        organize([raw], out, processes=1, progress=interrupt)
    changed = raw / "fake" / "01.png"
    changed.write_bytes((raw / "fake" / "03.png").read_bytes())
    manifest = organize([raw], out, processes=1).manifest()
    index = manifest.column("name").index("fake/01.png")
    assert manifest.column("sha256")[index] == hashlib.sha256(changed.read_bytes()).hexdigest()


def test_several_inputs_in_one_manifest(raw: Path, tmp_path: Path, photos: Photos) -> None:
    hub = sample("huggingface", tmp_path / "hub", photos)
    listing = sample("csv", tmp_path / "csv", photos)
    made = organize(
        [raw, Input(hub, dataset="hub"), listing],
        tmp_path / "all.parquet",
        hold_out=[HoldOut("dataset", "hub")],
        processes=1,
    )
    manifest = made.manifest()
    assert set(manifest.column("dataset")) == {"raw", "hub", "list"}
    held = manifest.where(dataset="hub")
    assert set(held.column("split")) == {"test"}
    assert set(held.column("held_out")) == {True}
    assert "photographer" in manifest.table.column_names
    again = organize(
        [tmp_path / "all.parquet"], tmp_path / "sub" / "again.parquet", processes=1
    ).manifest()
    assert again.column("sha256") == manifest.column("sha256")
    assert again.column("photographer") == manifest.column("photographer")
    assert [again.image_bytes(i) for i in (0, 41, 47)] == [
        manifest.image_bytes(i) for i in (0, 41, 47)
    ]


def test_equal_images_share_split_and_group(raw: Path, tmp_path: Path) -> None:
    for i in range(0, 40, 2):
        shutil.copy(raw / "real" / f"{i:02d}.jpg", raw / "real" / f"copy{i:02d}.jpg")
    listing = tmp_path / "list.csv"
    rows = [f"raw/real/{p.name},real,g-{p.stem}" for p in sorted((raw / "real").iterdir())]
    listing.write_text("\n".join(["path,label,group", *rows]))
    made = organize([listing], tmp_path / "m.parquet")
    manifest = made.manifest()
    assert made.joined == 20
    found: dict[str, set[tuple[str, str]]] = {}
    columns = (manifest.column(n) for n in ("sha256", "split", "group"))
    for sha, split, group in zip(*columns, strict=True):
        found.setdefault(sha, set()).add((split, group))
    assert all(len(places) == 1 for places in found.values())


def test_own_split(tmp_path: Path, photos: Photos) -> None:
    source = sample("faces", tmp_path / "faces", photos)
    manifest = organize([source], tmp_path / "m.parquet", own_split=True).manifest()
    for name, split in splits(manifest).items():
        assert {"train": "train", "valid": "val", "test": "test"}[name.split("/")[2]] == split


def test_zip_organizes_like_its_folder(tmp_path: Path, photos: Photos) -> None:
    source = sample("cifake", tmp_path / "c", photos)
    shutil.make_archive(str(tmp_path / "zips" / "train"), "zip", source)
    one = organize([source], tmp_path / "one.parquet").manifest()
    other = organize([tmp_path / "zips"], tmp_path / "other.parquet").manifest()
    assert splits(one) == splits(other)
    assert [other.image_bytes(i) for i in range(12)] == [one.image_bytes(i) for i in range(12)]


def test_archive_in_parts_must_be_joined_first(tmp_path: Path, photos: Photos) -> None:
    source = sample("folders", tmp_path / "c", photos)
    shutil.make_archive(str(tmp_path / "zips" / "all"), "zip", source)
    (tmp_path / "zips" / "all.z01").write_bytes(b"PK\x07\x08")
    with pytest.raises(ManifestError, match=r"join them first: zip -s 0 all\.zip"):
        organize([tmp_path / "zips"], tmp_path / "m.parquet")


def test_paths_are_relative_to_the_manifest(raw: Path, tmp_path: Path) -> None:
    manifest = organize([raw], tmp_path / "out" / "m.parquet").manifest()
    assert manifest.column("path")[0].startswith("../raw/")


@pytest.mark.parametrize(
    ("inputs", "out", "error", "message"),
    [
        ([], "m.parquet", UsageError, "no inputs"),
        (["nowhere"], "m.parquet", DatasetError, "there is no nowhere"),
        (["."], "m.csv", UsageError, "must end in .parquet"),
    ],
)
def test_wrong_calls_say_what_to_do(
    inputs: list[str],
    out: str,
    error: type[Exception],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        organize(inputs, tmp_path / out)


def test_nothing_readable_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "d" / "real").mkdir(parents=True)
    (tmp_path / "d" / "real" / "1.jpg").write_text("no image")
    with pytest.raises(DatasetError, match=r"no image could be read.*a text file; allowed are"):
        organize([tmp_path / "d"], tmp_path / "m.parquet")


def test_shared_tables(shared_data: Path, tmp_path: Path) -> None:
    table = pq.ParquetFile(shared_data / "faces.parquet").read_row_group(0)
    pq.write_table(table, tmp_path / "faces.parquet")
    manifest = organize([tmp_path / "faces.parquet"], tmp_path / "m.parquet").manifest()
    assert manifest.column("group") == table["group"].to_pylist()
    assert manifest.column("source") == table["source"].to_pylist()
    assert manifest.column("width") == table["width"].to_pylist()
    assert {"stored", "style", "source_width", "source_format"} <= set(manifest.table.column_names)


def test_a_folder_of_parts_must_be_ours(raw: Path, tmp_path: Path) -> None:
    parts = tmp_path / "m.parquet.parts"
    parts.mkdir()
    (parts / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds other files than parts of a manifest"):
        organize([raw], tmp_path / "m.parquet")
    assert (parts / "thesis.txt").read_text() == "mine"
    (parts / "thesis.txt").rename(parts / "part-000000.json")
    organize([raw], tmp_path / "m.parquet")
    assert not parts.exists()


def test_what_was_concluded_and_left_out_is_told_and_kept(raw: Path, tmp_path: Path) -> None:
    (raw / "fake" / "nature").mkdir()
    shutil.move(raw / "fake" / "01.png", raw / "fake" / "nature" / "01.png")
    (raw / "notes.txt").write_text("x")
    shutil.copy(raw / "real" / "00.jpg", raw / "real" / "same.jpg_large")
    made = organize([raw], tmp_path / "m.parquet")
    assert made.concluded == {(0, 'the folder "real"'): 21, (1, 'the folder "fake"'): 20}
    assert made.left_out == {".txt file": 1}
    kept = json.loads(pq.read_schema(made.path).metadata[METADATA])
    assert [1, 'the folder "fake"', 20] in kept["concluded"]
    assert kept["left_out"] == {".txt file": 1}


def test_folders_that_cannot_be_read_are_failures(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (raw / "real" / "locked").mkdir()
    scan = os.scandir

    def refuse(path: object) -> object:
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    made = organize([raw], tmp_path / "m.parquet")
    assert (made.rows, made.failed) == (40, 1)
    assert made.failures is not None
    assert "cannot be listed: Permission denied" in made.failures.read_text()


@pytest.fixture
def videos(tmp_path: Path, photos: Photos) -> Path:
    """Six videos of each class, eight frames each."""
    names = [
        (f"{kind}/clip{v}/{i:04d}.jpg", kind == "fake")
        for kind in ("real", "fake")
        for v in range(6)
        for i in range(8)
    ]
    return lay_out(tmp_path / "ff", photos, names)


def test_frames_of_one_folder_stay_together_where_asked(videos: Path, tmp_path: Path) -> None:
    torn = organize([videos], tmp_path / "m.parquet").torn
    assert torn is not None
    assert "frames of one video" in str(torn)
    made = organize([videos], tmp_path / "m.parquet", group_by="folder", processes=1)
    assert made.torn is None
    where: dict[str, set[str]] = {}
    for name, split in splits(made.manifest()).items():
        where.setdefault(name.rpartition("/")[0], set()).add(split)
    assert len(where) == 12
    assert all(len(found) == 1 for found in where.values())
    assert {s for found in where.values() for s in found} == {"train", "val", "test"}


def test_frames_whose_name_tells_the_video(tmp_path: Path, photos: Photos) -> None:
    names = [
        (f"{kind}/v{v}_frame{i:03d}.jpg", kind == "fake")
        for kind in ("real", "fake")
        for v in range(6)
        for i in range(5)
    ]
    source = lay_out(tmp_path / "flat", photos, names)
    shutil.make_archive(str(tmp_path / "flat"), "zip", source)
    for path in (source, tmp_path / "flat.zip"):
        assert organize([path], tmp_path / "m.parquet").torn is not None
        made = organize([path], tmp_path / "m.parquet", group_by="name")
        assert made.torn is None
        assert len(set(made.manifest().column("group"))) == 12


def test_another_grouping_is_not_taken_from_unfinished_parts(
    videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "CHUNK_IMAGES", 30)

    def interrupt(seen: int, _: int | None) -> None:
        if seen >= 60:
            raise KeyboardInterrupt

    out = tmp_path / "m.parquet"
    with pytest.raises(KeyboardInterrupt):
        organize([videos], out, processes=1, progress=interrupt)
    made = organize([videos], out, processes=1, group_by="folder")
    assert len(set(made.manifest().column("group"))) == 12


def test_the_output_is_never_an_input(tmp_path: Path, photos: Photos) -> None:
    source = sample("parquet", tmp_path, photos)
    before = source.read_bytes()
    with pytest.raises(UsageError, match="is also an input"):
        organize([source], source)
    (tmp_path / "link.parquet").symlink_to(source)
    with pytest.raises(UsageError, match="is also an input"):
        organize([source], tmp_path / "link.parquet")
    assert source.read_bytes() == before


def listing(tmp_path: Path, photos: Photos, text: str) -> Path:
    files = [(f"train/{k}/{i}.jpg", k == "fake") for i in range(6) for k in ("real", "fake")]
    lay_out(tmp_path, photos, files)
    (tmp_path / "list.csv").write_text(text, encoding="utf-8")
    return tmp_path / "list.csv"


@pytest.mark.parametrize("header", [",path,label", "path,label,", "path,label, ,"])
def test_columns_without_a_name_are_nothing(tmp_path: Path, photos: Photos, header: str) -> None:
    at = header.split(",").index("path")
    rows = []
    for i in range(6):
        for kind in ("real", "fake"):
            cells = [f"x{i}"] * len(header.split(","))
            cells[at : at + 2] = [f"train/{kind}/{i}.jpg", kind]
            rows.append(",".join(cells))
    made = organize([listing(tmp_path, photos, "\n".join([header, *rows]))], tmp_path / "m.parquet")
    assert (made.rows, made.failed) == (12, 0)
    assert "" not in made.manifest().table.column_names


def test_labels_that_mean_the_opposite_stop_until_told(tmp_path: Path, photos: Photos) -> None:
    rows = [f"{i},{int(k == 'real')},train/{k}/{i}.jpg" for i in range(6) for k in ("real", "fake")]
    source = listing(tmp_path, photos, "\n".join(["id,label,path", *rows]))
    with pytest.raises(UsageError, match="--label 0=generated --label 1=real"):
        organize([source], tmp_path / "m.parquet")
    assert not (tmp_path / "m.parquet").exists()
    made = organize([Input(source, labels={"1": 0, "0": 1})], tmp_path / "m.parquet")
    for row in made.manifest():
        assert row.label == int("/fake/" in row.name)
    assert made.concluded == {
        (0, "the column label = 1, as --label says"): 6,
        (1, "the column label = 0, as --label says"): 6,
    }


def test_a_column_that_says_what_is_real(tmp_path: Path, photos: Photos) -> None:
    rows = [f"{int(k == 'real')},train/{k}/{i}.jpg" for i in range(6) for k in ("real", "fake")]
    source = listing(tmp_path, photos, "\n".join(["is_real,path", *rows]))
    for row in organize([source], tmp_path / "m.parquet").manifest():
        assert row.label == int("/fake/" in row.name)
