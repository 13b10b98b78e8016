"""Several seeds of one recipe: mean and spread, going on, refusing other recipes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from authentiscan.core.errors import TrainingError, UsageError
from authentiscan.training.recipe import Recipe
from authentiscan.training.repeats import Repeats, Spread, repeat
from authentiscan.training.run import Result, train


def test_spread() -> None:
    found = Spread.of([0.8, 0.9, 1.0])
    assert (found.mean, found.deviation) == pytest.approx((0.9, 0.1))
    assert str(found) == "0.900 ± 0.100 (0.800 to 1.000)"


def test_the_table_names_every_seed() -> None:
    table = Repeats(
        recipe="r", seeds=(3, 4), folders=("a", "b"), measured_on="test",
        figures={"roc_auc": Spread.of([0.5, 0.7])},
    ).table()  # fmt: skip
    assert table.head == ["", "mean ± deviation", "seed 3", "seed 4"]
    assert table.rows == [["ROC AUC", "0.600 ± 0.141", "0.500", "0.700"]]
    assert "test part" in table.note


@pytest.mark.parametrize("count", [0, 1, 101])
def test_counts(count: int, tiny: Any, toy: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="from 2 to 100"):
        repeat(tiny(toy), count, tmp_path, lambda *_: pytest.fail("nothing is trained"))


@pytest.mark.slow
def test_seeds_are_trained_once_and_laid_side_by_side(tiny: Any, toy: Path, tmp_path: Path) -> None:
    made: list[int] = []

    def run(recipe: Recipe, place: Path, begun: bool) -> Result:
        made.append(recipe.seed)
        return train(recipe, output=place, resume=begun)

    found = repeat(tiny(toy, epochs=1), 2, tmp_path, run)
    assert made == [0, 1]
    assert found.measured_on == "test"
    assert len(found.figures["roc_auc"].values) == 2
    assert json.loads((tmp_path / "seeds.json").read_text())["seeds"] == [0, 1]
    assert "±" in (tmp_path / "seeds.html").read_text()
    recipes = [(tmp_path / f"seed-{n}" / "recipe.yaml").read_text() for n in (0, 1)]
    assert "seed: 1" in recipes[1]
    told: list[str] = []
    assert repeat(tiny(toy, epochs=1), 2, tmp_path, run, told.append) == found
    assert [line.endswith("finished before") for line in told] == [True, True]
    assert made == [0, 1]  # finished runs are not made again
    with pytest.raises(TrainingError, match="another recipe"):
        repeat(tiny(toy, epochs=2), 2, tmp_path, run)
