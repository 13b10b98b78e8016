"""The table of rules that turns evidence into a verdict; docs/verdict.md shows the same table.

The first rule whose condition holds decides. Missing metadata meets no condition: it is never
evidence. Metadata that anyone can write never makes a verdict `generated` or `real`; it can only
keep the pixels from saying the opposite unopposed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from authentiscan.analysis.report import Stability
from authentiscan.core.types import Verdict
from authentiscan.metrics.decision import Decision
from authentiscan.provenance.records import Claim, Finding, Provenance, State

SIGNED = (State.TRUSTED,)
UNSIGNED = (State.UNSIGNED, State.UNTRUSTED)


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that a verdict may rest on.

    score: P(generated) in [0, 1] of the pixels; pixels: what the thresholds make of it.
    decision: the detector's two thresholds and the error rates behind them.
    warnings: codes of the warnings raised.
    """

    score: float
    pixels: Verdict
    decision: Decision
    warnings: frozenset[str] = frozenset()
    stability: Stability | None = None
    provenance: Provenance | None = None

    def finding(self, claims: tuple[Claim, ...], states: tuple[State, ...]) -> Finding | None:
        """The first provenance finding that makes one of ``claims`` in one of ``states``.

        Findings read with weak confidence are shown, but no rule rests on them.
        """
        found = self.provenance.of(*claims, states=states) if self.provenance else ()
        return next((f for f in found if f.confidence != "weak"), None)


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table.

    when, then: the row's words for people; ``holds`` and ``verdict`` are the same for the machine.
    verdict: the verdict, or None for the pixels' own.
    reason: the plain sentence for the report.
    """

    name: str
    when: str
    then: str
    holds: Callable[[Evidence], bool]
    verdict: Verdict | None
    reason: Callable[[Evidence], str]


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, the rule that gave it and the sentence that says why."""

    verdict: Verdict
    rule: str
    reason: str


def judge(evidence: Evidence) -> Judgement:
    """Apply the first rule that holds; `RULES` ends with one that always does."""
    rule = next(rule for rule in RULES if rule.holds(evidence))
    return Judgement(rule.verdict or evidence.pixels, rule.name, rule.reason(evidence))


def conflict(evidence: Evidence) -> str | None:
    """The sentence that flags pixels and provenance at odds; None where they agree."""
    claimed = {Verdict.GENERATED: "generated", Verdict.REAL: "real"}.get(evidence.pixels)
    if claimed == "generated":
        camera = evidence.finding((Claim.CAMERA,), (*SIGNED, *UNSIGNED))
        # A file that also claims AI origin has no one-sided camera claim to set against the pixels.
        if camera and not evidence.finding(_AI, (*SIGNED, *UNSIGNED)):
            return f"the pixels look generated, but {_cited(camera)}"
    if claimed == "real":
        ai = evidence.finding(_AI, (*SIGNED, *UNSIGNED))
        if ai:
            return f"the pixels look real, but {_cited(ai)}"
    return None


_AI = (Claim.AI_GENERATED, Claim.AI_EDITED)


def _cited(finding: Finding) -> str:
    """The finding as the second half of a sentence, with how far it can be believed."""
    by = f" ({finding.generator})" if finding.generator else ""
    weight = {
        State.TRUSTED: "a valid signature by a trusted signer says",
        State.UNTRUSTED: "an intact signature by a signer who is not on the trust list says",
    }.get(finding.state, f"unsigned metadata ({finding.source}) claims")
    claimed = {
        Claim.AI_GENERATED: "it was made by a generative model",
        Claim.AI_EDITED: "parts of it were made by a generative model",
        Claim.CAMERA: "it was captured by a camera",
    }.get(finding.claim, "something of its origin")
    return f"{weight} {claimed}{by}"


def _cite(evidence: Evidence, claims: tuple[Claim, ...], states: tuple[State, ...]) -> str:
    finding = evidence.finding(claims, states)
    return _cited(finding) if finding else ""


