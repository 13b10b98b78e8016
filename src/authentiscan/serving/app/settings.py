"""What the one who starts the page decides, for all who open it."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from authentiscan.core.errors import UsageError
from authentiscan.core.text import one_line
from authentiscan.images.decode import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from authentiscan.attribution import Attributor
    from authentiscan.inference import Detector
    from authentiscan.provenance import TrustList

MEGABYTE = 2**20
_NAMELESS = {"/", "bundle", "detector.json"}


class Detectors:
    """The detectors that the page offers, each loaded at its first use and kept.

    named: as `find_bundle` understands them. Visitors see and choose ``names``, which tell no place
    on this machine's disks; nothing that they send is ever taken for a path.
    """

    def __init__(self, named: Sequence[str]) -> None:
        self._named: dict[str, str] = {}
        for name in dict.fromkeys(named):
            self._named[self._title(name)] = name
        self._loaded: dict[str, Detector] = {}
        self._lock = threading.Lock()

    @property
    def names(self) -> tuple[str, ...]:
        """What visitors choose among, in the order given."""
        return tuple(self._named)

    def get(self, name: str) -> Detector:
        """The detector ``name``; UsageError where it is not offered, else as `load_detector`."""
        from authentiscan.inference import load_detector

        if name not in self._named:
            raise UsageError(f"no detector {name!r}; offered are {', '.join(self.names)}")
        with self._lock:
            if name not in self._loaded:
                self._loaded[name] = load_detector(self._named[name], threads=1)
            return self._loaded[name]

    def _title(self, name: str) -> str:
        """The last part of a path that says something, and a number where it is taken."""
        parts = [part for part in Path(name).parts if part not in _NAMELESS]
        title = one_line(parts[-1]) if parts else name
        taken = sum(
            re.fullmatch(rf"{re.escape(title)}( \(\d+\))?", n) is not None for n in self._named
        )
        return f"{title} ({taken + 1})" if taken else title


@dataclass(frozen=True, slots=True)
class Settings:
    """limits: of an image; ``limits.bytes`` is also the limit of an upload. workers: threads that
    judge one batch. trust: whose C2PA signatures count, None for `TrustList.chosen`. local: only
    this machine can reach the page. attributor: names generators; None names none.
    """

    detectors: Detectors = field(default_factory=lambda: Detectors(["default"]))
    limits: Limits = DEFAULT_LIMITS
    workers: int = 1
    trust: TrustList | None = None
    local: bool = True
    attributor: Attributor | None = None


_current = [Settings()]


def use(settings: Settings) -> None:
    """Let every session of this process have ``settings``."""
    _current[0] = settings


def current() -> Settings:
    """What `use` was given last."""
    return _current[0]
