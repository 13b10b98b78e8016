"""Records of what a file says of its own origin."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field

from authentiscan.core.records import Record

MAX_TEXT = 500
"""Longest text kept of one metadata value, in characters."""


class State(StrEnum):
    """How far a finding can be believed.

    The first six belong to C2PA, whose claims are signed. All other metadata is ``unsigned``:
    anyone can write it, copy it and remove it.
    """

    ABSENT = "absent"  # no C2PA manifest in the file
    TRUSTED = "trusted"  # valid, and the signer is on the trust list
    UNTRUSTED = (
        "untrusted"  # valid, but the signer is not on the trust list: not a sign of tampering
    )
    INVALID = "invalid"  # the signature or a hash does not match: changed after signing
    UNREADABLE = "unreadable"  # a manifest is there, but cannot be read
    UNCHECKED = "unchecked"  # a manifest is there, but the library that checks it is not installed
    UNSIGNED = "unsigned"  # plain metadata


class Claim(StrEnum):
    """What the file says of its origin."""

    AI_GENERATED = "ai_generated"  # the picture was made by a generative model
    AI_EDITED = "ai_edited"  # parts of it were
    CAMERA = "camera"  # captured by a camera or scanned from a capture
    EDITED = "edited"  # worked on in an editor
    DIGITAL_ART = "digital_art"  # drawn, rendered or recorded from a screen
    NONE = "none"  # says nothing of the picture's origin


Kind = Literal["c2pa", "exif", "xmp", "iptc", "generator", "container"]


class Finding(Record):
    """One thing the file says, where it says it and how far that can be believed.

    kind: the standard it was read from.
    claim: what it says of the picture's origin.
    generator: the program or model it names, None where it names none.
    source: the field it stands in, as ``PNG text 'parameters'`` or ``EXIF Make``.
    confidence: of having read it rightly (a known layout is ``certain``, a bare word in a free-text
        field ``weak``); no probability that the claim is true.
    details: further facts, texts cut to 500 characters.
    """

    kind: Kind
    state: State
    claim: Claim = Claim.NONE
    summary: str
    generator: str | None = None
    source: str
    confidence: Literal["certain", "likely", "weak"] = "certain"
    details: dict[str, str] = Field(default_factory=dict)


class Provenance(Record):
    """All findings of one file.

    c2pa: the C2PA state, ``absent`` where there is no manifest.
    claim: the claim that counts most among the findings; ``none`` where there is none.
    container: what the bytes are (``JPEG``, ``PNG`` ...), ``unknown`` where no reader knows them.
    notes: what could not be read, and limits that were reached.
    trust_list: `TrustList.sha256` of the list that signatures were held against; empty in reports
        of earlier versions.
    milliseconds: time this took.
    """

    c2pa: State = State.ABSENT
    claim: Claim = Claim.NONE
    container: str = "unknown"
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    trust_list: str = ""
    milliseconds: float = Field(default=0.0, ge=0)

    def of(self, *claims: Claim, states: tuple[State, ...] | None = None) -> tuple[Finding, ...]:
        """The findings that make one of ``claims``, in one of ``states`` where given."""
        return tuple(
            f for f in self.findings if f.claim in claims and (states is None or f.state in states)
        )


def shorten(text: str, limit: int = MAX_TEXT) -> str:
    """``text`` without control characters, at most ``limit`` characters."""
    clean = "".join(c if c.isprintable() else " " for c in text[: limit + 1]).strip()
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"
