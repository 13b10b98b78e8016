"""The model card says what detector.json says."""

from __future__ import annotations

from authentiscan.inference import default_bundle, read_spec
from authentiscan.inference.card import model_card, table
from authentiscan.metrics.decision import RealThreshold, SourceRate


def test_the_packaged_card_is_the_one_made_of_its_description() -> None:
    folder = default_bundle()
    assert (folder / "README.md").read_text(encoding="utf-8") == model_card(read_spec(folder))


def test_the_packaged_card_states_the_rates_of_both_verdicts() -> None:
    card = model_card(read_spec(default_bundle()))
    verdict = card.partition("## Verdict")[2].partition("## ")[0]
    assert "of real photographs of unseen sources" in verdict
    assert "of generated images of unseen sources" in verdict
    assert "worst source" in verdict


def test_a_verdict_without_a_measured_rate_is_said_to_have_none(tiny_bundle) -> None:
    assert "no error rate was measured" in model_card(read_spec(tiny_bundle))


def test_rates_and_the_worst_source_of_both_sides_are_told(tiny_bundle) -> None:
    spec = read_spec(tiny_bundle)
    real = RealThreshold(
        name="miss_5",
        score=0.2,
        miss=0.04,
        miss_interval=(0.02, 0.07),
        tnr=0.5,
        measured_on="unseen | images",
        how="leave-sources-out",
        sources=9,
        worst=SourceRate(source="a/b", rate=0.2, images=40),
    )
    decision = spec.decision.model_copy(update={"real": real})
    card = model_card(spec.model_copy(update={"decision": decision}))
    assert (
        "real: below a score of 0.2000; of generated images of unseen sources, 4.0 % "
        "(2.0 to 7.0 %) score this low. It finds 50.0 % of real photographs."
    ) in card
    assert "worst source: a/b, 20.0 % of 40 images" in card


def test_cells_cannot_break_a_table() -> None:
    assert table(["a", "b"], [["x | y", "1\n2"]]).splitlines()[-1] == "| x \\| y | 1 2 |"
