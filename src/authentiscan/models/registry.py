"""The list of architectures: one line each at the bottom of this file."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from authentiscan.core.errors import MissingExtraError, UsageError
from authentiscan.core.types import JsonObject

if TYPE_CHECKING:
    from authentiscan.models.base import ImageClassifier

_TIMM_PREFIX = "timm/"
_NOT_ARCHITECTURE = ("pretrained",)
"""Arguments that say where the first weights came from; a bundle brings its own."""


@dataclass(frozen=True, slots=True)
class _Entry:
    factory: str | Callable[..., ImageClassifier]
    summary: str
    parameters: int | None
    defaults: JsonObject


_ENTRIES: dict[str, _Entry] = {}


def register(
    name: str,
    factory: str | Callable[..., ImageClassifier],
    summary: str,
    *,
    parameters: int | None = None,
    **defaults: Any,
) -> None:
    """Make ``create(name)`` call ``factory`` with ``defaults`` under the caller's arguments.

    parameters: how many it has with its defaults, where that is known without building it.
    ``factory`` is a callable, or ``"package.module:callable"`` so that it is imported when needed.
    A second registration under the same name raises UsageError.
    """
    if name in _ENTRIES:
        raise UsageError(f"an architecture named {name!r} is already registered")
    _ENTRIES[name] = _Entry(factory, summary, parameters, defaults)


def names() -> tuple[str, ...]:
    """Every registered architecture, in alphabetical order."""
    return tuple(sorted(_ENTRIES))


def summary(name: str) -> str:
    """One sentence on the registered architecture ``name``."""
    return _entry(name).summary


def parameters(name: str) -> int:
    """How many parameters the architecture ``name`` has; it is built where no figure is kept."""
    known = _entry(name).parameters
    return create(name).parameter_count() if known is None else known


def create(name: str, **arguments: Any) -> ImageClassifier:
    """Build the architecture ``name``; ``timm/<backbone>`` takes any convolutional timm backbone.

    The model remembers its name and arguments (``model.architecture``), which is what a bundle
    stores. Raises UsageError for an unknown name or argument, MissingExtraError without torch.
    """
    entry = _entry(name)
    factory = _load(entry.factory)
    allowed = inspect.signature(factory).parameters
    unknown = sorted(set(arguments) - set(allowed))
    if unknown:
        raise UsageError(
            f"architecture {name!r} has no argument {', '.join(map(repr, unknown))}; "
            f"it takes {', '.join(allowed)}"
        )
    model = factory(**{**entry.defaults, **arguments})
    kept = {key: value for key, value in arguments.items() if key not in _NOT_ARCHITECTURE}
    model.architecture = (name, kept)
    return model


def _entry(name: str) -> _Entry:
    if name in _ENTRIES:
        return _ENTRIES[name]
    if name.startswith(_TIMM_PREFIX) and len(name) > len(_TIMM_PREFIX):
        backbone = name.removeprefix(_TIMM_PREFIX)
        about = f"timm backbone {backbone} with a pooled head"
        return _Entry(_TIMM, about, None, {"backbone": backbone})
    raise UsageError(
        f"unknown architecture {name!r}; known: {', '.join(names())}, or timm/<backbone>"
    )


def _load(factory: str | Callable[..., ImageClassifier]) -> Callable[..., ImageClassifier]:
    if not isinstance(factory, str):
        return factory
    module, _, attribute = factory.partition(":")
    try:
        return cast(
            "Callable[..., ImageClassifier]", getattr(importlib.import_module(module), attribute)
        )
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] in {"torch", "timm", "torchvision"}:
            raise MissingExtraError("building a model architecture", "export") from error
        raise


_TIMM = "authentiscan.models.backbone:TimmClassifier"
_RESIDUAL = "authentiscan.models.residual:ResidualClassifier"
_COOCCURRENCE = "authentiscan.models.cooccurrence:CoOccurrenceClassifier"
_SPECTRUM = "authentiscan.models.spectrum:SpectrumClassifier"
_FOUNDATION = "authentiscan.models.foundation:FoundationClassifier"
_LAYERS = "authentiscan.models.layers:LayersClassifier"

register(
    "efficientnet_b0", _TIMM, "EfficientNet-B0, head 512/256",
    parameters=4_795_005, backbone="efficientnet_b0",
)  # fmt: skip
register("resnet18", _TIMM, "ResNet-18, head 512/256", parameters=11_570_753, backbone="resnet18")
register("resnet50", _TIMM, "ResNet-50, head 512/256", parameters=24_688_705, backbone="resnet50")
register(
    "residual", _RESIDUAL, "small residual network behind a fixed high-pass front end",
    parameters=1_631_425,
)  # fmt: skip
register("spectrum", _SPECTRUM, "1x1 convolutions on local frequency spectra", parameters=427_649)
register(
    "cooccurrence", _COOCCURRENCE, "a pooled head on co-occurrences of residuals",
    parameters=69_313,
)  # fmt: skip
register(
    "layers", _LAYERS, "a pooled head on moments of a frozen backbone's maps at all depths",
    parameters=364_801,
)  # fmt: skip
register(
    "foundation", _FOUNDATION, "a pooled head on the tokens of pretrained vision backbones",
    parameters=1_537,
)  # fmt: skip
