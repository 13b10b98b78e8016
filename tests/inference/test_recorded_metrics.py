"""Recorded figures: every spelling that detector.json ever had, read; one written."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from authentiscan.core.records import Record
from authentiscan.inference import default_bundle, read_spec
from authentiscan.inference.card import model_card
from authentiscan.inference.recorded_metrics import Figure, Metrics, RecordedMetrics


@pytest.mark.parametrize(
    "spelled",
    [
        {"auc": {"value": 0.9, "low": 0.8, "high": 0.95}},
        {"auc": {"value": 0.9, "interval": [0.8, 0.95]}},
        {"auc": {"value": 0.9, "ci": [0.8, 0.95]}},
        {"auc": 0.9, "auc_interval": [0.8, 0.95]},
        {"auc": 0.9, "auc_ci": [0.8, 0.95]},
    ],
)
def test_five_spellings_of_an_interval_are_one_figure(spelled) -> None:
    read = RecordedMetrics.read(spelled)
    assert read.figures == {"auc": Figure(value=0.9, low=0.8, high=0.95)}
    assert read.model_dump() == {"auc": {"value": 0.9, "low": 0.8, "high": 0.95}}
    assert str(read.figures["auc"]) == "0.900 (0.800 to 0.950)"


def test_facts_figures_and_parts_are_told_apart() -> None:
    read = RecordedMetrics.read(
        {
            "data": "crops",
            "images": 12,
            "nothing": None,
            "fprs": [0.01, 0.05],
            "matched": {"auc": 0.5, "by": {"camera": {"images": 3}}},
        }
    )
    assert read.facts == {"data": "crops", "fprs": "0.01, 0.05"}
    assert read.value("images") == 12
    assert isinstance(read.value("images"), int)
    assert read.value("nothing") is None
    assert read.value("missing") is None
    assert read.part("matched", "by", "camera").value("images") == 3
    assert not read.part("matched", "elsewhere")


def test_facts_under_their_old_name_are_read() -> None:
    assert RecordedMetrics.read({"treatment": "raw"}).facts == {"protocol": "raw"}


def test_a_part_is_added_or_replaced_and_the_rest_stays() -> None:
    first = RecordedMetrics.read({"a": 1, "x": {"b": 2}, "y": {"c": 3}})
    second = first.with_part("x", {"b": 5})
    assert second.part("x").value("b") == 5
    assert second.part("y") == first.part("y")
    assert first.part("x").value("b") == 2


def test_what_is_written_is_read_back_equal() -> None:
    class Holder(Record):
        metrics: Metrics

    text = read_spec(default_bundle()).metrics.model_dump_json()
    held = Holder.model_validate_json(f'{{"metrics": {text}}}')
    assert json.loads(held.model_dump_json())["metrics"] == json.loads(text)
    assert Holder.model_validate_json(held.model_dump_json()) == held
    with pytest.raises(ValidationError, match="mapping of names"):
        Holder.model_validate({"metrics": [1, 2]})


def test_the_card_shows_parts_of_figures_as_one_table(tiny_bundle) -> None:
    spec = read_spec(tiny_bundle)
    measured = RecordedMetrics.read(
        {
            "test": {
                "data": "held | out",
                "auc": 0.75,
                "generators": {
                    "alpha": {"images": 3, "auc": {"value": 0.5, "low": 0.4, "high": 0.6}},
                    "beta": {"images": 4},
                },
            }
        }
    )
    card = model_card(spec.model_copy(update={"metrics": measured}))
    assert "| data | held \\| out |" in card
    assert "| alpha | 3 | 0.500 (0.400 to 0.600) |" in card
    assert "| beta | 4 |  |" in card
    assert "Nothing measured yet" in model_card(
        spec.model_copy(update={"metrics": RecordedMetrics()})
    )
