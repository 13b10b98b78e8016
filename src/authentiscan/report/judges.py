"""A detector as the footer of a page names it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from authentiscan.inference.spec import DetectorSpec


@dataclass(frozen=True)
class Judge:
    """Who judged. sha256: of what computes its scores, None where that has no file.

    limits: what it cannot do, one sentence each.
    """

    name: str
    sha256: str | None = None
    limits: tuple[str, ...] = ()


def judge_of(spec: DetectorSpec, name: str | None = None) -> Judge:
    """The detector that ``spec`` describes, called ``name`` where one is given."""
    return Judge(name or f"{spec.name} {spec.version}", spec.sha256, tuple(spec.limits))
