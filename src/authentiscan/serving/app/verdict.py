"""The verdict in words, and the score on its scale."""

from __future__ import annotations

from dataclasses import dataclass

from authentiscan.analysis import Report
from authentiscan.core.types import Verdict
from authentiscan.metrics.decision import Decision
from authentiscan.serving.app.html import put


@dataclass(frozen=True, slots=True)
class Words:
    """How a verdict is told: a title, a gloss, and a sign that needs no colour."""

    title: str
    gloss: str
    sign: str


WORDS = {
    "generated": Words("Generated", "Made by a generative model, as far as can be told.", "▲"),
    "real": Words("Real photograph", "Taken by a camera, as far as can be told.", "●"),
    "inconclusive": Words(
        "Inconclusive", "The evidence does not decide it. Treat the image as not verified.", "◆"
    ),
    "failed": Words("Not judged", "This file could not be judged.", "✕"),
}


@dataclass(frozen=True, slots=True)
class Zone:
    """A part of the scale, ``left`` to ``left + width`` per cent of it, and what it means."""

    kind: str
    left: float
    width: float
    where: str
    rate: str


def kind_of(report: Report) -> str:
    """The verdict's key in `WORDS`."""
    return report.verdict.value if report.verdict else "failed"


def zones(rule: Decision) -> list[Zone]:
    """The parts of the scale from 0 to 1, with the error rates behind them in words."""
    low, high = 100 * rule.real.score, 100 * rule.generated.score
    parts = []
    if rule.allows(Verdict.REAL):
        parts.append(Zone("real", 0, low, f"below {low / 100:.2f}", rule.rate(Verdict.REAL)))
    if rule.allows(Verdict.INCONCLUSIVE):
        where = {
            (True, True): f"from {low / 100:.2f} to {high / 100:.2f}",
            (True, False): f"from {low / 100:.2f}",
            (False, True): f"below {high / 100:.2f}",
        }.get((rule.allows(Verdict.REAL), rule.allows(Verdict.GENERATED)), "everywhere")
        mixed = "photographs and generated images mix here"
        parts.append(Zone("inconclusive", low, high - low, where, mixed))
    if rule.allows(Verdict.GENERATED):
        rate = rule.rate(Verdict.GENERATED)
        parts.append(Zone("generated", high, 100 - high, f"from {high / 100:.2f}", rate))
    return parts


def show_verdict(report: Report, rule: Decision) -> None:
    """Put the verdict, the score on its scale, the reason and the warnings on the page."""
    kind = kind_of(report)
    put(
        "verdict.html",
        kind=kind,
        words=WORDS[kind],
        report=report,
        zones=zones(rule),
        never=[
            verdict.value
            for verdict in (Verdict.REAL, Verdict.GENERATED)
            if not rule.allows(verdict)
        ],
    )
