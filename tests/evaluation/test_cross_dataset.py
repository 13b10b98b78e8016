"""The matrix of detectors and data sets: cells, gaps, generators left out, the CSV."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest

from authentiscan.core.errors import UsageError
from authentiscan.datasets.open import NamedData
from authentiscan.evaluation.adapters import Candidate
from authentiscan.evaluation.cross_dataset import CrossEvaluation, cross_evaluate
from authentiscan.evaluation.slices import Options
from authentiscan.manifest.table import Manifest
from evaluation.conftest import MeanScorer

QUICK = Options(rounds=20)


class Dark(MeanScorer):
    """Calls dark images generated: always wrong where `MeanScorer` is right."""

    name = "dark"

    def logits(self, images):  # type: ignore[no-untyped-def]
        return -super().logits(images)


@pytest.fixture(scope="module")
def sources(image_manifest: Manifest) -> list[NamedData]:
    return [NamedData(name, image_manifest.where(dataset=name)) for name in ("one", "two")]


@pytest.fixture(scope="module")
def crossed(sources: list[NamedData]) -> CrossEvaluation:
    candidates = [Candidate("bright", 0.5, MeanScorer("b")), Candidate("=dark", 0.5, Dark("d"))]
    return cross_evaluate(candidates, sources, left_out={"=dark": "beta"}, options=QUICK)


def test_opposite_detectors_have_opposite_areas(crossed: CrossEvaluation) -> None:
    bright, dark = np.asarray(crossed.grid("roc_auc"), dtype=float)
    np.testing.assert_allclose(bright + dark, 1)
    assert crossed.cell("bright", "two").metrics["roc_auc"].value == bright[1]


def test_a_gap_is_the_own_data_set_less_the_others(crossed: CrossEvaluation) -> None:
    for row, name in enumerate(crossed.detectors):
        figures = crossed.grid("roc_auc")[row]
        (gap,) = (g for g in crossed.gaps if (g.detector, g.metric) == (name, "roc_auc"))
        assert gap.in_domain == figures[row]
        assert gap.elsewhere == figures[1 - row]
        assert gap.gap.value == pytest.approx(gap.in_domain - gap.elsewhere)


def test_a_generator_left_out_is_compared_with_one_that_had_it(crossed: CrossEvaluation) -> None:
    assert {(part.detector, part.generator) for part in crossed.left_out} == {("=dark", "beta")}
    for part in crossed.left_out:
        assert part.images > 0
        assert part.reference is not None
        ours, theirs = part.metrics["roc_auc"].value, part.reference["roc_auc"].value
        assert ours == pytest.approx(1 - theirs)


def test_the_csv_has_every_cell_and_no_formula(crossed: CrossEvaluation) -> None:
    rows = list(csv.DictReader(io.StringIO(crossed.csv())))
    assert [(row["detector"], row["data"]) for row in rows] == [
        ("bright", "one"), ("bright", "two"), ("'=dark", "one"), ("'=dark", "two")
    ]  # fmt: skip
    assert [row["in_domain"] for row in rows] == ["1", "0", "0", "1"]
    value = crossed.cell("bright", "one").metrics["roc_auc"].value
    assert float(rows[0]["roc_auc"]) == pytest.approx(value, abs=1e-5)
    assert CrossEvaluation.model_validate_json(crossed.model_dump_json()) == crossed


def test_names_must_be_told_apart(sources: list[NamedData]) -> None:
    one = Candidate("a", 0.5, MeanScorer())
    with pytest.raises(UsageError, match="differently named detectors"):
        cross_evaluate([one, one], sources)
    with pytest.raises(UsageError, match="differently named data sets"):
        cross_evaluate([one], [sources[0], sources[0]])
    with pytest.raises(UsageError, match="file of scores"):
        cross_evaluate([Candidate("s", 0.5)], sources)
