"""Runs read back: finished, interrupted, failed, running; laid side by side."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from authentiscan.core.errors import OutputError, TrainingError, UsageError
from authentiscan.inference.update import update_spec
from authentiscan.training.attempt import attempt
from authentiscan.training.recipe import Recipe
from authentiscan.training.run import resume_run, train
from authentiscan.training.runs import find_runs, history_of, labels, read_run, recipe_differences
from authentiscan.training.runs_page import compare_runs, duration, write_comparison

MakeRecipe = Callable[..., Recipe]


@pytest.fixture(scope="module")
def outputs(tiny: MakeRecipe, toy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``whole``: finished in 2 epochs. ``cut``: stopped in the second of 3, another lr."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("runs")
    train(tiny(toy, epochs=2), output=folder / "whole")
    cut = tiny(toy, "optimizer.lr=0.02", "name=other")
    train(cut, output=folder / "cut", stop=lambda p: p.total_epochs == 1 and p.step == 2)
    (folder / "no-run").mkdir()
    return folder


def test_a_finished_run(outputs: Path) -> None:
    run = read_run(outputs / "whole")
    assert (run.state, run.progress) == ("finished", "finished, 2 epochs")
    assert (run.name, run.model, run.data, run.device) == ("tiny", "residual", ("toy",), "cpu")
    history = history_of(outputs / "whole")
    best = max(history, key=lambda row: row["val_roc_auc"])
    assert run.best_epoch == best["epoch"]
    assert run.best["val_loss"] == best["val_loss"]
    assert run.seconds == pytest.approx(sum(row["seconds"] for row in history))
    assert 0 <= run.validation["roc_auc"] <= 1
    assert 0 <= run.tests["test, raw"]["roc_auc"] <= 1
    assert run.size == sum(f.stat().st_size for f in (outputs / "whole/bundle").iterdir())
    assert run.parameters is not None


def test_recorded_test_figures_are_read(outputs: Path, tmp_path: Path) -> None:
    shutil.copytree(outputs / "whole", tmp_path / "run")
    figure = {"value": 0.75, "low": 0.7, "high": 0.8}
    recorded = {"toy/test": {"data": "toy", "raw": {"roc_auc": figure}, "per_dataset_raw": {}}}
    update_spec(tmp_path / "run" / "bundle", metrics={"evaluation": recorded})
    run = read_run(tmp_path / "run")
    assert run.tests["toy/test, raw"] == {"roc_auc": 0.75}


def test_interrupted_running_failed(outputs: Path, tmp_path: Path) -> None:
    shutil.copytree(outputs / "cut", tmp_path / "cut")
    folder = tmp_path / "cut"
    assert read_run(folder).progress == "interrupted after epoch 1 of 3"
    assert read_run(folder).size is None
    trial = read_run(folder).model_copy(update={"epochs": 3})  # of a search: none leaves a bundle
    assert trial.progress == "all 3 epochs, no bundle"
    with attempt(folder):
        assert read_run(folder).state == "running"
        with pytest.raises(OutputError, match="another command writes"):
            resume_run(folder)
    with pytest.raises(ValueError, match="no luck"), attempt(folder):
        raise ValueError("no luck")
    failed = read_run(folder)
    assert (failed.state, failed.error) == ("failed", "ValueError: no luck")
    with pytest.raises(KeyboardInterrupt), attempt(folder):
        raise KeyboardInterrupt
    assert read_run(folder).state == "interrupted", "an error is forgotten by the next attempt"


def test_runs_are_found_by_their_last_sign_of_life(outputs: Path, tmp_path: Path) -> None:
    assert {run.folder.name for run in find_runs(outputs)} == {"whole", "cut"}
    os.utime(outputs / "cut" / "recipe.yaml", (4e9, 4e9))
    assert [run.folder.name for run in find_runs(outputs)] == ["whole", "cut"]
    with pytest.raises(TrainingError, match="no runs under"):
        find_runs(tmp_path)
    with pytest.raises(TrainingError, match="is no run"):
        read_run(tmp_path)


def test_only_what_differs(outputs: Path) -> None:
    runs = [read_run(outputs / "whole"), read_run(outputs / "cut")]
    assert recipe_differences(runs) == {
        "name": ["tiny", "other"],
        "phases.0.epochs": [2, 3],
        "optimizer.lr": [0.01, 0.02],
    }
    assert recipe_differences(runs[:1]) == {}
    assert labels(runs) == ["tiny", "other"]
    alike = [runs[0], runs[1].model_copy(update={"name": "tiny"})]
    assert labels(alike) == ["whole", "cut"]
    with pytest.raises(UsageError, match="twice"):
        labels([runs[0], runs[0]])


def test_a_comparison_is_written(
    outputs: Path, tmp_path: Path, read_page: Callable[[str], Any]
) -> None:
    found = compare_runs([read_run(outputs / "whole"), read_run(outputs / "cut")])
    content = json.loads(found.model_dump_json())
    assert content["differences"]["optimizer.lr"] == [0.01, 0.02]
    assert [len(history) for history in content["histories"]] == [2, 1]
    picture = write_comparison(found, tmp_path / "curves.png")
    assert picture.read_bytes().startswith(b"\x89PNG")
    page = write_comparison(found, tmp_path / "versus.html")
    text = read_page(page.read_text(encoding="utf-8")).text
    assert "optimizer.lr" in text
    assert "interrupted after epoch 1 of 3" in text
    assert "://" not in text, "nothing is loaded from anywhere"
    assert write_comparison(found, tmp_path / "folder").name == "runs.html"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (45, "45 s"), (125, "2 min"), (3599, "1 h 0 min"),
     (11100, "3 h 5 min")],
)  # fmt: skip
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
