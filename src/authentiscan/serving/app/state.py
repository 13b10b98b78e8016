"""What one visitor has on the page: images, results, and views of the images looked at last."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

import streamlit as st

from authentiscan.core.text import one_line
from authentiscan.explain import Target
from authentiscan.scan import Scanned
from authentiscan.serving.app.details import Detail

_KEY = "session"
_DETAILS = 4
"""Images whose views are kept; of others they are made again."""


@dataclass(frozen=True, slots=True, eq=False)
class Upload:
    """A file as it came: its name, without characters that could drive a screen, and its bytes."""

    name: str
    content: bytes

    @classmethod
    def of(cls, name: str, content: bytes) -> Upload:
        """The upload of a file of any name."""
        return cls(one_line(name)[:255] or "unnamed", content)


@dataclass(slots=True)
class Session:
    """images: what is judged. results: by place of the image and name of the detector; kept as they
    come, so that work which was broken off goes on. details: by place, detector and target.
    """

    images: tuple[Upload, ...] = ()
    results: dict[tuple[int, str], Scanned] = field(default_factory=dict)
    details: OrderedDict[tuple[int, str, Target], Detail] = field(default_factory=OrderedDict)

    def take(self, images: Sequence[Upload]) -> None:
        """Begin anew with ``images``, the first of them looked at."""
        for chosen in ("place", "rows"):
            st.session_state.pop(chosen, None)
        self.images = tuple(images)
        self.results.clear()
        self.details.clear()

    def missing(self, detector: str) -> list[int]:
        """Places of the images that ``detector`` has not judged."""
        return [i for i in range(len(self.images)) if (i, detector) not in self.results]

    def keep(self, key: tuple[int, str, Target], detail: Detail) -> Detail:
        """Keep ``detail`` and forget the oldest ones."""
        self.details[key] = detail
        while len(self.details) > _DETAILS:
            self.details.popitem(last=False)
        return detail


def session() -> Session:
    """The session of the visitor whose page is being made."""
    if _KEY not in st.session_state:
        st.session_state[_KEY] = Session()
    found: Session = st.session_state[_KEY]
    return found
