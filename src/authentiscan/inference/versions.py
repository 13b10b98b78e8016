"""Which libraries made a bundle."""

from __future__ import annotations

import contextlib
import platform
from importlib.metadata import PackageNotFoundError, version

_LIBRARIES = (
    "authentiscan",
    "torch",
    "timm",
    "onnx",
    "onnxscript",
    "onnxruntime",
    "numpy",
    "pillow",
)


def library_versions() -> dict[str, str]:
    """Versions of Python and of the installed libraries that a bundle depends on."""
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
