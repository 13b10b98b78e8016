"""The list of attributors: name, class, one sentence."""

from __future__ import annotations

import inspect
from typing import Any

from authentiscan.core.errors import UsageError
from authentiscan.models.attributor.base import AttributorNetwork
from authentiscan.models.fingerprint import FingerprintNetwork
from authentiscan.models.single import FrozenSingleNetwork, SingleNetwork

ATTRIBUTORS: dict[str, type[AttributorNetwork]] = {
    "fingerprint": FingerprintNetwork,
    "single": SingleNetwork,
    "single-frozen": FrozenSingleNetwork,
}


def create_attributor(name: str, classes: int, **arguments: Any) -> AttributorNetwork:
    """Build the attributor ``name`` for ``classes`` classes.

    It remembers name and arguments for its bundle. Raises UsageError for an unknown name or
    argument.
    """
    if name not in ATTRIBUTORS:
        raise UsageError(f"unknown attributor {name!r}; there are {', '.join(sorted(ATTRIBUTORS))}")
    kind = ATTRIBUTORS[name]
    allowed = [p for p in inspect.signature(kind).parameters if p != "classes"]
    unknown = sorted(set(arguments) - set(allowed))
    if unknown:
        raise UsageError(
            f"attributor {name!r} has no argument {', '.join(map(repr, unknown))}; "
            f"it takes {', '.join(allowed)}"
        )
    network = kind(classes=classes, **arguments)
    kept = {key: value for key, value in arguments.items() if key != "pretrained"}
    network.architecture = (name, kept)
    return network
