"""What the file says of its own origin, and how far that can be believed."""

from __future__ import annotations

from authentiscan.provenance.records import State
from authentiscan.serving.app.html import pairs, put
from authentiscan.serving.app.tabs.shown import Shown

C2PA = {
    State.ABSENT: "none in this file. Most files have none; that means nothing.",
    State.TRUSTED: "valid, by a signer who is on the trust list",
    State.UNTRUSTED: "intact, but its signer is not on the trust list: no sign of tampering",
    State.INVALID: "broken: the file was changed after signing",
    State.UNREADABLE: "there, but it cannot be read",
    State.UNCHECKED: "there, but it could not be checked here",
}
STATES = {
    "trusted": "signed, signer on the trust list",
    "untrusted": "signed and intact, signer not on the trust list",
    "invalid": "signature broken",
    "unreadable": "cannot be read",
    "unchecked": "not checked",
    "unsigned": "unsigned: anyone can write, copy or remove it",
}
_KINDS = {
    "exif": "EXIF",
    "xmp": "XMP",
    "iptc": "IPTC",
    "generator": "Generator's parameters",
}


def show(shown: Shown) -> None:
    """Content credentials, EXIF, XMP, IPTC, generators' parameters."""
    found = shown.report.provenance
    if found is None:
        return
    counts = {kind: sum(f.kind == kind for f in found.findings) for kind in _KINDS}
    rows = [("Content credentials (C2PA)", C2PA.get(found.c2pa, found.c2pa.value))]
    rows += [
        (name, f"{counts[kind]} about its origin" if counts[kind] else "nothing about its origin")
        for kind, name in _KINDS.items()
    ]
    pairs(rows, "What the file carries")
    put("origin.html", findings=found.findings, notes=found.notes, states=STATES)
