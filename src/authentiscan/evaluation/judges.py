"""Measured detectors as the footers of pages name them."""

from __future__ import annotations

from authentiscan.evaluation.adapters import Candidate
from authentiscan.evaluation.results import DetectorFacts
from authentiscan.inference.spec import ONNX_FILE
from authentiscan.report.judges import Judge, judge_of


def judge_of_facts(facts: DetectorFacts) -> Judge:
    """The detector of an evaluation."""
    return Judge(facts.title, facts.files.get(ONNX_FILE) or facts.identity, facts.limits)


def judge_of_candidate(candidate: Candidate) -> Judge:
    """A detector that is compared with others, under its name there."""
    spec = candidate.spec
    if spec is not None:
        return judge_of(spec, candidate.name)
    return Judge(candidate.name, getattr(candidate.scorer, "identity", None))
