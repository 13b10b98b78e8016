"""Videos and animations in a scan: one row each, in every output."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

pytest.importorskip("av")

from authentiscan.attribution import load_attributor
from authentiscan.cli import app
from authentiscan.core.errors import UsageError
from authentiscan.core.types import Verdict
from authentiscan.inference import Detector, load_detector
from authentiscan.scan import Item, LeftOut, Options, find, open_sink, scan
from authentiscan.scan.clips import FRAMES, opened
from authentiscan.scan.engine import Scanned
from authentiscan.scan.resume import Earlier, Way
from conftest_attribution import always_generated, colours
from video_samples import video

__all__ = ["colours"]


@pytest.fixture(scope="module")
def detector(tiny_bundle: Path) -> Detector:
    return load_detector(tiny_bundle, threads=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, photos: dict[str, np.ndarray]) -> Path:
    """A video, a broken one, an animation and a photograph."""
    folder = tmp_path_factory.mktemp("clips")
    (folder / "clip.mp4").write_bytes(video(size=(128, 96)))
    (folder / "broken.mp4").write_bytes(video()[:100])
    pictures = [Image.fromarray(np.roll(photos["coffee"][:96, :96], 9 * i, 1)) for i in range(6)]
    pictures[0].save(folder / "moving.webp", save_all=True, append_images=pictures[1:])
    pictures[0].save(folder / "photo.jpg")
    return folder


@pytest.fixture(scope="module")
def rows(folder: Path, detector: Detector) -> list[Scanned]:
    items = [Item(n, path=folder / n) for n in ("clip.mp4", "broken.mp4", "moving.webp")]
    return list(scan(items, detector, workers=2, options=Options(thumbnails=True, frames=4)))


def test_a_clip_is_one_row(rows: list[Scanned]) -> None:
    clip, broken, moving = rows
    assert clip.report.clip is not None
    assert len(clip.report.clip.frames) == 4
    assert clip.report.verdict in Verdict
    assert broken.report.error is not None
    assert "cannot be read" in broken.report.error
    assert moving.report.clip is not None
    assert len(moving.report.clip.frames) == 4
    assert moving.report.provenance is not None


def test_a_generated_clip_names_its_generator(
    folder: Path, tiny_bundle: Path, tmp_path: Path, colours: Path
) -> None:
    judge = load_detector(always_generated(tiny_bundle, tmp_path / "always"), threads=1)
    options = Options(frames=4, attributor=load_attributor(colours, threads=1))
    items = [Item(n, path=folder / n) for n in ("clip.mp4", "moving.webp", "photo.jpg")]
    for row in scan(items, judge, options=options):
        assert row.report.verdict is Verdict.GENERATED
        assert row.report.attribution is not None
        assert row.report.attribution.model.name == "colours"
    assert all(r.report.attribution is None for r in scan(items, judge, options=Options(frames=4)))


def test_pictures_are_a_frame_and_the_timeline(rows: list[Scanned]) -> None:
    for row in (rows[0], rows[2]):
        assert row.thumbnail is not None
        assert row.timeline is not None
        assert Image.open(io.BytesIO(row.timeline)).format == "PNG"
        assert row.heatmap is None


def test_without_frames_an_animation_is_its_first_picture(folder: Path, detector: Detector) -> None:
    (row,) = scan([Item("a", path=folder / "moving.webp")], detector)
    assert row.report.clip is None
    assert row.report.image is not None
    assert row.report.image.frames == 6
    assert opened(folder / "photo.jpg", 8, Options().limits) is None


def test_every_output_holds_the_frames(rows: list[Scanned], tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    names = [tmp_path / f"out.{kind}" for kind in ("jsonl", "csv", "parquet", "html", "png")]
    for name in names:
        sink = open_sink(name)
        for row in rows:
            sink.write(row)
        sink.close()
    first = rows[0].report
    assert first.clip is not None
    scores = [frame.score for frame in first.clip.frames]
    said = json.loads(names[0].read_text().splitlines()[0])
    assert [frame["score"] for frame in said["clip"]["frames"]] == scores
    with names[1].open(newline="") as file:
        line, failed, _ = csv.DictReader(file)
    assert [float(s) for s in line["frame_scores"].split(";")] == pytest.approx(scores, abs=1e-6)
    assert len(line["frame_seconds"].split(";")) == 4
    assert failed["frame_scores"] == ""
    table = pq.read_table(names[2]).to_pylist()
    assert table[0]["frame_scores"] == pytest.approx(scores, abs=1e-6)
    assert table[1]["frame_scores"] in (None, [])
    page = names[3].read_text()
    assert page.count("data:image/png;base64,") == page.count(' clip"') == 2
    assert "frames&#39; spread" in page
    assert Image.open(names[4]).height == 2 * Image.open(io.BytesIO(rows[0].timeline or b"")).height


def test_a_picture_without_clips_is_refused(tmp_path: Path) -> None:
    sink = open_sink(tmp_path / "x.png")
    with pytest.raises(UsageError, match="no video"):
        sink.close()
    assert not (tmp_path / "x.png").exists()


def test_a_folder_leaves_videos_out_and_says_so(folder: Path) -> None:
    left = LeftOut()
    names = [Path(item.name).name for item in find([str(folder)], left_out=left)]
    assert names == ["moving.webp", "photo.jpg"]
    assert left["a video (name it to scan it)"] == 2


def test_a_list_names_videos(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text(f"{folder / 'clip.mp4'}\ngone.mp4\n")
    items = list(find([str(tmp_path / "list.txt")]))
    assert [Path(item.name).name for item in items] == ["clip.mp4", "gone.mp4"]


def test_a_resumed_scan_wants_the_same_frames(rows: list[Scanned], tmp_path: Path) -> None:
    place = tmp_path / "r.jsonl"
    place.write_text(rows[0].report.json_line() + "\n")
    earlier, model = Earlier(place), rows[0].report.model
    assert model is not None
    own = Way.of(rows[0].report, model)
    for stability in (False, True):  # a clip's row does not tell
        earlier.refuse_other(own._replace(stability=stability, provenance=True))
    with pytest.raises(UsageError, match="with --frames 4"):
        earlier.refuse_other(own._replace(frames=FRAMES))
    assert earlier.number == 1


def test_the_command(folder: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    page, picture = tmp_path / "p.html", tmp_path / "t.png"
    done = CliRunner().invoke(
        app,
        ["scan", str(folder / "clip.mp4"), "-m", str(tiny_bundle), "--frames", "3", "--json"]
        + [word for place in (page, picture) for word in ("-o", str(place))],
    )
    assert done.exit_code == 0, done.output
    assert len(json.loads(done.stdout)["clip"]["frames"]) == 3
    assert "not on frames of videos" in page.read_text()
    assert Image.open(picture).width == 1200


def test_without_the_extra_the_row_names_it(
    folder: Path, detector: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("authentiscan.images.video.reader.find_spec", lambda _: None)
    (row,) = scan([Item("clip.mp4", path=folder / "clip.mp4")], detector)
    assert row.report.error is not None
    assert row.report.error.endswith("pip install 'authentiscan[video]'")
