"""Joins score, thresholds, stability, provenance and warnings to one verdict with its reason."""

from __future__ import annotations

from authentiscan.analysis.pipeline import (
    Opened,
    analyze,
    analyze_many,
    assemble,
    default_attributor,
    default_detector,
    open_image,
)
from authentiscan.analysis.report import Report, json_schema

__all__ = [
    "Opened",
    "Report",
    "analyze",
    "analyze_many",
    "assemble",
    "default_attributor",
    "default_detector",
    "json_schema",
    "open_image",
]
