"""What a bundle answers on a part of the data, told in text and pictures."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn.metrics import classification_report as reference

from authentiscan.core.errors import MetricError
from authentiscan.evaluation.scores import ScoreTable
from authentiscan.inference import read_spec
from authentiscan.metrics.ranking import Confusion, confusion
from authentiscan.training.measured import classification_report, write_part


def table_of(labels: list[int], scores: list[float]) -> ScoreTable:
    return ScoreTable(
        labels=np.asarray(labels, dtype=np.int64),
        scores=np.asarray(scores, dtype=np.float64),
        logits=np.asarray(scores, dtype=np.float64),
        columns={"group": [None] * len(labels)},
        errors=[None if np.isfinite(s) else "unreadable" for s in scores],
    )


@settings(deadline=None, max_examples=150)
@given(
    # Where nothing at all is right, scikit-learn prints the supports as 1.0 instead of 1.
    counts=st.tuples(*[st.integers(0, 40)] * 4).filter(lambda c: c[0] + c[3] > 0),
)
def test_the_report_is_that_of_scikit_learn(counts: tuple[int, int, int, int]) -> None:
    truth = [y for y, n in zip((0, 0, 1, 1), counts, strict=True) for _ in range(n)]
    called = [y for y, n in zip((0, 1, 0, 1), counts, strict=True) for _ in range(n)]
    expected = reference(
        truth, called, labels=[0, 1], target_names=["real", "generated"], digits=4, zero_division=0
    )
    # For some one-sided tables it writes supports as 3.0.
    expected = re.sub(r"  (\d+)\.0\n", r"    \1\n", expected)
    if "accuracy" in expected:  # it says "micro avg" instead where a class occurs nowhere
        assert classification_report(Confusion(*counts)) == expected


def test_large_supports_keep_their_columns() -> None:
    text = classification_report(Confusion(49_000, 1_000, 500, 49_500))
    assert text.splitlines()[2] == "        real     0.9899    0.9800    0.9849     50000"


def test_a_part_is_told_and_drawn(tmp_path: Path, tiny_bundle: Path) -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 200).tolist()
    scores = np.clip(rng.normal(0.35 + 0.3 * np.asarray(labels), 0.2), 0, 1).tolist()
    labels, scores = [*labels, 1], [*scores, float("nan")]
    write_part(tmp_path / "test", table_of(labels, scores), read_spec(tiny_bundle))
    text = (tmp_path / "test" / "classification_report.txt").read_text()
    assert text == classification_report(confusion(labels[:-1], scores[:-1]))
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
