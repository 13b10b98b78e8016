"""What a bundle answers on a part of the data, told in text and pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import classification_report as reference

from authentiscan.core.errors import MetricError
from authentiscan.evaluation.scores import ScoreTable
from authentiscan.inference import read_spec
from authentiscan.training.measured import write_part
from authentiscan.training.recipe import Recipe
from authentiscan.training.run import train


def table_of(labels: list[int], scores: list[float]) -> ScoreTable:
    return ScoreTable(
        labels=np.asarray(labels, dtype=np.int64),
        scores=np.asarray(scores, dtype=np.float64),
        logits=np.asarray(scores, dtype=np.float64),
        columns={"group": [None] * len(labels)},
        errors=[None if np.isfinite(s) else "unreadable" for s in scores],
    )


def test_a_part_is_told_and_drawn(tmp_path: Path, tiny_bundle: Path) -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 200).tolist()
    scores = np.clip(rng.normal(0.35 + 0.3 * np.asarray(labels), 0.2), 0, 1).tolist()
    labels, scores = [*labels, 1], [*scores, float("nan")]
    write_part(tmp_path / "test", table_of(labels, scores), read_spec(tiny_bundle))
    text = (tmp_path / "test" / "classification_report.txt").read_text()
    called = [int(score >= 0.5) for score in scores[:-1]]
    names = {"labels": [0, 1], "target_names": ["real", "generated"], "digits": 4}
    assert text == reference(labels[:-1], called, **names)
    for name in ("confusion_matrix", "roc", "scores"):
        with Image.open(tmp_path / "test" / f"{name}.png") as picture:
            assert min(picture.size) > 300
            assert len(picture.convert("RGB").getcolors(1 << 20) or []) > 20


def test_one_class_has_no_curve_and_no_scores_are_told(tmp_path: Path, tiny_bundle: Path) -> None:
    spec = read_spec(tiny_bundle)
    write_part(tmp_path / "one", table_of([1, 1], [0.2, 0.9]), spec)
    assert sorted(p.name for p in (tmp_path / "one").iterdir()) == [
        "classification_report.txt", "confusion_matrix.png", "scores.png",
    ]  # fmt: skip
    with pytest.raises(MetricError, match="none of 1 images was scored"):
        write_part(tmp_path / "none", table_of([1], [float("nan")]), spec)


def test_a_test_part_that_shows_nothing_is_the_first_limit(
    tiny: Callable[..., Recipe], toy: Path, tmp_path: Path
) -> None:
    recipe = tiny(toy, "optimizer.lr=1e-12", epochs=1)
    found = train(recipe, output=tmp_path / "run").spec
    assert found is not None
    assert found.limits[0].startswith("On its 40 test images it is not shown to beat chance")
    assert found.limits[0] in (tmp_path / "run" / "bundle" / "README.md").read_text()
