"""`authentiscan train` and `authentiscan recipes` as a user meets them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from authentiscan.cli import app
from authentiscan.core.errors import AuthentiscanError, RecipeError, UsageError

runner = CliRunner()
TINY = [
    "--set", "model.arguments={widths: [8], depths: [1], head_widths: [], head_dropouts: []}",
    "--set", "preprocess.size=32",
    "--set", "workers=0",
    "--set", "batch_size=8",
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, photos: dict[str, np.ndarray]) -> Path:
    """A folder as users have it: real/ and fake/."""
    root = tmp_path_factory.mktemp("images")
    for index in range(60):
        photo = photos[sorted(photos)[index % 6]]
        tile = photo[index * 2 : index * 2 + 64, index * 3 : index * 3 + 64]
        kind = "fake" if index % 2 else "real"
        (root / kind).mkdir(exist_ok=True)
        Image.fromarray(tile).save(root / kind / f"{index}.png")
    return root


def failure(*arguments: str) -> AuthentiscanError:
    result = runner.invoke(app, list(arguments))
    assert isinstance(result.exception, AuthentiscanError), result.output
    return result.exception


def test_recipes_are_listed_and_shown() -> None:
    listed = runner.invoke(app, ["recipes", "list"])
    assert listed.exit_code == 0
    for name in ("truthpixel", "combined", "quickstart"):
        assert name in listed.stdout
    shown = runner.invoke(app, ["recipes", "show", "truthpixel"])
    assert "head_l2: 0.01" in shown.stdout
    assert shown.stdout.startswith("# The TruthPixel design")
    changed = runner.invoke(app, ["recipes", "show", "truthpixel", "--set", "seed=7"])
    assert "seed: 7" in changed.stdout
    assert "gradient_clip: null" in changed.stdout


def test_train_then_scan(folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    result = runner.invoke(
        app, ["train", "quickstart", "--data", str(folder), "-o", str(run), "--epochs", "1", *TINY]
    )
    assert result.exit_code == 0, result.output
    assert f"bundle: {run / 'bundle'}" in result.stdout
    assert "epoch   1" in result.stderr
    assert (run / "bundle" / "detector.json").is_file()
    assert (run / "manifests" / "images.parquet").is_file()


def test_going_on_from_a_bundle_ends_with_a_table(folder: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    few = ["--epochs", "1", "--set", "workers=0"]
    trained = runner.invoke(
        app, ["train", "quickstart", "-d", str(folder), "-o", str(first), *few, *TINY]
    )
    assert trained.exit_code == 0, trained.output
    added = ["--add", f"more={folder}", "--replay-share", "0.3"]
    result = runner.invoke(
        app, ["train", "--from", str(first / "bundle"), *added, "-o", str(second), *few]
    )
    assert result.exit_code == 0, result.output
    assert "before and after" in result.stdout
    assert "known" in result.stdout
    shown = runner.invoke(app, ["models", "info", str(second / "bundle")])
    assert "trained on from" in shown.stdout


def test_dry_run_shows_the_plan_and_writes_nothing(folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    result = runner.invoke(
        app, ["train", "quickstart", "-d", str(folder), "-o", str(run), "--dry-run", *TINY]
    )
    assert result.exit_code == 0, result.output
    assert "s a step as measured here" in result.stderr
    assert not run.exists()


def test_wrong_use_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "which recipe?" in str(failure("train"))
    assert isinstance(failure("train", "no-such-recipe"), RecipeError)
    assert "mistakes in the recipe" in str(
        failure("train", "quickstart", "-s", "a=1", "-s", "seed=x")
    )
    assert "does not say where images lies" in str(failure("train", "quickstart"))
    assert isinstance(failure("train", "--resume", "nowhere"), UsageError)
    assert "leave out --data" in str(failure("train", "--resume", ".", "--epochs", "3"))
    assert "there is no" in str(failure("train", "quickstart", "--data", "no/such/folder"))
    assert "which new data" in str(failure("train", "--from", "default"))
    assert "--from BUNDLE" in str(failure("train", "quickstart", "--add", "x"))
    assert "bundle's own recipe" in str(failure("train", "quickstart", "--from", "default"))


def test_help_needs_no_torch() -> None:
    code = (
        "import sys; from authentiscan.cli import app; from typer.testing import CliRunner\n"
        "r = CliRunner().invoke(app, ['train', '--help']); assert r.exit_code == 0, r.output\n"
        "assert 'torch' not in sys.modules and 'yaml' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_wrong_call_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    failure("train", "quickstart")
    failure("train", "quickstart", "--data", "no/such/folder")
    assert list(tmp_path.iterdir()) == []
