"""EXIF: camera facts, the writing program, and the comments that generators use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from authentiscan.images.walk import Text, tiff
from authentiscan.provenance import programs
from authentiscan.provenance.records import Claim, Finding, State, shorten

_MAIN = {
    11: "ProcessingSoftware",
    270: "ImageDescription",
    271: "Make",
    272: "Model",
    305: "Software",
    306: "DateTime",
    315: "Artist",
    316: "HostComputer",
    33432: "Copyright",
    40091: "XPTitle",
    40092: "XPComment",
    40094: "XPKeywords",
    40095: "XPSubject",
}
_EXPOSURE = {
    33434: "ExposureTime",
    33437: "FNumber",
    34855: "ISO",
    37386: "FocalLength",
}
_MORE = {
    36867: "DateTimeOriginal",
    37510: "UserComment",
    42032: "CameraOwnerName",
    42033: "BodySerialNumber",
    42036: "LensModel",
}
_MAKER_NOTE = 37500
_SHOWN = ("Make", "Model", "LensModel", *_EXPOSURE.values(), "DateTimeOriginal", "Software")
_CREDITS = ("Artist", "Copyright", "ImageDescription")  # where only a set phrase says anything
_TEXTS = ("UserComment", "ImageDescription", "XPComment", "XPTitle", "XPSubject", "XPKeywords")
MAX_COMMENT = 2**20


@dataclass(slots=True)
class Exif:
    """The fields read, by name; maker_note: bytes of the maker's own block; gps: any entry."""

    fields: dict[str, str] = field(default_factory=dict)
    maker_note: int = 0
    gps: bool = False


def parse(block: bytes | memoryview, note: Callable[[str], None] | None = None) -> Exif:
    """Read the fields this room knows from a TIFF structure.

    Broken ones are left out and told to ``note``.
    """
    found = Exif()
    for tag in tiff.tags(block, note):
        if tag.directory == "gps":
            found.gps = True
            continue
        if tag.directory == "sub":
            continue
        if tag.number == _MAKER_NOTE:
            found.maker_note = len(tag.content)
        name = _MAIN.get(tag.number) or _EXPOSURE.get(tag.number) or _MORE.get(tag.number)
        if name and name not in found.fields:
            value = _comment(tag) if name == "UserComment" or name.startswith("XP") else tag.text()
            if value:
                found.fields[name] = value
    return found


def findings(exif: Exif) -> list[Finding]:
    """Camera facts and the writing program, where the fields give them."""
    found = []
    fields = exif.fields
    for name in ("Software", "ProcessingSoftware", "Make", "Model"):
        program = programs.known(fields.get(name, ""))
        # Generators sign in the camera's fields too; an editor's name there means nothing, and a
        # telephone may have the name of a generator.
        in_place = name in ("Software", "ProcessingSoftware")
        signed = _signed_by_ai(program, exif)
        if program and program.claim is not Claim.NONE and (in_place or signed):
            found.append(_written_by(program, name, fields[name]))
    for name in _CREDITS:
        program = programs.phrase(fields.get(name, ""))
        if program:
            found.append(_written_by(program, name, fields[name]))
    camera = _camera(exif)
    if camera:
        found.append(camera)
    signature = fields.get("ImageDescription", "")
    if signature.startswith("Signature: ") and _is_uuid(fields.get("Artist", "")):
        found.append(
            Finding(
                kind="generator",
                state=State.UNSIGNED,
                claim=Claim.AI_GENERATED,
                summary="EXIF carries the signature block that Grok writes into its images",
                generator="Grok",
                source="EXIF ImageDescription, Artist",
                confidence="likely",
            )
        )
    return found


def _exposed(exif: Exif) -> bool:
    """Whether a camera tells how it took the picture."""
    return bool(exif.maker_note or any(name in exif.fields for name in _EXPOSURE.values()))


def _signed_by_ai(program: programs.Program | None, exif: Exif) -> bool:
    """Whether a name in a camera's fields is a generator's, and no telephone's of the same name."""
    if program is None or program.claim is not Claim.AI_GENERATED:
        return False
    return program.match != "whole" or not _exposed(exif)


def _written_by(program: programs.Program, name: str, value: str) -> Finding:
    return Finding(
        kind="exif",
        state=State.UNSIGNED,
        claim=program.claim,
        summary=f"EXIF says the file was written by {program.name}",
        generator=program.name,
        source=f"EXIF {name}",
        confidence="likely",
        details={name: shorten(value)},
    )


