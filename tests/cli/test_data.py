"""The data commands as users call them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from authentiscan.cli import app
from authentiscan.core.errors import AuthentiscanError
from authentiscan.datasets.catalog import CATALOG
from authentiscan.manifest.table import Manifest
from catalog_samples import sample

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
    told = run("select", part, "--where", "generator=flux", "--out", part, code=2)
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
    assert "known are" in run("download", "nope", code=1)
    assert "there is no nowhere.parquet" in run("show", "nowhere.parquet", code=1)
