"""A regression gate: limits that an evaluation's figures must keep, for use in CI."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from authentiscan.core.errors import UsageError
from authentiscan.evaluation.results import Evaluation
from authentiscan.metrics.bootstrap import Estimate
from authentiscan.metrics.ranking import METRICS

NOT_MET = 3
"""The exit code of a command whose gate was not met."""


@dataclass(frozen=True, slots=True)
class Gate:
    """``metric`` under ``protocol`` (None: the one that figures are quoted from) keeps ``limit``.

    A metric that is better high must not be under it, one that is better low not above it.
    """

    metric: str
    limit: float
    protocol: str | None = None

    @classmethod
    def parse(cls, text: str) -> Gate:
        """Read ``roc_auc=0.9`` or ``raw:roc_auc=0.9``. Raises UsageError."""
        name, equals, value = text.partition("=")
        protocol, _, metric = name.strip().rpartition(":")
        try:
            limit = float(value) if equals else float("nan")
        except ValueError:
            limit = float("nan")
        if not 0 <= limit <= 1:
            raise UsageError(
                f"--fail-under {text}: expected METRIC=VALUE with a value from 0 to 1, such as "
                "roc_auc=0.9 or raw:tpr_at_fpr_5=0.5"
            )
        if metric not in METRICS:
            raise UsageError(
                f"--fail-under {text}: no metric {metric!r}; there are {', '.join(METRICS)}"
            )
        return cls(metric, limit, protocol or None)

    def check(self, evaluation: Evaluation) -> tuple[bool, str]:
        """Whether it is met, and the figure beside the limit in words. Raises UsageError."""
        name = self.protocol or evaluation.main.name
        result = evaluation.protocols.get(name)
        if result is None:
            raise UsageError(
                f"--fail-under: the protocol {name!r} was not measured; measured were "
                f"{', '.join(evaluation.protocols)}"
            )
        found = result.overall.metrics.get(self.metric, Estimate(None))
        lower = METRICS[self.metric] == "lower"
        if found.value is None:
            return False, f"{self.metric} ({name}) is undefined on these images"
        met = found.value <= self.limit if lower else found.value >= self.limit
        way = ("at most" if lower else "at least") if met else ("above" if lower else "under")
        return met, f"{self.metric} ({name}) {found} is {way} {self.limit:g}"


def check_protocols(gates: Sequence[Gate], protocols: Sequence[str]) -> None:
    """Raise UsageError, before anything is scored, for a gate on what will not be measured."""
    for gate in gates:
        if gate.protocol is not None and gate.protocol not in protocols:
            raise UsageError(
                f"--fail-under {gate.protocol}:{gate.metric}: the protocol {gate.protocol!r} is "
                f"not measured; measured are {', '.join(protocols)}"
            )
