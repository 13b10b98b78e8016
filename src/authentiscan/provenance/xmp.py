"""XMP: digital source type, creator tool, editing history, and generators' own fields.

Read by the standard library's expat with document types and entities refused, so that no packet can
expand (the same defence as defusedxml's); depth and size are bounded. A damaged packet is read on
after the fault by `xmp_damaged`, and leaves a note.
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.parsers import expat

from authentiscan.images.walk import Text
from authentiscan.provenance import programs, sources, xmp_damaged
from authentiscan.provenance.records import Claim, Finding, State, shorten

MAX_DEPTH = 64
MAX_VALUES = 20_000
_MOST_TYPES = 4
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_PREFIXES = {
    "http://iptc.org/std/Iptc4xmpExt/2008-02-29/": "Iptc4xmpExt",
    "http://ns.adobe.com/xap/1.0/": "xmp",
    "http://ns.adobe.com/photoshop/1.0/": "photoshop",
    "http://ns.adobe.com/xap/1.0/mm/": "xmpMM",
    "http://ns.adobe.com/xap/1.0/sType/ResourceEvent#": "stEvt",
    "http://ns.adobe.com/tiff/1.0/": "tiff",
    "http://ns.adobe.com/exif/1.0/": "exif",
    "http://ns.adobe.com/camera-raw-settings/1.0/": "crs",
    "http://purl.org/dc/elements/1.1/": "dc",
    "http://purl.org/dc/terms/": "dcterms",
    "http://ns.adobe.com/xap/1.0/rights/": "xmpRights",
}

Values = dict[str, list[str]]
_PARTS = frozenset({"xmpMM:Pantry", "xmpMM:Ingredients"})
PART = "part:"
"""Before the names of what tells of pictures that went into this one."""
_SPACES = {prefix: space for space, prefix in _PREFIXES.items()} | {"rdf": _RDF}


class _RefusedError(ValueError):
    """The packet does something an XMP packet has no reason to do."""


class _Reader:
    """Collects every property's text under ``prefix:name``, list items under their property."""

    def __init__(self) -> None:
        self.values: Values = {}
        self.count = 0
        self._path: list[str] = []
        self._text: list[str] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._path) >= MAX_DEPTH:
            raise _RefusedError(f"elements nested deeper than {MAX_DEPTH}")
        self._path.append(_short(name))
        self._text = []
        for key, value in attributes.items():
            short = _short(key)
            if short == "rdf:resource":
                self._keep(self._property(), value)
            elif not short.startswith("rdf:"):
                self._keep(short, value)

    def end(self, _: str) -> None:
        text = "".join(self._text).strip()
        if text:
            self._keep(self._property(), text)
        self._text = []
        self._path.pop()

    def data(self, text: str) -> None:
        self._text.append(text)

    def _property(self) -> str:
        """The nearest enclosing element that is no RDF scaffolding."""
        return next((n for n in reversed(self._path) if not n.startswith("rdf:")), "")

    def _keep(self, name: str, value: str) -> None:
        self.count += 1
        if not _PARTS.isdisjoint(self._path):
            name = PART + name
        if self.count > MAX_VALUES:
            raise _RefusedError(f"more than {MAX_VALUES} values")
        self.values.setdefault(name, []).append(value)


def _short(name: str) -> str:
    space, _, local = name.rpartition(" ")
    if space == _RDF:
        return f"rdf:{local}"
    return f"{_PREFIXES.get(space, space)}:{local}"


def read(packet: bytes) -> tuple[Values, str | None]:
    """All properties of an XMP packet, and what was wrong with it; never raises on its content."""
    text = xmp_damaged.decode(packet).strip("\ufeff\0 \r\n\t")
    if not text:
        return {}, None
    reader = _Reader()
    try:
        if "\ufffd" in text and "\ufffd".encode() not in packet:
            raise _RefusedError("bytes that are no text")
        _parse(text, reader)
    except (expat.ExpatError, _RefusedError) as error:
        fault = f"XMP is damaged or odd ({error}); what could be read of it was"
    else:
        return reader.values, None
    reader = _Reader()
    try:
        xmp_damaged.walk(text, _SPACES, reader)
    except _RefusedError as error:
        fault += f", up to where it has {error}"
    return reader.values, fault


def _parse(text: str, reader: _Reader) -> None:
    """Read well-formed XML. Raises ExpatError or _RefusedError."""
    parser = expat.ParserCreate("utf-8", namespace_separator=" ")
    parser.buffer_text = True

    def refuse(*_: object) -> None:
        raise _RefusedError("a document type or an entity")

    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.data
    parser.Parse(text.encode("utf-8", errors="replace"), True)


def findings(values: Values) -> list[Finding]:
    """What the packet says of the picture's origin."""
    found = [
        *_source_types(values),
        *_programs(values),
        *_named_ai(values),
        *_label_aigc(values),
    ]
    history = values.get("stEvt:action", [])
    if history or values.get("crs:HasSettings") or values.get("photoshop:DocumentAncestors"):
        found.append(_history(values, history))
    return found


def texts(values: Values) -> list[Text]:
    """Free texts in which generators keep their parameters."""
    return [
        Text(name.rpartition(":")[2], value, f"XMP {name}")
        for name in ("exif:UserComment", "dc:description", "tiff:ImageDescription")
        for value in values.get(name, [])
    ]


def manifest_reference(values: Values) -> str | None:
    """Where the packet says a C2PA manifest is: an address, or ``self#jumbf=...`` for this file."""
    return next(iter(values.get("dcterms:provenance", [])), None)


