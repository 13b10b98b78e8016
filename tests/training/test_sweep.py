"""Searching settings: what is asked for, trials that are ended early, going on, the best recipe."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("optuna")

from authentiscan.core.errors import AuthentiscanError, TrainingError, UsageError
from authentiscan.training.recipe import Recipe
from authentiscan.training.recipe_file import load_recipe
from authentiscan.training.run import Result, train
from authentiscan.training.state import Progress
from authentiscan.training.sweep import Dimension, sweep


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("optimizer.lr=1e-5..1e-2", Dimension("optimizer.lr", None, 1e-5, 1e-2, log=True)),
        ("loss.label_smoothing=0..0.2", Dimension("loss.label_smoothing", None, 0.0, 0.2)),
        ("batch_size=16..32", Dimension("batch_size", None, 16, 32, whole=True)),
        ("batch_size=16,32, 64", Dimension("batch_size", (16, 32, 64))),
        ("optimizer.name=adam,sgd", Dimension("optimizer.name", ("adam", "sgd"))),
    ],
)
def test_ranges_and_choices(text: str, found: Dimension) -> None:
    assert Dimension.parse(text) == found


@pytest.mark.parametrize(
    "text", ["", "lr", "=1..2", "lr=", "lr=1", "lr=2..1", "lr=a..b", "lr=[1],[2]", "lr=1..1"]
)
def test_mistakes(text: str) -> None:
    with pytest.raises(UsageError, match="--sweep"):
        Dimension.parse(text)


def imitated(best: float) -> Callable[[Recipe, Path, Callable[[Progress], bool]], Result]:
    """Training of four epochs whose figure depends on the distance of lr from ``best``."""

    def run(recipe: Recipe, place: Path, stop: Callable[[Progress], bool]) -> Result:
        (place / "checkpoints").mkdir(parents=True)
        value = 1 - abs(recipe.optimizer.lr - best)
        progress = Progress()
        for epoch in range(1, 5):
            progress.history.append({"epoch": epoch, recipe.monitor: value * epoch / 4})
            progress.best = value * epoch / 4
            if stop(progress):
                break
        return Result(place, progress, None)

    return run


@pytest.fixture
def make(tiny: Any, toy: Path) -> Callable[[Sequence[str]], Recipe]:
    return lambda changes: tiny(toy, *changes)


def test_the_best_settings_are_found_and_kept(make: Any, tmp_path: Path) -> None:
    said: list[str] = []
    space = [Dimension.parse("optimizer.lr=0.0001..0.9"), Dimension.parse("batch_size=8,16")]
    found = sweep(make, space, 14, tmp_path, imitated(0.5), said.append)
    assert len(found.trials) == 14
    assert abs(float(found.best.settings["optimizer.lr"]) - 0.5) < 0.3
    assert {t.state for t in found.trials} == {"complete", "pruned"}
    best = load_recipe(tmp_path / "best.yaml")
    assert best.optimizer.lr == pytest.approx(float(found.best.settings["optimizer.lr"]))
    assert json.loads((tmp_path / "sweep.json").read_text())["best"]["number"] == found.best.number
    page = (tmp_path / "sweep.html").read_text()
    assert "Each trial" in page
    assert f"optimizer.lr={found.best.settings['optimizer.lr']:.4g}, batch_size" in page
    assert not list(tmp_path.glob("trial-*/checkpoints"))
    assert said[0].startswith("trial 0: optimizer.lr=")
    # The same call goes on, and does nothing where enough trials are there.
    again = sweep(make, space, 14, tmp_path, imitated(0.5), said.append)
    assert again == found
    assert said[-1].startswith("all 14 trials were made before")
    assert len(sweep(make, space, 15, tmp_path, imitated(0.5), said.append).trials) == 15


def test_another_sweep_in_the_folder_is_refused(make: Any, tmp_path: Path) -> None:
    space = [Dimension.parse("optimizer.lr=0.001..0.9")]
    sweep(make, space, 1, tmp_path, imitated(0.5), lambda _: None)
    with pytest.raises(TrainingError, match="another recipe or of other settings"):
        sweep(make, [Dimension.parse("batch_size=8,16")], 1, tmp_path, imitated(0.5), print)


def test_settings_that_the_recipe_lacks_are_told_first(make: Any, tmp_path: Path) -> None:
    with pytest.raises(AuthentiscanError, match="optimizer"):
        sweep(make, [Dimension.parse("optimizer.rate=0.1..0.2")], 3, tmp_path, imitated(0.5), print)
    with pytest.raises(AuthentiscanError, match="batch_size"):
        sweep(make, [Dimension.parse("batch_size=0,16")], 3, tmp_path, imitated(0.5), print)
    assert not (tmp_path / "study.log").exists()


def test_a_trial_that_fails_does_not_end_the_sweep(make: Any, tmp_path: Path) -> None:
    good, number = imitated(0.5), 0

    def run(recipe: Recipe, place: Path, stop: Callable[[Progress], bool]) -> Result:
        nonlocal number
        number += 1
        if number == 1:
            raise TrainingError("the loss became nan")
        return good(recipe, place, stop)

    space = [Dimension.parse("optimizer.lr=0.001..0.9")]
    found = sweep(make, space, 3, tmp_path, run, lambda _: None)
    assert [t.state for t in found.trials] == ["fail", "complete", "complete"]

    def broken(*_: object) -> Result:
        raise TrainingError("the loss became nan")

    with pytest.raises(TrainingError, match="no trial came to its end"):
        sweep(make, space, 2, tmp_path / "b", broken, lambda _: None)


@pytest.mark.slow
def test_real_trials(make: Any, tmp_path: Path) -> None:
    def run(recipe: Recipe, place: Path, stop: Callable[[Progress], bool]) -> Result:
        return train(recipe, output=place, stop=stop, bundle=False)

    space = [Dimension.parse("optimizer.lr=0.001..0.02"), Dimension.parse("phases.0.epochs=1,2")]
    found = sweep(make, space, 2, tmp_path, run, lambda _: None)
    assert all(t.value is not None and 0 <= t.value <= 1 for t in found.trials)
    assert (tmp_path / "trial-001" / "history.csv").is_file()
