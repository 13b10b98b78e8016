"""The data commands as users call them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from authentiscan.cli import app
from authentiscan.core.errors import AuthentiscanError
from authentiscan.datasets.catalog import CATALOG
from authentiscan.manifest.table import Manifest
from catalog_samples import lay_out, sample

Photos = dict[str, np.ndarray]


def run(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["data", *map(str, arguments)])
    if isinstance(result.exception, AuthentiscanError):
        assert result.exception.exit_code == code, result.exception
        return str(result.exception)
    assert result.exit_code == code, result.output
    return result.output


def test_list_shows_every_entry_and_what_is_present(tmp_path: Path, photos: Photos) -> None:
    sample("cifake", tmp_path / "cifake", photos)
    text = run("list", "--root", tmp_path)
    assert all(name in text for name in CATALOG)
    assert "2,681,167" in text
    told = {row["name"]: row for row in json.loads(run("list", "--root", tmp_path, "--json"))}
    assert told["cifake"]["present"] == "yes"
    assert told["faces"]["present"] == "no"
    assert told["folders"]["present"] is None
    assert told["genimage"]["generators"] == list(CATALOG["genimage"].generators)


def test_organize_and_show(tmp_path: Path, photos: Photos) -> None:
    raw = sample("folders", tmp_path / "set", photos)
    gans = sample("generators", tmp_path / "gans", photos)
    out = tmp_path / "all.parquet"
    text = run("organize", raw, gans, "--out", out, "--hold-out", "generator=progan", "--seed", "3")
    assert "28 images" in text
    manifest = Manifest.read(out)
    assert set(manifest.where(generator="progan").column("split")) == {"test"}
    shown = run("show", out)
    assert "progan" in shown
    assert "28" in shown


def test_select_writes_a_part_whose_images_are_found_from_elsewhere(
    tmp_path: Path, photos: Photos
) -> None:
    gans = sample("generators", tmp_path / "gans", photos)
    run("organize", gans, "--out", tmp_path / "all.parquet")
    part = tmp_path / "deeper" / "part.parquet"
    text = run("select", tmp_path / "all.parquet", "--where", "generator=progan", "--out", part)
    chosen = Manifest.read(part)
    assert set(chosen.column("generator")) == {"progan"}
    assert f"{len(chosen)} images" in text
    assert all(chosen.image_bytes(i) for i in range(len(chosen)))
    other = tmp_path / "other.parquet"
    told = run("select", part, "--where", "generator=flux", "--out", other, code=2)
    assert "one of: progan" in told


def test_unreadable_images_give_exit_code_1_and_a_list(tmp_path: Path, photos: Photos) -> None:
    raw = sample("folders", tmp_path / "set", photos)
    (raw / "raw" / "real" / "broken.jpg").write_bytes(b"\xff\xd8 nothing")
    text = run("organize", raw, "-o", tmp_path / "m.parquet", code=1)
    assert "1 could not be read" in text
    assert "broken.jpg" in (tmp_path / "m.failed.jsonl").read_text()


def test_options_that_name_things(tmp_path: Path, photos: Photos) -> None:
    source = sample("cifake", tmp_path / "c", photos)
    out = tmp_path / "m.parquet"
    run("organize", f"folders={source}", "-o", out, "--generator", "sdxl", "--dataset", "mine")
    manifest = Manifest.read(out)
    assert set(manifest.column("generator")) == {"camera", "sdxl"}
    assert set(manifest.column("dataset")) == {"mine"}
    run("organize", source, "-o", out, "--own-split")
    manifest = Manifest.read(out)
    assert set(manifest.column("dataset")) == {"cifake"}
    names = manifest.where(split="test").column("name")
    assert names
    assert all(n.startswith("test/") for n in names)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--fractions", "1,2"], "sum to 1"),
        (["--fractions", "a,b,c"], "three numbers"),
        (["--label", "x"], "VALUE=real"),
        (["--hold-out", "flux"], "COLUMN=VALUE"),
        (["--hold-out", "generator=fluks"], "is one of: camera, unknown"),
    ],
)
def test_usage_errors(arguments: list[str], message: str, tmp_path: Path, photos: Photos) -> None:
    raw = sample("folders", tmp_path / "set", photos)
    assert message in run("organize", raw, "-o", tmp_path / "m.parquet", *arguments, code=2)


def test_genimage_prints_steps_that_name_the_parts(tmp_path: Path) -> None:
    text = run("download", "genimage", "--root", tmp_path)
    assert "imagenet_ai_0419_biggan.z01" in text
    assert "zip -s 0 name.zip --out whole.zip && unzip -t whole.zip" in text


def test_unknown_data_set_and_missing_manifest() -> None:
    assert "known are" in run("download", "nope", code=2)
    assert "there is no nowhere.parquet" in run("show", "nowhere.parquet", code=2)


def test_organize_tells_what_it_concluded_and_left_out(tmp_path: Path, photos: Photos) -> None:
    raw = sample("folders", tmp_path / "set", photos) / "raw"
    (raw / "fake" / "nature").mkdir()
    (raw / "fake" / "000.jpg").rename(raw / "fake" / "nature" / "000.jpg")
    shutil.make_archive(str(tmp_path / "more"), "zip", raw)
    shutil.move(tmp_path / "more.zip", raw)
    text = run("organize", raw, "-o", tmp_path / "m.parquet")
    assert 'generated because of the folder "fake": 6' in text
    assert 'real because of the folder "real": 6' in text
    assert "left out: 1 archive beside the images (more.zip; give it as an input" in text


def test_contradictions_end_with_2_and_the_option_that_decides(
    tmp_path: Path, photos: Photos
) -> None:
    raw = sample("folders", tmp_path / "set", photos) / "raw"
    (raw / "fake").rename(tmp_path / "fake")
    shutil.move(tmp_path / "fake", raw / "real" / "fake")
    told = run("organize", raw, "-o", tmp_path / "m.parquet", code=2)
    assert "--label fake=generated" in told
    run("organize", raw, "-o", tmp_path / "m.parquet", "--label", "fake=generated")
    assert Manifest.read(tmp_path / "m.parquet").labels.sum() == 6


def test_frames_are_warned_of_and_kept_together(tmp_path: Path, photos: Photos) -> None:
    names = [(f"{k}/clip{v}/{i}.jpg", k == "fake") for k in ("real", "fake") for v in range(5)
             for i in range(6)]  # fmt: skip
    source = lay_out(tmp_path / "ff", photos, names)
    out = tmp_path / "m.parquet"
    assert "--group folder" in run("organize", source, "-o", out)
    assert "--group folder" in run("verify", out)
    assert "frames of one video" in json.loads(run("verify", out, "--json"))["warnings"][0]
    assert "frames of one video" not in run("organize", source, "-o", out, "--group", "folder")
    assert "frames of one video" not in run("verify", out)


def test_outputs_are_never_inputs(tmp_path: Path, photos: Photos) -> None:
    table = sample("parquet", tmp_path, photos)
    before = table.read_bytes()
    run("organize", table, "-o", tmp_path / "m.parquet")
    calls = (
        ("organize", table, "-o", table),
        ("verify", table, "--fix", table),
        ("audit", table, "--matched", table),
        ("select", table, "-o", table),
        ("select", tmp_path / "m.parquet", "--where", "label=1", "-o", table, "--force"),
    )
    for call in calls:
        assert "also an input" in run(*call, code=2), call
        assert table.read_bytes() == before


def test_every_command_takes_a_folder(tmp_path: Path, photos: Photos) -> None:
    raw = sample("cifake", tmp_path / "set", photos)
    assert "12" in run("show", raw)
    run("verify", raw, "--json", code=0)
    run("select", raw, "--where", "split=test", "-o", tmp_path / "part.parquet")
    part = Manifest.read(tmp_path / "part.parquet")
    assert all(part.image_bytes(i) for i in range(len(part)))
