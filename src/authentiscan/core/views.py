"""Names of the pictures of an explanation, the same on the command line and in the API."""

from __future__ import annotations

from enum import StrEnum


class ViewName(StrEnum):
    """Names of the pictures."""

    OVERLAY = "overlay"
    RESIDUAL = "residual"
    SPECTRUM = "spectrum"
    ELA = "ela"
    ALL = "all"


class TargetName(StrEnum):
    """Which evidence a map shows."""

    AUTO = "auto"
    GENERATED = "generated"
    REAL = "real"
