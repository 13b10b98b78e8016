"""The IPTC vocabulary "digital source type": how a picture came to be, as C2PA and XMP say.

https://cv.iptc.org/newscodes/digitalsourcetype/
"""

from __future__ import annotations

import re

from authentiscan.provenance.records import Claim

CLAIMS: dict[str, Claim] = {
    "trainedAlgorithmicMedia": Claim.AI_GENERATED,
    "trainedAlgorithmicData": Claim.AI_GENERATED,  # a term of C2PA's own
    "compositeWithTrainedAlgorithmicMedia": Claim.AI_EDITED,
    "compositeSynthetic": Claim.AI_EDITED,
    "digitalCapture": Claim.CAMERA,
    "computationalCapture": Claim.CAMERA,
    "negativeFilm": Claim.CAMERA,
    "positiveFilm": Claim.CAMERA,
    "print": Claim.CAMERA,
    "compositeCapture": Claim.EDITED,
    "composite": Claim.EDITED,
    "humanEdits": Claim.EDITED,
    "minorHumanEdits": Claim.EDITED,
    "algorithmicallyEnhanced": Claim.EDITED,
    "algorithmicMedia": Claim.DIGITAL_ART,
    "dataDrivenMedia": Claim.DIGITAL_ART,
    "digitalArt": Claim.DIGITAL_ART,
    "digitalCreation": Claim.DIGITAL_ART,
    "softwareImage": Claim.DIGITAL_ART,
    "virtualRecording": Claim.DIGITAL_ART,
    "screenCapture": Claim.DIGITAL_ART,
}

NAMES = frozenset({"digitalsourcetype", "digitalsourcefiletype"})
"""The field's name in lower case, and the one it had before 2010."""

_BY_LOWER = {name.lower(): name for name in CLAIMS}

# How much a claim counts against another one of the same weight of signature.
ORDER = (
    Claim.AI_GENERATED,
    Claim.AI_EDITED,
    Claim.CAMERA,
    Claim.DIGITAL_ART,
    Claim.EDITED,
    Claim.NONE,
)


def term(value: str) -> str:
    """The term in a URI, a code such as ``digsrctype:print`` or a bare word, in its standard
    spelling; as it came if unknown.
    """
    last = re.split(r"[/:#]", re.split(r"[?]", value.strip())[0].rstrip("/#"))[-1]
    return _BY_LOWER.get(last.lower(), last)


def claim(value: str) -> Claim:
    """The claim a digital source type makes; `Claim.NONE` for one that is not in the vocabulary."""
    return CLAIMS.get(term(value), Claim.NONE)
