"""`compare` from the command line: a bundle, somebody's function, a file of scores."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from authentiscan.cli import app
from authentiscan.core.errors import UsageError
from authentiscan.images.decode import encode
from authentiscan.manifest.table import Manifest

runner = CliRunner()


@pytest.fixture
def manifest(photos: dict[str, np.ndarray], tmp_path: Path) -> Path:
    crops = [
        np.ascontiguousarray(photos[name][i : 70 + i, 30:110])
        for name in ("coffee", "chelsea", "rocket")
        for i in range(0, 24, 3)
    ]
    table = pa.table(
        {
            "image": [encode(c, "PNG") for c in crops],
            "label": [i % 2 for i in range(len(crops))],
            "generator": ["alpha" if i % 2 else "camera" for i in range(len(crops))],
            "dataset": ["crops"] * len(crops),
            "group": [str(i) for i in range(len(crops))],
            "name": [str(i) for i in range(len(crops))],
        }
    )
    path = tmp_path / "crops.parquet"
    Manifest(table).write(path)
    return path


def test_compare(tiny_bundle, manifest, tmp_path, monkeypatch) -> None:
    (tmp_path / "my_rival.py").write_text("def score(image):\n    return image.mean() / 255\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "theirs.csv").write_text(
        "name,score\n" + "".join(f"{i},{i / 30}\n" for i in range(24))
    )
    arguments = [tiny_bundle, "mine=my_rival:score", tmp_path / "theirs.csv", "--data", manifest]
    options = ["--bootstrap", "30", "--protocol", "raw"]
    written = ["-o", str(tmp_path / "o"), "--latex", str(tmp_path / "t.tex")]
    shown = runner.invoke(app, ["compare", *map(str, arguments), *options, *written])
    assert shown.exit_code == 0, (shown.output, shown.exception)
    assert "mine" in shown.stdout
    page = (tmp_path / "o" / "comparison.html").read_text()
    assert "Detectors: " in page, "the footer names them"
    assert (tmp_path / "t.tex").read_text().count(r"\toprule") == 1
    found = runner.invoke(app, ["compare", *map(str, arguments), *options, "--json"])
    (one,) = json.loads(found.stdout)["found"]
    assert [s["elsewhere"] for s in one["standings"]] == [False, False, True]


def test_compare_prints_raw_and_matched_of_each_data_set_as_markdown(tiny_bundle, manifest) -> None:
    data = ["--data", f"first={manifest}", "--data", f"second={manifest}", "--images", "12"]
    detectors = [f"one={tiny_bundle}", f"two={tiny_bundle}"]
    shown = runner.invoke(app, ["compare", *detectors, *data, "--bootstrap", "20", "--markdown"])
    assert shown.exit_code == 0, (shown.output, shown.exception)
    lines = shown.stdout.strip().splitlines()
    assert [line for line in lines if line.startswith("**")] == ["**first**", "**second**"]
    rows = [line for line in lines if line.startswith("| one")]
    assert len(rows) == 2
    assert rows[0].count("|") == 8


def test_missing_scores_make_exit_code_1(tiny_bundle, manifest, tmp_path) -> None:
    (tmp_path / "few.csv").write_text("name,score\n0,0.1\n1,0.9\n2,0.4\n3,0.7\n")
    arguments = ["compare", str(tiny_bundle), str(tmp_path / "few.csv"), "--data", str(manifest)]
    assert runner.invoke(app, [*arguments, "--bootstrap", "20"]).exit_code == 1


def test_one_detector_is_no_comparison(tiny_bundle, manifest) -> None:
    found = runner.invoke(app, ["compare", str(tiny_bundle), "--data", str(manifest)])
    assert isinstance(found.exception, UsageError)