def _pixels(evidence: Evidence) -> str:
    """What score and thresholds say, in words, with the error rate behind it."""
    score, rule = evidence.score, evidence.decision
    high, low = rule.generated.score, rule.real.score
    if evidence.pixels is Verdict.GENERATED:
        own, limit = _apart(score, high)
        return f"score {own} is at or above {limit}; {rule.rate(evidence.pixels)}"
    if evidence.pixels is Verdict.REAL:
        own, limit = _apart(score, low)
        return f"score {own} is below {limit}; {rule.rate(evidence.pixels)}"
    if not rule.allows(Verdict.REAL) and not rule.allows(Verdict.GENERATED):
        return f"score {score:.2f}, and this detector is not good enough to give a verdict"
    if not rule.allows(Verdict.REAL):
        own, limit = _apart(score, high)
        return f"score {own} is below {limit}, and this detector never says real"
    if not rule.allows(Verdict.GENERATED):
        own, limit = _apart(score, low)
        return f"score {own} is at or above {limit}, and this detector never says generated"
    own, *limits = _apart(score, low, high)
    return (
        f"score {own} lies between {limits[0]} and {limits[1]}, "
        "where photographs and generated images mix"
    )


def _apart(score: float, *limits: float) -> list[str]:
    """Scores as text with as many decimals as it takes to tell the first from the others."""
    enough = (d for d in range(2, 9) if round(score, d) not in [round(v, d) for v in limits])
    digits = next(enough, 2)
    return [f"{value:.{digits}f}" for value in (score, *limits)]


def _plain_reason(evidence: Evidence) -> str:
    words = {
        Verdict.GENERATED: "The pixels look generated",
        Verdict.REAL: "The pixels look like a photograph",
        Verdict.INCONCLUSIVE: "The pixels do not decide it",
    }[evidence.pixels]
    sentence = f"{words}: {_pixels(evidence)}"
    agreeing = (
        _cite(evidence, _AI, (*SIGNED, *UNSIGNED))
        if evidence.pixels is not Verdict.REAL
        else _cite(evidence, (Claim.CAMERA,), (*SIGNED, *UNSIGNED))
    )
    opposed = conflict(evidence)
    if opposed:
        return f"{sentence}; but {opposed.split(', but ', 1)[1]}, which alone proves nothing."
    if agreeing:
        return f"{sentence}; {agreeing}."
    return f"{sentence}."


