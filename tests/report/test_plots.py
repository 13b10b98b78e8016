"""Pictures of reports show the numbers they are given."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from authentiscan.metrics import curves
from authentiscan.metrics.bootstrap import Estimate
from authentiscan.metrics.thresholds import Verdicts
from authentiscan.report import plots

VERDICTS = Verdicts(
    real={"real": 30, "inconclusive": 60, "generated": 10},
    generated={"real": 5, "inconclusive": 20, "generated": 75},
)


def texts(figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


@pytest.fixture
def scored() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 200)
    return y, np.clip(rng.normal(0.3 + 0.4 * y, 0.2), 0, 1)


def test_the_verdicts_have_three_columns() -> None:
    figure = plots.confusion_matrix(VERDICTS)
    assert texts(figure) == [
        "30\n30.0%", "60\n60.0%", "10\n10.0%", "5\n5.0%", "20\n20.0%", "75\n75.0%",
    ]  # fmt: skip
    labels = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert labels == ["called real", "called inconclusive", "called generated"]


def test_decisions_at_one_cut_have_two_columns() -> None:
    figure = plots.confusion_matrix(VERDICTS, ("real", "generated"))
    assert [text.split("\n")[0] for text in texts(figure)] == ["30", "10", "5", "75"]


def test_a_class_without_images_divides_by_nothing() -> None:
    none = dict.fromkeys(("real", "inconclusive", "generated"), 0)
    figure = plots.confusion_matrix(Verdicts(real=none, generated=VERDICTS.generated))
    assert texts(figure)[0] == "0\n0.0%"


def test_a_roc_curve_is_drawn_point_by_point(scored) -> None:
    curve = curves.roc_curve(*scored)
    figure = plots.roc({"raw": curve}, {"raw": "raw  0.9"})
    drawn = [line for line in figure.axes[0].lines if len(line.get_xdata()) == len(curve.x)]
    assert any(np.allclose(line.get_ydata(), curve.y) for line in drawn)


def test_the_band_is_drawn_between_the_thresholds(scored) -> None:
    found = curves.histogram(*scored)
    with_band = plots.score_distribution(found, threshold=0.7, real_below=0.3)
    without = plots.score_distribution(found, threshold=0.7, real_below=0.7)
    assert len(with_band.axes[0].patches) == len(without.axes[0].patches) + 1


def test_a_forest_names_every_row() -> None:
    rows = [("alpha", Estimate(0.9, 0.8, 0.95)), ("beta", Estimate(None))]
    figure = plots.forest(rows, label="ROC AUC", chance=0.5)
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()][:1] != []
    assert "ROC AUC" in figure.axes[0].get_xlabel()


def test_png_is_a_picture() -> None:
    with Image.open(io.BytesIO(plots.png(plots.confusion_matrix(VERDICTS)))) as picture:
        assert picture.format == "PNG"
        assert min(picture.size) > 200