def texts(exif: Exif) -> list[Text]:
    """Free texts in which generators keep their parameters."""
    found = []
    for name in (*_TEXTS, "Make", "Model", "Software"):
        value = exif.fields.get(name, "")
        # ComfyUI writes WebP metadata as "prompt:{...}" and "workflow:{...}" into any of these.
        key, mark, rest = value.partition(":")
        if mark and key.strip().lower() in ("prompt", "workflow") and rest.lstrip().startswith("{"):
            found.append(Text(key.strip().lower(), rest.strip(), f"EXIF {name}"))
        elif name in _TEXTS and value:
            found.append(Text(name, value, f"EXIF {name}"))
    return found


def _camera(exif: Exif) -> Finding | None:
    fields = exif.fields
    make, model = fields.get("Make", ""), fields.get("Model", "")
    if not (make or model) or "{" in make + model:
        return None
    if any(_signed_by_ai(programs.known(name), exif) for name in (make, model)):
        return None  # a generator's name is no camera's
    exposure = [name for name in _EXPOSURE.values() if name in fields]
    if not (make and model) and not exposure:
        return None
    strong = bool(make and model and (len(exposure) >= 2 or exif.maker_note))
    details = {name: shorten(fields[name]) for name in _SHOWN if name in fields}
    if exif.maker_note:
        details["MakerNote"] = f"{exif.maker_note} bytes"
    if exif.gps:
        details["GPS"] = "present"
    name = model if model.lower().startswith(make.lower()) else f"{make} {model}"
    return Finding(
        kind="exif",
        state=State.UNSIGNED,
        claim=Claim.CAMERA,
        summary=f"EXIF names a camera: {shorten(name, 80)}",
        source="EXIF Make, Model",
        confidence="certain" if strong else "likely",
        details=details,
    )


def _comment(tag: tiff.Tag) -> str:
    """UserComment after its 8-byte code, or the UTF-16 of the XP fields."""
    raw = bytes(tag.content[:MAX_COMMENT])
    if tag.number != 37510:
        return raw.decode("utf-16-le", errors="replace").rstrip("\0").strip()
    return tag.text() if tag.kind == 2 else _coded(raw, tag.order)


def _coded(raw: bytes, order: str) -> str:
    """Text behind the eight bytes that name its code, or that leave it out."""
    code, body = raw[:8].upper(), raw[8:]
    if code.startswith(b"UNICODE"):
        return _unicode(body, order)
    if code.startswith((b"UTF-8", b"UTF8")):
        return _utf8(body)
    if code.startswith(b"JIS"):
        return _first_that_fits(body, _JAPANESE)
    if not code.strip(b"\0 ") or code.startswith(b"ASCII"):
        return _unicode(body, order) if b"\0" in body.rstrip(b"\0") else _utf8(body)
    return _unicode(raw, order) if b"\0" in raw.rstrip(b"\0") else _utf8(raw)


# JIS as the standard has it (JIS X 0208 in ISO 2022), then what Japanese programs write instead.
_JAPANESE = ("iso2022_jp_3", "utf-8", "cp932", "euc_jp")


def _first_that_fits(body: bytes, codecs: tuple[str, ...]) -> str:
    for codec in codecs:
        try:
            return body.decode(codec).strip("\0 \n")
        except UnicodeDecodeError:
            continue
    return body.decode("latin-1").strip("\0 \n")


def _utf8(body: bytes) -> str:
    return _first_that_fits(body, ("utf-8-sig",))


def _unicode(body: bytes, order: str) -> str:
    """UTF-16 in either byte order, or UTF-8: writers disagree on what the mark UNICODE means."""
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        return body.decode("utf-16", errors="replace").strip("\0 \n")
    for codec, mark in (("utf-32-le", body[1:4]), ("utf-32-be", body[:3])):
        if mark == b"\0\0\0" and len(body) > 3:
            return body[: len(body) // 4 * 4].decode(codec, errors="replace").strip("\0 \n")
    trimmed = body.strip(b"\0 ")
    if b"\0" not in trimmed:
        try:  # UTF-16 without a single NUL would have no ASCII, and is hardly ever valid UTF-8
            return trimmed.decode("utf-8-sig").strip("\0 \n")
        except UnicodeDecodeError:
            pass
    return _utf16(body, order)


def _utf16(body: bytes, order: str) -> str:
    """UTF-16 in whichever byte order gives fewer odd characters."""
    guesses = []
    for codec in ("utf-16-be", "utf-16-le"):
        text = body.decode(codec, errors="replace").strip("\0 \n")
        plain = sum(c.isascii() for c in text[:2000])
        guesses.append((plain, (codec == "utf-16-le") == (order == "little"), text))
    return max(guesses)[2]


def _is_uuid(text: str) -> bool:
    parts = text.strip().split("-")
    return [len(p) for p in parts] == [8, 4, 4, 4, 12] and all(
        c in "0123456789abcdefABCDEF" for p in parts for c in p
    )
