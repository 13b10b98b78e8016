"""`authentiscan train` and `authentiscan recipes` as a user meets them."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from authentiscan.cli import app
from authentiscan.core.errors import AuthentiscanError, RecipeError, UsageError
from authentiscan.inference import read_spec

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
    assert "learned from 42 images" in result.stdout
    assert re.search(r"^the test part, \d real, \d generated: ROC AUC", result.stdout, re.M)
    spec = read_spec(run / "bundle")
    assert all(limit in result.output for limit in spec.limits)
    assert "writing the bundle" in result.stderr
    assert f"page of the test part: {run / 'report' / 'report.html'}" in result.stdout
    assert f"tensorboard --logdir {run / 'logs'}" in result.stdout
    assert (run / "report" / "report.html").is_file()
    assert "epoch   1" in result.stderr
    assert (run / "bundle" / "detector.json").is_file()
    assert (run / "manifests" / "images.parquet").is_file()

    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    again = runner.invoke(app, ["train", "--resume", str(run)])
    assert again.exit_code == 0, again.output
    assert "is finished: nothing was left to do" in again.stderr
    assert again.stdout == result.stdout
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before


def test_an_interruption_says_what_was_saved(folder: Path, tmp_path: Path) -> None:
    from authentiscan.cli.train_words import saved
    from authentiscan.training.recipe_data import with_data
    from authentiscan.training.recipe_file import load_recipe
    from authentiscan.training.run import train

    assert "nothing to go on from" in saved(tmp_path / "none")
    assert "nothing to go on from" in saved(None)
    changes = [TINY[i] for i in range(1, len(TINY), 2)]
    recipe = with_data(load_recipe("quickstart", changes), [str(folder)])
    train(recipe, output=tmp_path / "run", stop=lambda progress: progress.total_epochs == 1)
    told = saved(tmp_path / "run")
    assert f"1 of {recipe.total_epochs} epochs" in told
    assert told.endswith(f"authentiscan train --resume {tmp_path / 'run'}")


@pytest.mark.slow
def test_ctrl_c_saves_and_tells(folder: Path, tmp_path: Path) -> None:
    line = ["train", "quickstart", "-d", str(folder), "-o", str(tmp_path / "run"), *TINY]
    running = subprocess.Popen(
        [sys.executable, "-m", "authentiscan", *line, "--set", "phases.0.epochs=500"],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert running.stderr is not None
    for text in running.stderr:
        if text.startswith("epoch   2"):
            running.send_signal(signal.SIGINT)
            break
    rest = running.stderr.read()
    assert running.wait(120) == 130
    assert "Go on: authentiscan train --resume" in rest
    assert "Traceback" not in rest


def test_seeds_and_sweeps_exclude_each_other(folder: Path) -> None:
    line = ["train", "quickstart", "-d", str(folder), "--seeds", "2", "--sweep", "batch_size=8,16"]
    assert "exclude each other" in str(failure(*line, *TINY))
    assert "there are tensorboard" in str(failure("train", "quickstart", "--logger", "clearml"))
    assert "leave out" in str(failure("train", "--resume", "x", "--seeds", "2"))


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
    assert "s each as measured here" in " ".join(result.stderr.split())
    assert "in all" in result.stderr
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
    assert "which new data" in str(failure("train", "--from", "default/layers"))
    assert "--from BUNDLE" in str(failure("train", "quickstart", "--add", "x"))
    assert "bundle's own recipe" in str(failure("train", "quickstart", "--from", "default/layers"))


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
