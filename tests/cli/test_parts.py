"""Which rows commands measure when no split is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from authentiscan.cli import app
from authentiscan.cli.options import Split
from authentiscan.cli.parts import open_rows
from authentiscan.core.errors import ManifestError
from authentiscan.images.decode import encode
from authentiscan.manifest.table import Manifest


def manifest(folder: Path, splits: list[str | None]) -> Path:
    rng = np.random.default_rng(0)
    images = [encode(rng.integers(0, 256, (40, 40, 3), np.uint8), "PNG") for _ in splits]
    labels = [i % 2 for i in range(len(splits))]
    rows = {
        "image": images,
        "label": labels,
        "generator": ["gan" if y else "camera" for y in labels],
        "dataset": ["noise"] * len(splits),
        "group": [None] * len(splits),
        "split": splits,
    }
    path = folder / "noise.parquet"
    Manifest(pa.table(rows)).write(path)
    return path


def test_the_test_part_is_taken_where_there_is_one_and_said_so(tmp_path, capsys) -> None:
    path = manifest(tmp_path, ["train", "train", "val", "test", "test", "test"])
    found = open_rows(path, None)
    assert (len(found.manifest), found.name) == (3, "noise/test")
    said = capsys.readouterr().err
    assert "3 images of the split test" in said
    assert "--split all" in said


def test_calibration_takes_the_validation_part(tmp_path, capsys) -> None:
    path = manifest(tmp_path, ["train", "val", "val", "test"])
    found = open_rows(path, None, wanted="val")
    assert (len(found.manifest), found.name) == (2, "noise/val")
    assert "split val" in capsys.readouterr().err


@pytest.mark.parametrize("splits", [[None] * 4, ["train"] * 4])
def test_without_a_test_part_all_is_taken(tmp_path, capsys, splits) -> None:
    found = open_rows(manifest(tmp_path, splits), None)
    assert (len(found.manifest), found.name) == (4, "noise")
    assert capsys.readouterr().err == ""


def test_a_split_that_is_named_is_taken_without_a_word(tmp_path, capsys) -> None:
    path = manifest(tmp_path, ["train", "val", "test", "test"])
    assert open_rows(path, Split.ALL).name == "noise"
    assert len(open_rows(path, Split.TRAIN).manifest) == 1
    assert capsys.readouterr().err == ""
    with pytest.raises(ManifestError, match="no rows of split 'test'"):
        open_rows(manifest(tmp_path, ["train"] * 2), Split.TEST)


@pytest.mark.parametrize(
    "command", [["evaluate"], ["robustness", "--sweep", "crop"], ["compare"], ["cross-evaluate"]]
)
def test_every_measuring_command_says_which_part(tmp_path, tiny_bundle, command) -> None:
    path = manifest(tmp_path, ["train"] * 4 + ["test"] * 4)
    detectors = [f"a={tiny_bundle}", f"b={tiny_bundle}"]
    if command[0] in ("evaluate", "robustness"):
        detectors = [str(tiny_bundle)]
    arguments = [command[0], *detectors, "--data", str(path), "--bootstrap", "0", *command[1:]]
    found = CliRunner().invoke(app, arguments)
    assert found.exit_code == 0, found.output
    assert "4 images of the split test" in found.output
    assert "noise/test" in found.output
