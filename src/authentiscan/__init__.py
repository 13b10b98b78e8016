"""Tell camera photographs from AI-generated images, say how sure, and show why.

import authentiscan

report = authentiscan.analyze("picture.jpg")
print(report.verdict, report.score, report.reason)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from authentiscan.core.errors import AuthentiscanError

if TYPE_CHECKING:
    from authentiscan.analysis import Report, analyze
    from authentiscan.inference import load_detector

__all__ = ["AuthentiscanError", "Report", "analyze", "load_detector"]

_HOMES = {
    "Report": "authentiscan.analysis",
    "analyze": "authentiscan.analysis",
    "load_detector": "authentiscan.inference",
}


def __getattr__(name: str) -> Any:
    """Import a public name's room on first use, so that ``import authentiscan`` stays light."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
