"""`evaluate`, `robustness`, `calibrate`, `cross-evaluate` from the command line, a real bundle."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from authentiscan.cli import app
from authentiscan.core.errors import ManifestError, UsageError
from authentiscan.images.decode import encode
from authentiscan.manifest.table import Manifest

runner = CliRunner()


@pytest.fixture(scope="module")
def manifest(photos: dict[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows: dict[str, list[object]] = {
        k: [] for k in ("image", "label", "generator", "dataset", "group", "name", "split")
    }
    for i in range(24):
        photo = photos[sorted(photos)[i % len(photos)]]
        crop = np.ascontiguousarray(photo[10 + i : 90 + i, 20 : 100 + i])
        rows["image"].append(encode(crop, "JPEG", quality=85) if i % 2 else encode(crop, "PNG"))
        rows["label"].append(i % 2)
        rows["generator"].append("alpha" if i % 2 else "camera")
        rows["dataset"].append("crops")
        rows["group"].append(f"scene-{i // 3}")
        rows["name"].append(f"image-{i}")
        rows["split"].append("val" if i < 12 else "test")
    path = tmp_path_factory.mktemp("cli") / "crops.parquet"
    Manifest(pa.table(rows)).write(path)
    return path


def run(*arguments: object, code: int = 0) -> str:
    result = runner.invoke(app, [str(a) for a in arguments])
    assert result.exit_code == code, (result.output, result.exception)
    return result.stdout


def test_evaluate_prints_protocols_and_writes_a_report(tiny_bundle, manifest, tmp_path) -> None:
    out = tmp_path / "report"
    shown = run("evaluate", tiny_bundle, "--data", manifest, "-o", out, "--bootstrap", 50,
                "--latex", tmp_path / "t.tex")  # fmt: skip
    assert (tmp_path / "t.tex").read_text().count(r"\toprule") == 2
    for word in ("raw", "matched", "history", "ROC AUC", "TPR at 5 % FPR"):
        assert word in shown
    assert "inconclusive" in shown
    assert (out / "report.html").is_file()
    assert json.loads((out / "evaluation.json").read_text())["kind"] == "evaluation"


def test_evaluate_prints_parts(tiny_bundle, manifest) -> None:
    options = ["--by", "all", "--protocol", "raw", "--bootstrap", 20]
    shown = run("evaluate", tiny_bundle, "--data", manifest, *options)
    assert "alpha" in shown
    assert "Per data set: all images are of one." in shown
    assert "PNG" in shown


def test_evaluate_records_figures_in_the_bundle(tiny_bundle, manifest, tmp_path) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(tiny_bundle, bundle)
    run("evaluate", bundle, "--data", manifest, "--bootstrap", 20, "--record", "--split", "test")
    figures = json.loads((bundle / "detector.json").read_text())["metrics"]["evaluation"]
    assert set(figures["crops/test"]) >= {"raw", "matched", "history", "per_generator_matched"}
    assert "matched" in (bundle / "README.md").read_text()


def test_evaluate_json_is_clean(tiny_bundle, manifest) -> None:
    text = run(
        "evaluate", tiny_bundle, "--data", manifest, "--split", "test", "--json",
        "--protocol", "raw", "--protocol", "resize:scale=0.5", "--bootstrap", 20,
    )  # fmt: skip
    found = json.loads(text)
    assert list(found["protocols"]) == ["raw", "resize:scale=0.5"]
    assert found["data"]["images"] == 12


def test_evaluate_reads_folders(tiny_bundle, photos, tmp_path) -> None:
    for name, photo in zip(("real", "fake"), ("coffee", "chelsea"), strict=True):
        folder = tmp_path / "mine" / name
        folder.mkdir(parents=True)
        for i in range(3):
            crop = np.ascontiguousarray(photos[photo][i * 9 : 80 + i * 9, 20:120])
            (folder / f"{i}.png").write_bytes(encode(crop, "PNG"))
    text = run(
        "evaluate", tiny_bundle, "--data", tmp_path / "mine", "--protocol", "raw", "--json",
        "--bootstrap", 20,
    )  # fmt: skip
    assert json.loads(text)["data"]["real"] == 3


def test_failed_images_make_exit_code_1(tiny_bundle, manifest, tmp_path) -> None:
    source = Manifest.read(manifest)
    images = [source.image_bytes(i) for i in range(len(source))]
    images[3] = b"nothing"
    path = tmp_path / "broken.parquet"
    table = source.table.drop_columns(["path", "row"]).append_column("image", [images])
    Manifest(table).write(path)
    run(
        "evaluate", tiny_bundle, "--data", path, "--protocol", "raw", "--bootstrap", 20,
        "--split", "all", code=1,
    )  # fmt: skip


def test_wrong_arguments_are_package_errors(tiny_bundle, manifest, tmp_path) -> None:
    cases = [
        (ManifestError, ["evaluate", tiny_bundle, "--data", tmp_path / "none.parquet"]),
        (ManifestError, ["evaluate", tiny_bundle, "--data", manifest, "--split", "train"]),
        (UsageError, ["evaluate", tiny_bundle, "--data", manifest, "--protocol", "mached"]),
        (UsageError, ["calibrate", tiny_bundle, "--data", manifest, "--fpr", "5"]),
        (UsageError, ["calibrate", tiny_bundle, "--data", manifest, "--method", "magic"]),
        (UsageError, ["calibrate", tiny_bundle, "--data", manifest, "--cost", "miss=0.1"]),
        (UsageError, ["robustness", tiny_bundle, "--data", manifest, "--sweep", "fog"]),
        (UsageError, ["cross-evaluate", tiny_bundle, "--data", manifest, "--home", "x"]),
    ]
    for error, arguments in cases:
        result = runner.invoke(app, [str(a) for a in arguments])
        assert isinstance(result.exception, error), (arguments, result.output)


def test_calibrate_rewrites_the_bundle_unless_dry(tiny_bundle, manifest, tmp_path) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(tiny_bundle, bundle)
    before = (bundle / "detector.json").read_text()
    options = ["--data", manifest, "--split", "all", "--fpr", "0.1,0.2", "--decide", "0.2"]
    shown = run("calibrate", bundle, *options, "--dry-run")
    assert "fpr_10" in shown
    assert (bundle / "detector.json").read_text() == before
    run("calibrate", bundle, *options, "-o", tmp_path / "out")
    spec = json.loads((bundle / "detector.json").read_text())
    assert spec["decision"]["generated"]["name"] == "fpr_20"
    assert (tmp_path / "out" / "calibration.html").is_file()


def test_robustness(tiny_bundle, manifest, tmp_path) -> None:
    shown = run(
        "robustness", tiny_bundle, "--data", manifest, "--sweep", "crop", "--chain",
        "blur:sigma=1", "--images", 8, "--bootstrap", 20, "-o", tmp_path / "out",
    )  # fmt: skip
    assert "crop 0.5" in shown
    assert (tmp_path / "out" / "robustness.html").is_file()


def test_cross_evaluate(tiny_bundle, manifest, tmp_path) -> None:
    shown = run(
        "cross-evaluate", f"one={tiny_bundle}", f"two={tiny_bundle}", "--data", f"a={manifest}",
        "--data", f"b={manifest}", "--bootstrap", 20, "-o", tmp_path / "out",
        "--left-out", "two=alpha",
    )  # fmt: skip
    assert shown.count("two on alpha, left out: ROC AUC") == 2
    assert len((tmp_path / "out" / "cross.csv").read_text().splitlines()) == 5
