"""`authentiscan explain` and `explain-compare` as a user runs them."""

from __future__ import annotations

import csv
import io
import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from PIL import Image

from authentiscan import analysis, cli
from authentiscan.manifest.table import Manifest

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["authentiscan", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            cli.main()
        out = capsys.readouterr()
        return int(left.value.code or 0), out.out, out.err

    return call


@pytest.fixture
def photo(photos, tmp_path) -> Path:
    path = tmp_path / "photo.png"
    Image.fromarray(photos["chelsea"]).save(path)
    return path


def test_a_picture_is_saved(run, photo, tiny_bundle, tmp_path):
    code, out, _ = run("explain", photo, "-m", tiny_bundle, "--save", tmp_path / "why.png")
    assert code == 0
    assert "score" in out
    picture = Image.open(tmp_path / "why.png")
    assert picture.width > 2 * 400
    code, _, _ = run(
        "explain", photo, "-m", tiny_bundle, "--view", "all", "-o", tmp_path / "all.jpg"
    )
    assert code == 0
    assert Image.open(tmp_path / "all.jpg").height > picture.height


def test_json_and_faithfulness(run, photo, tiny_bundle):
    code, out, _ = run("explain", photo, "-m", tiny_bundle, "--json", "--faithfulness")
    row = json.loads(out)
    assert code == 0
    assert row["error"] is None
    assert row["target"] == ("generated" if row["score"] >= 0.5 else "real")
    assert 0 <= row["faithfulness"]["deletion"] <= 1
    code, out, _ = run("explain", photo, "-m", tiny_bundle, "--faithfulness", "--fill", "mean")
    assert code == 0
    assert "random" in out


def test_many_images_go_into_a_folder_and_bad_ones_are_told(run, photo, tiny_bundle, tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no image")
    again = tmp_path / "elsewhere" / "photo.png"
    again.parent.mkdir()
    again.write_bytes(photo.read_bytes())
    for _ in range(2):  # a second run replaces, it does not pile up
        code, out, err = run(
            "explain", photo, broken, again, "-m", tiny_bundle, "--save", tmp_path / "maps"
        )
        assert code == 1
        assert "broken.jpg" in err
        assert out.count("score") == 2
    names = sorted(path.name for path in (tmp_path / "maps").iterdir())
    assert names == ["photo_explained.png", "photo_explained_2.png"]


def test_methods_of_torch(run, photo, tiny_bundle, tmp_path):
    pytest.importorskip("captum")
    code, _, _ = run(
        "explain", photo, "-m", tiny_bundle, "--method", "gradcam++", "-o", tmp_path / "x.png"
    )
    assert code == 0
    assert (tmp_path / "x.png").is_file()


def test_sanity_check(run, photo, tiny_bundle):
    code, out, _ = run("explain", photo, "-m", tiny_bundle, "--sanity")
    assert code == 0
    assert "100%" in out


@pytest.mark.parametrize(
    "wrong", [("--opacity", "2"), ("--view", "xray"), ("--method", "lime"), ("--save", "x.tiff")]
)
def test_usage_errors(run, photo, tiny_bundle, wrong):
    code, _, err = run("explain", photo, "-m", tiny_bundle, *wrong)
    assert code == 2
    assert err


def test_compare_writes_its_folder(run, photos, tiny_bundle, tmp_path):
    encoded = []
    for image in photos.values():
        buffer = io.BytesIO()
        Image.fromarray(image[:120, :120]).save(buffer, "PNG")
        encoded.append(buffer.getvalue())
    table = pa.table(
        {
            "image": encoded,
            "label": [0, 1] * 3,
            "generator": ["camera", "gan"] * 3,
            "dataset": ["d"] * 6,
            "group": list("abcdef"),
            "split": ["test"] * 4 + ["train"] * 2,
        }
    )
    Manifest(table).write(tmp_path / "data.parquet")
    code, out, _ = run(
        *("explain-compare", "-m", tiny_bundle, "-m", tiny_bundle, "-d", tmp_path / "data.parquet"),
        *("-o", tmp_path / "out", "--split", "test"),
    )
    assert code == 0
    assert "8 overlays" in out
    assert "tiny-bundle_2" in out
    assert (tmp_path / "out" / "mean_maps.png").is_file()


def test_detectors_are_compared_on_a_folder_with_a_name(run, tiny_bundle, photos, tmp_path):
    for i, kind in enumerate(("real", "fake")):
        (tmp_path / "mine" / kind).mkdir(parents=True)
        pixels = photos["coffee"][i * 40 : i * 40 + 80, :90]
        Image.fromarray(pixels).save(tmp_path / "mine" / kind / "1.png")
    code, out, _ = run(
        *(
            "explain-compare",
            "-m",
            tiny_bundle,
            "-m",
            tiny_bundle,
            "-d",
            f"own={tmp_path / 'mine'}",
        ),
        *("-o", tmp_path / "out"),
    )
    assert code == 0
    assert "own" in out
    assert "4 overlays" in out


def test_folders_and_archives_are_explained_into_a_folder(run, photo, tiny_bundle, tmp_path):
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    photo.rename(folder / "sub" / "photo")  # known by its first bytes
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.write(folder / "sub" / "photo", "../photo.png")
    arguments = ("explain", folder, tmp_path / "x.zip", "-m", tiny_bundle, "-o", tmp_path / "maps")
    code, out, _ = run(*arguments, "--json")
    assert code == 0
    assert [json.loads(line)["path"].rpartition("/")[2] for line in out.splitlines()] == [
        "photo",
        "photo.png",
    ]
    found = sorted(path.name for path in (tmp_path / "maps").iterdir())
    assert found == ["photo_explained.png", "photo_explained_2.png"]


def test_an_input_named_in_a_list_is_no_output(run, photo, tiny_bundle, tmp_path):
    content = photo.read_bytes()
    (tmp_path / "list.txt").write_text(f"{photo}\n")
    for more in ((), ("--force",)):
        given = ("explain", tmp_path / "list.txt", "-m", tiny_bundle, "-o", photo, *more)
        code, _, err = run(*given)
        assert code == 2
        assert "is also an input" in err or "not made by authentiscan" in err
        assert photo.read_bytes() == content


def test_maps_beside_the_images_are_not_explained_in_turn(run, photo, tiny_bundle, tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    photo.rename(folder / photo.name)
    (folder / ("x" * 251 + ".png")).write_bytes((folder / photo.name).read_bytes())
    code, out, _ = run("explain", folder, "-m", tiny_bundle, "-o", folder / "maps")
    assert code == 0
    assert out.count("score") == len(list((folder / "maps").iterdir())) == 2


def test_without_an_output_the_picture_is_named_and_nothing_foreign_is_replaced(
    run, photo, tiny_bundle, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    code, out, _ = run("explain", photo, "-m", tiny_bundle)
    assert code == 0
    assert "picture in photo_explained.png" in out
    before = photo.read_bytes()
    (tmp_path / "photo_explained.png").write_bytes(before)
    code, _, err = run("explain", photo, "-m", tiny_bundle, "--view", "ela")
    assert code == 2
    assert "add --force to replace it" in err
    assert (tmp_path / "photo_explained.png").read_bytes() == before
    assert run("explain", photo, "-m", tiny_bundle, "--view", "ela", "--force")[0] == 0
    assert (tmp_path / "photo_explained.png").read_bytes() != before


def test_a_page_and_csv_hold_every_image(run, photo, tiny_bundle, tmp_path, read_page):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no image")
    code, out, _ = run(
        "explain", photo, broken, "-m", tiny_bundle, "--csv", "-o", tmp_path / "page.html"
    )
    assert code == 1
    head, good, bad = csv.reader(io.StringIO(out))
    row = dict(zip(head, good, strict=True))
    assert row["path"] == str(photo)
    assert row["verdict"] in ("real", "inconclusive", "generated")
    assert dict(zip(head, bad, strict=True))["error"]
    page = read_page((tmp_path / "page.html").read_text())
    assert len(page.all("img")) == 2
    assert "broken.jpg" in page.text
    assert "Detector: " in page.text


def test_an_interrupted_run_leaves_a_page_of_what_was_explained(
    run, photo, tiny_bundle, tmp_path, monkeypatch
):
    other = tmp_path / "other.png"
    other.write_bytes(photo.read_bytes())
    page = tmp_path / "why.html"
    real = analysis.open_image

    def interrupted(source, **options):
        if Path(source).name == "other.png":
            raise KeyboardInterrupt
        return real(source, **options)

    monkeypatch.setattr(analysis, "open_image", interrupted)
    code, _, _ = run("explain", photo, other, "-m", tiny_bundle, "-o", page)
    assert code == 130
    assert "photo.png: " in page.read_text(encoding="utf-8")
    page.unlink()
    code, _, _ = run("explain", other, "-m", tiny_bundle, "-o", page)  # nothing to show: no page
    assert code == 130
    assert not page.exists()
