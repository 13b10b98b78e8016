"""The rules, one by one, and the documented table against the code."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from authentiscan.analysis.report import Stability, StabilityTrial
from authentiscan.analysis.rules import RULES, Evidence, conflict, judge
from authentiscan.core.types import Verdict
from authentiscan.metrics.decision import Decision, RealThreshold, Threshold
from authentiscan.provenance import Claim, Finding, Provenance, State

DOC = Path(__file__).parents[2] / "docs" / "verdict.md"
RULE = Decision(
    generated=Threshold(
        name="fpr_1", score=0.7, fpr=0.01, fpr_interval=(0.0, 0.02), tpr=0.5, measured_on="tests"
    ),
    real=RealThreshold(
        name="miss_5",
        score=0.3,
        miss=0.05,
        miss_interval=(0.02, 0.09),
        tnr=0.4,
        measured_on="tests",
        how="leave-sources-out",
    ),
)
GENERATED, REAL, OPEN = Verdict.GENERATED, Verdict.REAL, Verdict.INCONCLUSIVE


def said(claim: Claim, state: State, confidence: str = "certain") -> Provenance:
    finding = Finding.model_validate(
        {
            "kind": "exif" if state is State.UNSIGNED else "c2pa",
            "state": state,
            "claim": claim,
            "summary": "s",
            "source": "test field",
            "confidence": confidence,
        }
    )
    return Provenance(findings=(finding,))


def evidence(pixels: Verdict, provenance: Provenance | None = None, **more: object) -> Evidence:
    score = {GENERATED: 0.9, REAL: 0.1, OPEN: 0.5}[pixels]
    return Evidence(
        score=score,
        pixels=pixels,
        decision=RULE,
        provenance=provenance,
        **more,  # type: ignore[arg-type]
    )


def shaky(*flips: str) -> Stability:
    trial = StabilityTrial(change="JPEG quality 70", score=0.1, verdict=REAL)
    return Stability(
        trials=(trial,), flips=flips, largest_shift=0.8, complete=True, milliseconds=1.0
    )


AI, PART, CAMERA = Claim.AI_GENERATED, Claim.AI_EDITED, Claim.CAMERA


def test_the_reason_names_the_error_rate_behind_the_word() -> None:
    low = judge(evidence(REAL)).reason
    assert "of generated images of unseen sources, 5.0 % (2.0 to 9.0 %) score this low" in low
    assert "of real photographs, 1.0 % (0.0 to 2.0 %) score this high" in (
        judge(evidence(GENERATED)).reason
    )
    old = RULE.model_copy(update={"real": RealThreshold(score=0.3)})
    bare = judge(replace(evidence(REAL), decision=old)).reason
    assert "no error rate was measured" in bare


def test_a_verdict_that_is_never_given_is_said_to_be_so() -> None:
    never = RULE.model_copy(update={"real": RealThreshold(score=0.0)})
    assert "never says real" in judge(replace(evidence(OPEN), decision=never)).reason
    top = RULE.generated.model_copy(update={"score": 1.0})
    silent = RULE.model_copy(update={"generated": top})
    assert "never says generated" in judge(replace(evidence(OPEN), decision=silent)).reason
    mute = never.model_copy(update={"generated": top})
    assert "not good enough" in judge(replace(evidence(OPEN), decision=mute)).reason


def test_a_score_close_to_its_threshold_is_told_apart_from_it() -> None:
    near = replace(evidence(REAL), score=0.29996)
    assert "score 0.29996 is below 0.30000" in judge(near).reason


@pytest.mark.parametrize(
    ("pixels", "claim", "state", "verdict", "rule"),
    [
        (REAL, AI, State.TRUSTED, GENERATED, "signed-ai"),
        (OPEN, AI, State.TRUSTED, GENERATED, "signed-ai"),
        (GENERATED, AI, State.TRUSTED, GENERATED, "signed-ai"),
        (REAL, PART, State.TRUSTED, OPEN, "signed-ai-part"),
        (GENERATED, PART, State.TRUSTED, GENERATED, "pixels"),
        (REAL, AI, State.UNTRUSTED, OPEN, "signer-unknown-ai"),
        (OPEN, AI, State.UNTRUSTED, OPEN, "signer-unknown-ai"),
        (REAL, PART, State.UNTRUSTED, OPEN, "signer-unknown-ai"),
        (GENERATED, AI, State.UNTRUSTED, GENERATED, "pixels"),
        (REAL, AI, State.UNSIGNED, OPEN, "metadata-ai-conflict"),
        (REAL, PART, State.UNSIGNED, OPEN, "metadata-ai-conflict"),
        (OPEN, AI, State.UNSIGNED, OPEN, "pixels"),
        (GENERATED, AI, State.UNSIGNED, GENERATED, "pixels"),
        (GENERATED, CAMERA, State.TRUSTED, OPEN, "signed-camera-conflict"),
        (GENERATED, CAMERA, State.UNTRUSTED, GENERATED, "pixels"),
        (GENERATED, CAMERA, State.UNSIGNED, GENERATED, "pixels"),
        (REAL, CAMERA, State.UNSIGNED, REAL, "pixels"),
        (REAL, CAMERA, State.TRUSTED, REAL, "pixels"),
        (REAL, AI, State.INVALID, REAL, "pixels"),
        (GENERATED, CAMERA, State.INVALID, GENERATED, "pixels"),
        (REAL, Claim.EDITED, State.UNSIGNED, REAL, "pixels"),
    ],
)
def test_provenance_against_pixels(
    pixels: Verdict, claim: Claim, state: State, verdict: Verdict, rule: str
) -> None:
    judgement = judge(evidence(pixels, said(claim, state)))
    assert (judgement.verdict, judgement.rule) == (verdict, rule)
    assert judgement.reason.endswith(".")
    assert "\n" not in judgement.reason


@pytest.mark.parametrize("pixels", list(Verdict))
def test_missing_metadata_is_never_evidence(pixels: Verdict) -> None:
    for nothing in (None, Provenance(), said(Claim.NONE, State.UNSIGNED)):
        judgement = judge(evidence(pixels, nothing))
        assert (judgement.verdict, judgement.rule) == (pixels, "pixels")
        assert judgement == judge(evidence(pixels))


def test_weakly_read_findings_decide_nothing() -> None:
    assert judge(evidence(REAL, said(AI, State.UNSIGNED, "weak"))).verdict is REAL


def test_a_flip_makes_it_inconclusive_and_is_named() -> None:
    judgement = judge(evidence(GENERATED, stability=shaky("JPEG quality 70", "resizing to 50 %")))
    assert (judgement.verdict, judgement.rule) == (OPEN, "unstable")
    assert "JPEG quality 70 and resizing to 50 %" in judgement.reason
    assert judge(evidence(GENERATED, stability=shaky())).verdict is GENERATED


def test_a_signed_statement_outranks_instability_and_size() -> None:
    signed = said(AI, State.TRUSTED)
    small = frozenset({"too_small_to_judge"})
    assert judge(evidence(REAL, signed, warnings=small)).verdict is GENERATED
    assert judge(evidence(REAL, warnings=small)).rule == "too-small"


def test_conflicts_are_flagged_not_hidden() -> None:
    assert "camera" in str(conflict(evidence(GENERATED, said(CAMERA, State.UNSIGNED))))
    assert "generative" in str(conflict(evidence(REAL, said(AI, State.TRUSTED))))
    assert conflict(evidence(REAL, said(CAMERA, State.UNSIGNED))) is None
    assert conflict(evidence(GENERATED, said(CAMERA, State.INVALID))) is None
    assert conflict(evidence(OPEN, said(AI, State.UNSIGNED))) is None


def test_reason_states_score_threshold_and_its_cost() -> None:
    reason = judge(evidence(GENERATED)).reason
    assert all(part in reason for part in ("0.90", "0.70", "1.0 %"))


def test_the_last_rule_always_holds() -> None:
    assert all(RULES[-1].holds(evidence(pixels)) for pixels in Verdict)


def test_documented_table_is_the_code() -> None:
    rows = re.findall(r"^\| \d+ \| `([\w-]+)` \| (.+?) \| (.+?) \|$", DOC.read_text("utf-8"), re.M)
    assert rows == [(rule.name, rule.when, rule.then) for rule in RULES]


def test_a_screenshot_is_not_judged() -> None:
    screen = frozenset({"screenshot_or_text"})
    assert judge(evidence(GENERATED, warnings=screen)).rule == "no-photograph"
    assert judge(evidence(REAL, warnings=frozenset({"drawing"}))).verdict is REAL


def test_an_unknown_signer_is_quoted_as_such() -> None:
    reason = judge(evidence(REAL, said(AI, State.UNTRUSTED))).reason
    assert reason.startswith("Its signer says: AI; who signed is not known")
    small = frozenset({"too_small_to_judge"})
    assert "who signed" in judge(evidence(REAL, said(AI, State.UNTRUSTED), warnings=small)).reason


@pytest.mark.parametrize(
    ("pixels", "verdict", "rule"),
    [
        (REAL, OPEN, "credentials-unchecked"),
        (OPEN, OPEN, "pixels"),
        (GENERATED, GENERATED, "pixels"),
    ],
)
def test_unchecked_credentials_forbid_real(pixels: Verdict, verdict: Verdict, rule: str) -> None:
    unchecked = frozenset({"c2pa_unchecked"})
    judgement = judge(evidence(pixels, said(Claim.NONE, State.UNCHECKED), warnings=unchecked))
    assert (judgement.verdict, judgement.rule) == (verdict, rule)


@pytest.mark.parametrize("warning", ["c2pa_unreadable", "c2pa_broken"])
def test_broken_credentials_decide_nothing(warning: str) -> None:
    assert judge(evidence(REAL, warnings=frozenset({warning}))).verdict is REAL
