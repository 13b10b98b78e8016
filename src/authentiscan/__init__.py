"""Tell camera photographs from AI-generated images, say how sure, and show why.

import authentiscan

report = authentiscan.analyze("picture.jpg")
print(report.verdict, report.score, report.reason)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from authentiscan.core import offline
from authentiscan.core.errors import AuthentiscanError

if TYPE_CHECKING:
    from authentiscan.analysis import Report, analyze
    from authentiscan.attribution import Attribution, Attributor, load_attributor
    from authentiscan.images.inputs import ImageInput
    from authentiscan.inference import Detector, load_detector

    __version__: str

offline.apply()  # before anything else of this package can load a library that reports home

__all__ = [
    "Attribution",
    "Attributor",
    "AuthentiscanError",
    "Detector",
    "ImageInput",
    "Report",
    "__version__",
    "analyze",
    "load_attributor",
    "load_detector",
]

_HOMES = {
    "Attribution": "authentiscan.attribution",
    "Attributor": "authentiscan.attribution",
    "Detector": "authentiscan.inference",
    "ImageInput": "authentiscan.images.inputs",
    "Report": "authentiscan.analysis",
    "analyze": "authentiscan.analysis",
    "load_attributor": "authentiscan.attribution",
    "load_detector": "authentiscan.inference",
}


def __getattr__(name: str) -> Any:
    """Import a public name's room on first use, so that ``import authentiscan`` stays light."""
    if name == "__version__":
        from importlib.metadata import version

        return version("authentiscan")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