def _source_types(values: Values) -> Iterator[Finding]:
    # Iptc4xmpExt is the standard's place; some writers use other prefixes for the same name.
    for name, listed in values.items():
        if name.rpartition(":")[2].lower() not in sources.NAMES:
            continue
        for value in sorted(set(listed), key=listed.index)[:_MOST_TYPES]:
            term, claim = sources.term(value), _of_part(sources.claim(value), name)
            yield Finding(
                kind="iptc",
                state=State.UNSIGNED,
                claim=claim,
                summary=f"IPTC digital source type: {shorten(term, 80)}",
                source=f"XMP {shorten(name, 80)}",
                details={"digitalSourceType": shorten(value)},
            )


def _of_part(claim: Claim, name: str) -> Claim:
    """What the claim of a part says of the whole: a generated part makes no generated picture."""
    if not name.startswith(PART):
        return claim
    return Claim.AI_EDITED if claim in (Claim.AI_GENERATED, Claim.AI_EDITED) else Claim.NONE


# Fields that name the program; and credit lines, where only a set phrase says anything.
_WRITERS = ("xmp:CreatorTool", "stEvt:softwareAgent", "tiff:Software", "exif:Software")
_CREDITS = (
    "photoshop:Credit",
    "photoshop:Source",
    "dc:creator",
    "dc:rights",
    "photoshop:CreditLine",
    "photoshop:Headline",
    "photoshop:Instructions",
    "dc:title",
    "dc:description",
    "xmpRights:UsageTerms",
)


def _programs(values: Values) -> Iterator[Finding]:
    seen: set[str] = set()
    for name in (*_WRITERS, PART + "xmp:CreatorTool", *_CREDITS):
        look_up = programs.phrase if name in _CREDITS else programs.known
        for number, value in enumerate(values.get(name, [])[:64]):
            program = look_up(value)
            if program is None or program.name in seen:
                continue
            claim = _of_part(program.claim, name)
            if name == "stEvt:softwareAgent" and not _began(values, number):
                claim = Claim.AI_EDITED if claim is Claim.AI_GENERATED else claim
            if claim is Claim.NONE:
                continue
            seen.add(program.name)
            yield Finding(
                kind="xmp",
                state=State.UNSIGNED,
                claim=claim,
                summary=f"XMP says the file was written by {program.name}",
                generator=program.name,
                source=f"XMP {name}",
                confidence="likely",
                details={name.rpartition(":")[2]: shorten(value)},
            )


def _began(values: Values, step: int) -> bool:
    """Whether the program of this step of the history made the picture, and changed none."""
    actions, agents = values.get("stEvt:action", []), values.get("stEvt:softwareAgent", [])
    return not actions or (len(actions) == len(agents) and actions[step] == "created")


_AI_FIELDS = {
    "Iptc4xmpExt:AISystemUsed": "AI system used",
    "Iptc4xmpExt:AIPromptInformation": "prompt given to an AI system",
}


def _named_ai(values: Values) -> Iterator[Finding]:
    """The IPTC fields of 2025 for AI systems, which may have made a picture or retouched it."""
    types = [sources.claim(v) for v in values.get("Iptc4xmpExt:DigitalSourceType", [])]
    claims = [claim for claim in types if claim is not Claim.NONE]
    claim = min(claims, key=sources.ORDER.index, default=Claim.AI_GENERATED)
    if claim in (Claim.CAMERA, Claim.EDITED):
        claim = Claim.AI_EDITED  # a photograph, and a system that worked on it
    for name, what in _AI_FIELDS.items():
        for value in values.get(name, [])[:1]:
            yield Finding(
                kind="iptc",
                state=State.UNSIGNED,
                claim=claim,
                summary=f"IPTC names the {what}: {shorten(value, 80)}",
                generator=shorten(value, 80) if name.endswith("Used") else None,
                source=f"XMP {name}",
                confidence="likely",
            )


def _label_aigc(values: Values) -> Iterator[Finding]:
    """The label that Chinese services write by the standard GB 45438-2025."""
    for name, listed in values.items():
        if name.rpartition(":")[2] == "AIGC":
            yield from (f for f in (aigc(v, f"XMP {shorten(name, 80)}") for v in listed[:1]) if f)


def aigc(value: str, where: str) -> Finding | None:
    """The finding of an ``AIGC`` label: 1 is generated, 2 and 3 possible or suspected."""
    import json

    try:
        label = json.loads(value[:20_000])
    except (ValueError, RecursionError):
        return None
    label = label.get("AIGC", label) if isinstance(label, dict) else {}
    code = str(label.get("Label", "")) if isinstance(label, dict) else ""
    if code not in ("1", "2", "3"):
        return None
    return Finding(
        kind="generator",
        state=State.UNSIGNED,
        claim=Claim.AI_GENERATED,
        summary="Labelled as AI-generated content by the service that made or passed it on",
        generator=shorten(str(label.get("ContentProducer", "")), 80) or None,
        source=where,
        confidence="certain" if code == "1" else "weak",
        details={"Label": code},
    )


def _history(values: Values, history: list[str]) -> Finding:
    changed = values.get("stEvt:changed", [])
    pictures = [v for v in changed if v.strip() != "/metadata"] or values.get("crs:HasSettings")
    agents = sorted({shorten(v, 60) for v in values.get("stEvt:softwareAgent", [])})[:8]
    return Finding(
        kind="xmp",
        state=State.UNSIGNED,
        claim=Claim.EDITED if pictures or not changed else Claim.NONE,
        summary=f"XMP tells of editing: {len(history)} recorded steps",
        source="XMP xmpMM:History" if history else "XMP crs, photoshop",
        details={"steps": str(len(history)), "programs": shorten("; ".join(agents))},
    )
