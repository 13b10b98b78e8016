"""What an attributor says of one image; a part of the report."""

from __future__ import annotations

from pydantic import Field

from authentiscan.core.records import Record

UNKNOWN = "unknown"
"""The answer where no known generator fits."""


class Candidate(Record):
    """A known generator and its probability in [0, 1], were the image by a known one."""

    generator: str
    probability: float = Field(ge=0, le=1)


class AttributorInfo(Record):
    """Which attributor answered; ``sha256`` of its graph and its list of generators."""

    name: str
    version: str
    sha256: str | None = None


class Attribution(Record):
    """The likely generator of an image.

    generator: the most probable known one, or ``unknown`` where none fits.
    candidates: known generators, the most probable first; shares of 1 among all that are known.
    fit: in [0, 1], the share of held-out images of known generators that lie at least as far from
        all of them as this image does. Under ``least_fit`` the answer is ``unknown``; so many
        images of known generators are lost by that.
    crops: parts of the image that were read and averaged.
    """

    generator: str
    candidates: tuple[Candidate, ...]
    fit: float = Field(ge=0, le=1)
    least_fit: float = Field(ge=0, le=1)
    crops: int = Field(ge=1)
    model: AttributorInfo

    @property
    def known(self) -> bool:
        """Whether a known generator fits."""
        return self.generator != UNKNOWN

    def short(self) -> str:
        """The answer in a few words."""
        if not self.known:
            return "by unknown"
        return f"by {self.generator} {self.candidates[0].probability:.0%}"

    def sentence(self) -> str:
        """The answer in words, with the nearest generators."""
        near = ", ".join(f"{c.generator} {c.probability:.0%}" for c in self.candidates[:3])
        if self.known:
            return f"likely generator: {near}"
        return f"likely generator: unknown (nearest known: {near})"