RULES: tuple[Rule, ...] = (
    Rule(
        name="signed-ai",
        when="a valid C2PA signature by a trusted signer says a generative model made the picture",
        then="generated",
        holds=lambda e: e.finding((Claim.AI_GENERATED,), SIGNED) is not None,
        verdict=Verdict.GENERATED,
        reason=lambda e: (
            f"Generated by its own signed statement: {_cite(e, (Claim.AI_GENERATED,), SIGNED)}; "
            f"the pixels' {_pixels(e)}."
        ),
    ),
    Rule(
        name="signed-ai-part",
        when="such a signature says parts of the picture were made by a generative model, "
        "and the pixels do not look generated",
        then="inconclusive",
        holds=lambda e: (
            e.pixels is not Verdict.GENERATED and e.finding((Claim.AI_EDITED,), SIGNED) is not None
        ),
        verdict=Verdict.INCONCLUSIVE,
        reason=lambda e: (
            f"Neither wholly real nor generated: {_cite(e, (Claim.AI_EDITED,), SIGNED)}."
        ),
    ),
    Rule(
        name="signer-unknown-ai",
        when="the pixels do not look generated, but an intact C2PA signature by a signer who is "
        "not on the trust list says a generative model made the picture or parts of it",
        then="inconclusive",
        holds=lambda e: (
            e.pixels is not Verdict.GENERATED and e.finding(_AI, (State.UNTRUSTED,)) is not None
        ),
        verdict=Verdict.INCONCLUSIVE,
        reason=lambda e: f"{_unknown_signer(e)}; the pixels' {_pixels(e)}.",
    ),
    Rule(
        name="too-small",
        when="the image is too small for the detector (warning `too_small_to_judge`)",
        then="inconclusive",
        holds=lambda e: "too_small_to_judge" in e.warnings,
        verdict=Verdict.INCONCLUSIVE,
        reason=lambda _: (
            "Too few pixels to judge: the image is far smaller than what the detector reads."
        ),
    ),
    Rule(
        name="no-photograph",
        when="the image looks like a screenshot or a page of text (warning `screenshot_or_text`)",
        then="inconclusive",
        holds=lambda e: "screenshot_or_text" in e.warnings,
        verdict=Verdict.INCONCLUSIVE,
        reason=lambda e: (
            "Not a picture to judge: it looks like a screenshot or a page of text, "
            f"which is neither photographed nor generated; {_pixels(e)}."
        ),
    ),
    Rule(
        name="outside-verdict-range",
        when="a figure of the picture, such as its noise, lies outside the range in which the "
        "detector's error rates hold (warning `outside_verdict_range`)",
        then="inconclusive",
        holds=lambda e: "outside_verdict_range" in e.warnings,
        verdict=Verdict.INCONCLUSIVE,
        reason=lambda e: (
            "The detector's error rates do not hold for such a picture, for example because of "
            f"noise: {_pixels(e)}."
        ),
    ),
    Rule(
        name="unstable",
        when="storing or scaling the image differently changes the pixels' verdict",
        then="inconclusive",
        holds=lambda e: e.stability is not None and not e.stability.stable,
        verdict=Verdict.INCONCLUSIVE,
        reason=lambda e: (
            f"The verdict does not hold: pixels that look {e.pixels.value} say the opposite "
            f"after {_listed(e.stability.flips if e.stability else ())}."
        ),
    ),
    Rule(
        name="signed-camera-conflict",
        when="the pixels look generated, but a valid C2PA signature by a trusted signer says "
        "a camera captured the picture",
        then="inconclusive",
        holds=lambda e: (
            e.pixels is Verdict.GENERATED
            and e.finding((Claim.CAMERA,), SIGNED) is not None
            and e.finding(_AI, (*SIGNED, *UNSIGNED)) is None
        ),
        verdict=Verdict.INCONCLUSIVE,
        reason=lambda e: f"Pixels and signature disagree: {conflict(e)}; {_pixels(e)}.",
    ),
    Rule(
        name="credentials-unchecked",
        when="the pixels look real, but the file carries content credentials that were not "
        "checked (warning `c2pa_unchecked`)",
        then="inconclusive",
        holds=lambda e: e.pixels is Verdict.REAL and "c2pa_unchecked" in e.warnings,
        verdict=Verdict.INCONCLUSIVE,
        reason=lambda e: (
            "Content credentials are in the file, but could not be checked, and they may say that "
            f"a generative model made it; {_pixels(e)}."
        ),
    ),
    Rule(
        name="metadata-ai-conflict",
        when="the pixels look real, but metadata without a trusted signature claims "
        "a generative model made the picture or parts of it",
        then="inconclusive",
        holds=lambda e: e.pixels is Verdict.REAL and e.finding(_AI, UNSIGNED) is not None,
        verdict=Verdict.INCONCLUSIVE,
        reason=lambda e: f"Pixels and metadata disagree: {conflict(e)}; {_pixels(e)}.",
    ),
    Rule(
        name="pixels",
        when="otherwise",
        then="what score and thresholds say: generated, real or, between them, inconclusive",
        holds=lambda _: True,
        verdict=None,
        reason=_plain_reason,
    ),
)


def _unknown_signer(evidence: Evidence) -> str:
    """What an unknown signer says, in the words of the documentation."""
    finding = evidence.finding(_AI, (State.UNTRUSTED,))
    part = finding is not None and finding.claim is Claim.AI_EDITED
    by = finding.details.get("signer") if finding else None
    named = f" (the certificate names {by})" if by else ""
    claimed = "AI made parts of it" if part else "AI"
    return f"Its signer says: {claimed}; who signed is not known{named}, and the file is intact"


def _listed(names: tuple[str, ...]) -> str:
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"
