"""Read everything a file says of its own origin."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial

from authentiscan.images.walk import Metadata, Text, Walk, gather, metadata
from authentiscan.provenance import c2pa, exif, generators, iptc, sources, stealth, xmp
from authentiscan.provenance.records import Claim, Finding, Provenance, State
from authentiscan.provenance.trust import TrustList

MAX_FINDINGS = 64
MAX_NOTES = 64


def inspect(
    data: bytes, trust: TrustList | None = None, *, walked: Walk | None = None
) -> Provenance:
    """Everything the encoded image ``data`` says of its origin; never raises on hostile content.

    trust: whose C2PA signatures count as trusted; None for `TrustList.chosen`, which raises
    UsageError where the file named by AUTHENTISCAN_TRUST_LIST cannot be read. walked: the walk over
    ``data``, where it was made already, as by the decoder.
    """
    started = time.perf_counter()
    held = gather(walked) if walked else metadata(data)
    notes = list(held.problems)
    trusted = trust if trust is not None else TrustList.chosen()
    found = _c2pa(data, held, trusted)
    plain = _Plain(held, notes)
    plain.read(data)
    found += plain.findings
    ranked = sorted(found[:MAX_FINDINGS], key=_weight)
    return Provenance(
        c2pa=next((f.state for f in found if f.kind == "c2pa"), State.ABSENT),
        claim=_claim(ranked),
        container=held.format,
        findings=tuple(ranked),
        notes=tuple(notes),
        trust_list=trusted.sha256,
        milliseconds=round((time.perf_counter() - started) * 1e3, 3),
    )


def _c2pa(data: bytes, held: Metadata, trust: TrustList) -> list[Finding]:
    if held.c2pa_bytes is None:
        return []
    return c2pa.check(data, held.format, held.c2pa_bytes, trust)


class _Plain:
    """Reads the unsigned metadata; a part that breaks leaves a note and the others go on."""

    def __init__(self, held: Metadata, notes: list[str]) -> None:
        self._held, self._notes = held, notes
        self._texts: list[Text] = list(held.texts)
        self.findings: list[Finding] = []

    def read(self, data: bytes) -> None:
        """Read EXIF, XMP, IPTC, hidden text and, from all texts found, generators' parameters."""
        for block in self._held.exif:
            self._part("EXIF", partial(self._exif, block))
        for packet in self._held.xmp:
            self._part("XMP", partial(self._xmp, packet))
        for record in self._held.iptc:
            self._part("IPTC", partial(self._iptc, record))
        self._part("hidden text", lambda: self._stealth(data))
        size = (self._held.width, self._held.height)
        known = (size[0], size[1]) if size[0] and size[1] else None
        self._part("parameters", lambda: self._keep(generators.findings(self._texts, known)))

    def _part(self, name: str, read: Callable[[], None]) -> None:
        try:
            read()
        except (
            ValueError,
            IndexError,
            KeyError,
            TypeError,
            AttributeError,
            RecursionError,
        ) as error:
            self._note(f"{name}: {error}")

    def _keep(self, findings: Iterable[Finding]) -> None:
        self.findings += findings

    def _note(self, what: str) -> None:
        if what not in self._notes and len(self._notes) < MAX_NOTES:
            self._notes.append(what)

    def _exif(self, block: bytes | memoryview) -> None:
        fields = exif.parse(block, lambda what: self._note(f"EXIF: {what}"))
        self._texts += exif.texts(fields)
        self._keep(exif.findings(fields))

    def _xmp(self, packet: bytes) -> None:
        values, fault = xmp.read(packet)
        if fault:
            self._note(fault)
        self._texts += xmp.texts(values)
        self._keep(xmp.findings(values))
        reference = xmp.manifest_reference(values) or ""
        if reference.startswith(("http:", "https:")):
            self._notes.append(f"names a C2PA manifest at {reference[:200]}, which is not fetched")
        elif reference.startswith("self#jumbf") and self._held.c2pa_bytes is None:
            self._notes.append("XMP names a C2PA manifest inside the file, but it is not there")

    def _iptc(self, record: bytes) -> None:
        self._keep(iptc.findings(iptc.parse(record, lambda what: self._note(f"IPTC: {what}"))))

    def _stealth(self, data: bytes) -> None:
        hidden = stealth.read(data)
        if hidden:
            where = "hidden in the pixels' lowest bits"
            self._texts += [Text("parameters", hidden, where), Text("stealth", hidden, where)]


def _weight(finding: Finding) -> tuple[int, int, int]:
    """Order of findings: what is signed first, then what claims more, then what was read surely."""
    states = (State.TRUSTED, State.UNTRUSTED, State.UNSIGNED)
    state = states.index(finding.state) if finding.state in states else len(states)
    if finding.kind == "c2pa" and finding.source.endswith("active manifest"):
        state -= 1
    sure = ("certain", "likely", "weak").index(finding.confidence)
    return state, sources.ORDER.index(finding.claim), sure


def _claim(findings: list[Finding]) -> Claim:
    """The claim that counts most: a trusted signature's, else by `sources.ORDER`."""
    counted = [
        f
        for f in findings
        if f.state in (State.TRUSTED, State.UNTRUSTED, State.UNSIGNED)
        and f.claim is not Claim.NONE
        and f.confidence != "weak"
    ]
    signed = [f for f in counted if f.state is State.TRUSTED]
    pool = signed or counted
    return min((f.claim for f in pool), key=sources.ORDER.index, default=Claim.NONE)
