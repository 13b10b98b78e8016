"""`authentiscan runs` and the quick ends of `authentiscan pipeline` as a user meets them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from authentiscan.cli import app
from authentiscan.core.errors import RecipeError, TrainingError, UsageError
from authentiscan.training.recipe_file import dump_recipe, load_recipe

runner = CliRunner()


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    """Two interrupted runs of which only recipes and histories are there."""
    for name, lr, losses in (("a", "0.1", (0.7, 0.5, 0.6)), ("b", "0.2", (0.9,))):
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        recipe = load_recipe("quickstart", [f"optimizer.lr={lr}"])
        (folder / "recipe.yaml").write_text(dump_recipe(recipe))
        lines = [f"{i},{v},{1 - v},0.5,2.0" for i, v in enumerate(losses, 1)]
        head = "epoch,val_loss,val_roc_auc,val_balanced_accuracy,seconds"
        (folder / "history.csv").write_text("\n".join([head, *lines]) + "\n")
    return tmp_path / "runs"


def test_list(outputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    shown = runner.invoke(app, ["runs", "list", str(outputs)])
    assert shown.exit_code == 0, shown.output
    assert "interrupted after epoch 3 of 12" in shown.stdout
    assert "6.0 s" in shown.stdout
    (outputs / "a" / "error.txt").write_text("TrainingError: the disk is full\n")
    listed = runner.invoke(app, ["runs", "list", str(outputs)])
    assert "the disk is full" in listed.stderr
    content = json.loads(runner.invoke(app, ["runs", "list", str(outputs), "--json"]).stdout)
    by_folder = {Path(run["folder"]).name: run for run in content}
    assert by_folder["a"]["state"] == "failed"
    assert by_folder["a"]["best_epoch"] == 2
    assert by_folder["b"]["best"]["val_loss"] == 0.9


def test_compare(outputs: Path, tmp_path: Path) -> None:
    page = tmp_path / "versus.html"
    arguments = ["runs", "compare", str(outputs / "a"), str(outputs / "b")]
    shown = runner.invoke(app, [*arguments, "-o", str(page)])
    assert shown.exit_code == 0, shown.output
    assert "optimizer.lr" in shown.stdout
    assert page.is_file()
    content = json.loads(runner.invoke(app, [*arguments, "--json"]).stdout)
    assert content["differences"] == {"optimizer.lr": [0.1, 0.2]}
    assert content["names"] == ["a", "b"]


def test_wrong_use_is_told(outputs: Path, tmp_path: Path) -> None:
    def failure(*arguments: str) -> BaseException | None:
        return runner.invoke(app, list(arguments)).exception

    assert isinstance(failure("runs", "compare", str(outputs / "a")), UsageError)
    assert isinstance(failure("runs", "list", str(tmp_path / "none")), TrainingError)
    assert "which configuration?" in str(failure("pipeline"))
    config = tmp_path / "config.yaml"
    config.write_text("data: {a: nowhere}\nbaselines: {a: {recipe: quickstart}}\nx: 1\n")
    error = failure("pipeline", "--config", str(config))
    assert isinstance(error, RecipeError)
    assert "line 3: x: unknown key" in str(error)
    assert isinstance(failure("pipeline", "--config", str(tmp_path / "absent.yaml")), RecipeError)


def test_the_example_is_a_beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shown = runner.invoke(app, ["pipeline", "--example"])
    assert shown.exit_code == 0
    (tmp_path / "config.yaml").write_text(shown.stdout)
    error = runner.invoke(app, ["pipeline", "--config", "config.yaml"]).exception
    assert str(error).count("there is no ") == 3, "only the paths are the user's to fill in"
