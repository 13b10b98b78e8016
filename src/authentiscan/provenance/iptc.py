"""IPTC-IIM records, the old form: program, set phrases of credits, marks of social networks."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from authentiscan.provenance import programs
from authentiscan.provenance.records import Claim, Finding, State, shorten

MAX_RECORDS = 2000
_FIELDS = {
    (2, 40): "SpecialInstructions",
    (2, 65): "OriginatingProgram",
    (2, 80): "By-line",
    (2, 105): "Headline",
    (2, 110): "Credit",
    (2, 115): "Source",
    (2, 116): "CopyrightNotice",
    (2, 120): "Caption",
}


def parse(block: bytes, note: Callable[[str], None] | None = None) -> dict[str, str]:
    """The fields this room knows; reading ends at the first broken record, told to ``note``."""
    warn = note or (lambda _: None)
    found: dict[str, str] = {}
    at = 0
    for _ in range(MAX_RECORDS):
        if not bytes(block[at:]).strip(b"\0"):
            break
        if at + 5 > len(block) or block[at] != 0x1C:
            warn("a record is broken, the rest was not read")
            break
        record, number = block[at + 1], block[at + 2]
        size = int.from_bytes(block[at + 3 : at + 5], "big")
        if size & 0x8000:  # extended size, used for nothing we read
            warn("a record of extended size, the rest was not read")
            break
        if at + 5 + size > len(block):
            warn("a record is cut off")
        value = block[at + 5 : at + 5 + size]
        name = _FIELDS.get((record, number))
        if name and name not in found:
            found[name] = value.decode("utf-8", errors="replace").strip()
        at += 5 + size
    return found


def findings(fields: dict[str, str]) -> Iterator[Finding]:
    """What the fields say of the picture's origin."""
    for name in _FIELDS.values():
        read = programs.known if name == "OriginatingProgram" else programs.phrase
        program = read(fields.get(name, ""))
        if program and program.claim is not Claim.NONE:
            yield Finding(
                kind="iptc",
                state=State.UNSIGNED,
                claim=program.claim,
                summary=f"IPTC names {program.name}",
                generator=program.name,
                source=f"IPTC {name}",
                confidence="likely",
                details={name: shorten(fields[name])},
            )
    if fields.get("SpecialInstructions", "").startswith("FBMD"):
        yield Finding(
            kind="iptc",
            state=State.UNSIGNED,
            claim=Claim.NONE,
            summary="The file went through Facebook or Instagram, which recompress images",
            source="IPTC SpecialInstructions",
        )
