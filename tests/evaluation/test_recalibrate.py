"""Calibration of a bundle from a score table."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from authentiscan.core.errors import MetricError, UsageError
from authentiscan.evaluation.calibration_page import calibration_page, write_calibration_report
from authentiscan.evaluation.recalibrate import (
    compare_methods,
    group_folds,
    parse_costs,
    recalibrate,
    write_calibration,
)
from authentiscan.evaluation.scores import ScoreTable
from authentiscan.inference import read_spec
from authentiscan.metrics.thresholds import Costs


def table(shift: float = 2.0, count: int = 600, per_group: int = 3) -> ScoreTable:
    rng = np.random.default_rng(0)
    labels = np.arange(count) // per_group % 2
    logits = rng.normal((labels - 0.5) * shift, 1)
    names = ("name", "generator", "dataset", "source", "style", "split", "format", "sha256")
    return ScoreTable(
        labels=labels,
        scores=1 / (1 + np.exp(-logits)),
        logits=logits,
        columns={n: [None] * count for n in names}
        | {"group": [f"g{i // per_group}" for i in range(count)]},
        errors=[None] * count,
        protocol="matched",
    )


def test_groups_stay_whole_and_folds_hold_both_classes() -> None:
    made = table()
    fold = group_folds(made, 5, seed=1)
    for group in set(made.groups):
        rows = [i for i, g in enumerate(made.groups) if g == group]
        assert len(set(fold[rows])) == 1
    for k in range(5):
        assert set(made.labels[fold == k]) == {0, 1}
        assert abs((fold == k).mean() - 0.2) < 0.05


def test_methods_are_judged_on_groups_they_were_not_fitted_on() -> None:
    quality = {q.method: q for q in compare_methods(table())}
    assert set(quality) == {"before", "platt", "temperature", "isotonic"}
    assert quality["platt"].brier < 0.2
    assert all(0 <= q.ece <= 1 for q in quality.values())


def test_both_thresholds_state_their_rates() -> None:
    found = recalibrate(table(), fprs=(0.01, 0.05), decide=0.05, measured_on="here")
    decision = found.decision
    assert decision.generated.fpr <= 0.05
    assert decision.generated.how == decision.real.how == "validation part"
    assert decision.real.miss is not None
    assert decision.real.miss_interval[0] <= decision.real.miss <= decision.real.miss_interval[1]
    assert decision.real.measured_on == "here"


def test_a_miss_rate_may_decide_instead_of_costs() -> None:
    made = table()
    found = recalibrate(made, miss=0.03)
    assert found.decision.real.name == "miss_3"
    assert found.decision.real.miss <= 0.03
    looser = recalibrate(made, miss=0.1)
    assert looser.decision.real.score > found.decision.real.score


def test_real_never_reaches_above_generated() -> None:
    found = recalibrate(table(shift=8.0), miss=0.4, fprs=(0.4,), decide=0.4)
    assert found.decision.real.score <= found.decision.generated.score


def test_a_detector_that_ranks_by_chance_is_warned_of() -> None:
    assert any("better than chance" in w for w in recalibrate(table(shift=0.0)).warnings)


def test_scores_without_logits_cannot_be_calibrated() -> None:
    made = table()
    bare = made.take(np.ones(len(made), dtype=bool))
    bare.logits[:] = np.nan
    with pytest.raises(MetricError, match="needs logits"):
        recalibrate(bare)


@pytest.mark.parametrize(
    "text", ["miss", "miss=x", "loss=3", "inconclusive=20", "generated_share=2", "miss=nan"]
)
def test_costs_that_cannot_be_are_one_clear_line(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_costs(text)
    assert "\n" not in str(caught.value)


def test_costs_are_read() -> None:
    assert parse_costs("miss=4, false_alarm=8") == Costs(miss=4, false_alarm=8)
    assert parse_costs("") == Costs()


def test_what_was_fitted_is_written_and_shown(tmp_path: Path, tiny_bundle: Path) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(tiny_bundle, bundle)
    found = recalibrate(table(), measured_on="here")
    write_calibration(bundle, found)
    spec = read_spec(bundle)
    assert spec.decision == found.decision
    recorded = spec.metrics.part("calibration")
    assert recorded.facts["method"] == found.method
    assert recorded.part("cross_validated", "platt").value("brier") is not None
    assert recorded.figures.keys() >= {"images", "mean_cost", "cost_miss"}
    page = write_calibration_report(found, "tiny", tmp_path / "report")
    html = page.read_text()
    for threshold in found.thresholds:
        assert f"{threshold.score:.4f}" in html
    assert "Verdict generated from" in calibration_page(found, "tiny").markdown()
