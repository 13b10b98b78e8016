"""Parquet parts: same rows as a plain scan, kept when finished, made anew when anything differs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from authentiscan.core import buckets
from authentiscan.core.errors import UnreadableFileError, UsageError
from authentiscan.images.decode import encode
from authentiscan.inference import Detector, load_detector
from authentiscan.scan import Item, Options, find, parts, scan
from authentiscan.scan.parts import Done, Judge, PartsFolder, made_by, on_this_machine, parts_of
from authentiscan.scan.rows import parquet_row

OPTIONS = Options()


@pytest.fixture(scope="module")
def detector(tiny_bundle: Path) -> Detector:
    return load_detector(tiny_bundle, threads=1)


@pytest.fixture
def folder(tmp_path: Path, photos: dict[str, np.ndarray]) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for name, pixels in photos.items():
        (folder / f"{name}.jpg").write_bytes(encode(pixels[:90, :120], "JPEG"))
    (folder / "broken.png").write_bytes(b"")
    return folder


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "PART_IMAGES", 3)


def made(folder: Path, out: PartsFolder, detector: Detector, **options: Any) -> list[Done]:
    chosen = Options(**options)
    found = parts_of(find([str(folder)]), made_by(detector, chosen))
    return list(on_this_machine(found, Judge(detector, chosen, out, threads=2)))


def without_times(row: dict[str, Any]) -> dict[str, Any]:
    report = json.loads(row["report"])
    del report["timings"]
    if report["provenance"]:
        del report["provenance"]["milliseconds"]
    return {k: v for k, v in row.items() if not k.endswith("_ms")} | {"report": report}


def rows_of(place: Path) -> list[dict[str, Any]]:
    return [without_times(row) for row in pq.read_table(place).to_pylist()]


def test_parts_hold_the_rows_of_a_plain_scan(
    folder: Path, tmp_path: Path, detector: Detector
) -> None:
    done = made(folder, PartsFolder(str(tmp_path / "out")), detector)
    plain = [parquet_row(result.report) for result in scan(find([str(folder)]), detector)]
    assert rows_of(tmp_path / "out") == [without_times(row) for row in plain]
    assert [d.images for d in done] == [3] * (len(plain) // 3) + [len(plain) % 3] * (
        len(plain) % 3 > 0
    )
    assert sum(d.counts.get("failed", 0) for d in done) == 1


def test_a_failure_that_may_pass_is_tried_again(
    folder: Path, tmp_path: Path, detector: Detector
) -> None:
    out = PartsFolder(str(tmp_path / "out"))
    gone = Item("gone.jpg", error=UnreadableFileError("there is no such file"))
    lasting = Item("empty.jpg", content=b"")
    for items, kept in (([gone], False), ([lasting], True), ([lasting, gone], False)):
        judge = Judge(detector, OPTIONS, out)
        for again in (False, True):
            (done,) = on_this_machine(parts_of(items, "maker"), judge)
            assert done.kept == (kept and again)
            assert done.counts == {"failed": len(items)}


def test_finished_parts_are_kept_and_others_made(
    folder: Path, tmp_path: Path, detector: Detector
) -> None:
    out = PartsFolder(str(tmp_path / "out"))
    first = made(folder, out, detector)
    (tmp_path / "out" / "part-000001.parquet").unlink()
    (tmp_path / "out" / "part-000000.parquet").write_bytes(b"PAR1 cut off")
    again = made(folder, out, detector)
    assert [d.kept for d in again] == [False, False] + [True] * (len(first) - 2)
    assert [d.counts for d in again] == [d.counts for d in first]
    assert not any(d.kept for d in made(folder, out, detector, provenance=False))


def test_a_changed_file_makes_its_part_anew(
    folder: Path, tmp_path: Path, detector: Detector
) -> None:
    out = PartsFolder(str(tmp_path / "out"))
    made(folder, out, detector)
    last = sorted(folder.iterdir())[-1]
    last.write_bytes(last.read_bytes() + b" ")
    kept = [d.kept for d in made(folder, out, detector)]
    assert kept == [True] * (len(kept) - 1) + [False]


def test_the_end_is_told_and_parts_of_a_longer_scan_go(
    folder: Path, tmp_path: Path, detector: Detector
) -> None:
    out = PartsFolder(str(tmp_path / "out"))
    number = len(made(folder, out, detector))
    assert number > 2
    out.close(number - 1, {"real": 2, "failed": 1}, {"a text file": 4})
    files = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert files == [*sorted(["_scan.json"]), *(f"part-{i:06d}.parquet" for i in range(number - 1))]
    said = json.loads((tmp_path / "out" / "_scan.json").read_text())
    assert said == {
        "parts": number - 1,
        "images": 3,
        "counts": {"real": 2, "failed": 1},
        "left_out": {"a text file": 4},
    }


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"other files than parts of a scan \(notes.txt\)"):
        PartsFolder(str(tmp_path)).check()


def test_a_part_ends_by_the_bytes_of_its_files(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "PART_IMAGES", 1000)
    monkeypatch.setattr(parts, "PART_BYTES", 1)
    found = list(parts_of(find([str(folder)]), "x"))
    sizes = [len(part.items) for part in found]
    assert sum(sizes) == len(list(folder.iterdir()))
    assert sizes == [1, 2] + [1] * (len(sizes) - 2)  # the empty file weighs nothing


@pytest.mark.xdist_group("s3")
def test_from_a_bucket_to_a_bucket(
    s3: str, folder: Path, tmp_path: Path, detector: Detector
) -> None:
    root = f"{s3}/parts"
    for path in folder.iterdir():
        buckets.write(f"{root}/in/{path.name}", path.read_bytes())
    buckets.write(f"{root}/in/notes.txt", b"notes")
    out = PartsFolder(f"{root}/out")

    def far() -> list[Done]:
        items = list(find([f"{root}/in"]))
        assert [item.address for item in items] == sorted(item.name for item in items)
        found = parts_of(items, made_by(detector, OPTIONS))
        return list(on_this_machine(found, Judge(detector, OPTIONS, out)))

    done = far()
    out.close(len(done), {}, {})
    assert all(d.kept for d in far())
    made(folder, PartsFolder(str(tmp_path / "near")), detector)
    names = [f"{root}/out/part-{d.number:06d}.parquet" for d in done]
    assert list(buckets.walk(f"{root}/out")) == [f"{root}/out/_scan.json", *names]
    rows = [r for n in names for r in pq.read_table(buckets.opened(n)).to_pylist()]
    near = pq.read_table(tmp_path / "near").to_pylist()
    assert [(r["score"], r["verdict"], r["sha256"]) for r in rows] == [
        (r["score"], r["verdict"], r["sha256"]) for r in near
    ]


@pytest.mark.xdist_group("s3")
def test_lists_tables_and_missing_objects_of_a_bucket(s3: str, folder: Path) -> None:
    photo = folder / "coffee.jpg"
    buckets.write(f"{s3}/more/a.jpg", photo.read_bytes())
    buckets.write(f"{s3}/more/list.txt", f"{s3}/more/a.jpg\n{s3}/more/gone.jpg\n".encode())
    there, gone = find([f"{s3}/more/list.txt"])
    assert there.source == photo.read_bytes()
    with pytest.raises(Exception, match="does not exist"):
        _ = gone.source
    (nothing,) = find([f"{s3}/empty"])
    assert nothing.error is not None
    buckets.write(f"{s3}/more/noending", photo.read_bytes())
    (named,) = find([f"{s3}/more/noending"])
    assert named.source == photo.read_bytes()
    (local,) = find(["-"], stdin=__import__("io").BytesIO(f"{s3}/more/a.jpg\n".encode()))
    assert local.address == f"{s3}/more/a.jpg"
