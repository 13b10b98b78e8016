"""Explanation methods by name."""

from __future__ import annotations

from authentiscan.core.errors import MissingExtraError, UsageError
from authentiscan.explain.base import Method
from authentiscan.explain.gradcam import gradcam

METHODS = ("gradcam", "gradcam++", "ig", "occlusion")


def needs_torch(name: str) -> bool:
    """Whether the method works on the torch backend only."""
    return name != "gradcam"


def method(name: str) -> Method:
    """The `Method` called ``name``; UsageError for another, MissingExtraError without torch."""
    if name == "gradcam":
        return gradcam
    if name not in METHODS:
        raise UsageError(f"unknown method {name!r}; allowed: {', '.join(METHODS)}")
    try:
        from authentiscan.explain import torch_methods
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"method {name!r}", "explain") from error
    return {
        "gradcam++": torch_methods.gradcam_pp,
        "ig": torch_methods.integrated_gradients,
        "occlusion": torch_methods.occlusion,
    }[name]
