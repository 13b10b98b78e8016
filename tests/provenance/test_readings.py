"""What a file says of its origin is read wherever writers put it, and nowhere else."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from authentiscan.provenance import Claim, c2pa, inspect, programs, sources, xmp

PIXELS = np.random.default_rng(7).integers(0, 256, (48, 64, 3), dtype=np.uint8)
AI, PART, NONE = Claim.AI_GENERATED, Claim.AI_EDITED, Claim.NONE
SPACES = {
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "xmpMM": "http://ns.adobe.com/xap/1.0/mm/",
    "stEvt": "http://ns.adobe.com/xap/1.0/sType/ResourceEvent#",
    "dc": "http://purl.org/dc/elements/1.1/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
}
TYPE = "Iptc4xmpExt:DigitalSourceType"
LABEL = f'{TYPE}="http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"'
PROMPT = "a cat\nNegative prompt: a dog\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 5"
GRAPH = '{"3": {"class_type": "KSampler", "inputs": {"seed": 1}}}'


def packet(attributes: str = "", body: str = "") -> bytes:
    spaces = " ".join(f'xmlns:{prefix}="{space}"' for prefix, space in SPACES.items())
    return (
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF {spaces}><rdf:Description {attributes}>'
        f"{body}</rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()


def png(*chunks: bytes, behind: bool = False) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, "PNG")
    whole, at = buffer.getvalue(), -12 if behind else 33
    return whole[:at] + b"".join(chunks) + whole[at:]


def chunk(name: bytes, content: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(name + content))
    return struct.pack(">I", len(content)) + name + content + check


def text(key: bytes, value: bytes) -> bytes:
    return chunk(b"iTXt", key + b"\0\1\0\0\0" + zlib.compress(value))


def profile(name: str, content: bytes) -> bytes:
    """As ImageMagick keeps what PNG has no chunk for."""
    lines = f"\n{name}\n{len(content):8d}\n{content.hex()}\n".encode()
    return chunk(b"zTXt", f"Raw profile type {name}".encode() + b"\0\0" + zlib.compress(lines))


def gif(extension: bytes) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, "GIF")
    trailer = bytes([1, *range(255, -1, -1), 0])
    return buffer.getvalue()[:-1] + b"\x21\xff\x0bXMP DataXMP" + extension + trailer + b";"


def encoded(kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, kind, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


HOLDERS: dict[str, Callable[[bytes], bytes]] = {
    "JPEG": lambda held: encoded("JPEG", xmp=held),
    "PNG, packed": lambda held: png(text(b"XML:com.adobe.xmp", held)),
    "PNG, behind the pixels": lambda held: png(text(b"XML:com.adobe.xmp", held), behind=True),
    "PNG, a profile": lambda held: png(profile("xmp", held)),
    "PNG, a segment": lambda held: png(profile("APP1", b"http://ns.adobe.com/xap/1.0/\0" + held)),
    "WebP": lambda held: encoded("WEBP", xmp=held),
    "AVIF": lambda held: encoded("AVIF", xmp=held, speed=10),
    "TIFF": lambda held: encoded("TIFF", tiffinfo={700: held}),
    "GIF": gif,
}
DAMAGED = {
    "whole": packet(LABEL),
    "a mark in a field": packet(f'dc:t="a<b" {LABEL}'),
    "cut in its last tag": packet(LABEL).partition(b"></rdf:Desc")[0],
    "cut at its start": packet(LABEL)[30:],
    "a field twice": packet(f'dc:a="1" dc:a="2" {LABEL}'),
    "a field without quotes": packet(f"dc:format=image/jpeg {LABEL}"),
    "half a letter": packet(LABEL, "<dc:t>?</dc:t>").replace(b"?", b"\xed\xa0\xbd"),
    "a second root": packet(LABEL) + packet(LABEL),
    "another end": packet(LABEL, "<dc:t>x</dc:T>"),
}  # fmt: skip


@pytest.mark.parametrize("holder", HOLDERS)
@pytest.mark.parametrize("damage", DAMAGED)
def test_a_label_is_found_in_every_container_whatever_is_broken_beside_it(
    holder: str, damage: str
) -> None:
    found = inspect(HOLDERS[holder](DAMAGED[damage]))
    assert found.claim is AI
    assert (damage == "whole") == (not any("XMP is damaged" in note for note in found.notes))


@pytest.mark.parametrize(
    ("value", "claim"),
    [
        ("digsrctype:trainedAlgorithmicMedia", AI),
        ("https://cv.iptc.org/newscodes/digitalsourcetype/TrainedAlgorithmicMedia/?lang=x", AI),
        ("http://c2pa.org/digitalsourcetype/trainedAlgorithmicData", AI),
        ("digsrctype:compositeWithTrainedAlgorithmicMedia#", PART),
        ("algorithmicallyEnhanced", Claim.EDITED),
        ("digsrctype:digitalCapture", Claim.CAMERA),
        ("trainedAlgorithmicMediaFree", NONE),
        ("", NONE),
    ],
)  # fmt: skip
def test_source_types_in_any_spelling(value: str, claim: Claim) -> None:
    assert sources.claim(value) is claim


def claimed(attributes: str = "", body: str = "") -> Claim:
    return inspect(encoded("JPEG", xmp=packet(attributes, body))).claim


def test_the_field_of_before_2010_is_read() -> None:
    assert claimed(LABEL.replace("SourceType", "SourcefileType")) is AI


@pytest.mark.parametrize(
    ("inner", "claim"),
    [(LABEL, PART), ('xmp:CreatorTool="Adobe Firefly"', PART), (f'{TYPE}="digitalCapture"', NONE)],
)
def test_pictures_that_went_into_one_do_not_speak_for_it(inner: str, claim: Claim) -> None:
    part = f"<rdf:Bag><rdf:li><rdf:Description {inner}/></rdf:li></rdf:Bag>"
    assert claimed("", f"<xmpMM:Pantry>{part}</xmpMM:Pantry>") is claim


@pytest.mark.parametrize(
    ("source_type", "claim"),
    [("algorithmicallyEnhanced", PART), ("digitalCapture", PART), ("digitalArt", Claim.DIGITAL_ART),
     ("trainedAlgorithmicMedia", AI), ("", AI)],
)  # fmt: skip
@pytest.mark.parametrize("field", ["AISystemUsed", "AIPromptInformation"])
def test_a_named_system_claims_no_more_than_the_source_type(
    field: str, source_type: str, claim: Claim
) -> None:
    values = {f"Iptc4xmpExt:{field}": ["Denoise"], TYPE: [source_type] if source_type else []}
    assert [f.claim for f in xmp.findings(values) if f.source.endswith(field)] == [claim]


@pytest.mark.parametrize(
    ("actions", "claim"),
    [(["created", "saved"], AI), (["edited", "saved"], PART), (["created"], PART)],
)
def test_a_step_of_the_history_began_the_picture_or_changed_it(
    actions: list[str], claim: Claim
) -> None:
    values = {"stEvt:action": actions, "stEvt:softwareAgent": ["Adobe Firefly", "Adobe Photoshop"]}
    claims = {finding.claim for finding in xmp.findings(values)}
    assert claims & {AI, PART} == {claim}


@pytest.mark.parametrize("key", ["Parameters", "Description", "parameters", "sd-metadata-text"])
def test_parameters_are_known_by_their_form(key: str) -> None:
    assert inspect(png(text(key.encode(), PROMPT.encode()))).claim is AI
    assert inspect(png(text(key.encode(), b"Bake it. Steps: 3, Size: a loaf"))).claim is NONE


@pytest.mark.parametrize("tag", [40091, 40092, 40095])
def test_parameters_in_the_fields_of_windows(tag: int, make: Callable[..., bytes]) -> None:
    assert inspect(make("JPEG", exif={tag: PROMPT.encode("utf-16-le")})).claim is AI


def test_a_graph_that_was_run_is_known_under_any_key_and_a_drawing_of_one_claims_nothing() -> None:
    assert inspect(png(text(b"Prompt", GRAPH.encode()))).claim is AI
    notes = b'{"nodes": [{"widgets_values": ["a\\nSteps: 20, Sampler: Euler, CFG scale: 7"]}]}'
    assert inspect(png(text(b"workflow", notes))).claim is NONE


@pytest.mark.parametrize("code", [b"UTF-8\0\0\0", b"UNICODE\0\0", b"UNICODE\0"])
@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "PNG", "AVIF"])
def test_comments_behind_any_mark(kind: str, code: bytes, make: Callable[..., bytes]) -> None:
    assert inspect(make(kind, exif={37510: code + PROMPT.encode()})).claim is AI


@pytest.mark.parametrize("codec", ["utf-32-le", "utf-32-be"])
def test_comments_in_utf32(codec: str, make: Callable[..., bytes]) -> None:
    assert inspect(make("JPEG", exif={37510: b"UNICODE\0" + PROMPT.encode(codec)})).claim is AI


def test_the_chinese_label_is_known_in_any_text(make: Callable[..., bytes]) -> None:
    label = '{"AIGC": {"Label": "1", "ContentProducer": "x"}}'
    assert inspect(make("JPEG", exif={270: label})).claim is AI
    assert inspect(png(text(b"Comment", label.encode()))).claim is AI
    assert inspect(png(text(b"Comment", b'{"Label": "1"}'))).claim is NONE


LINES = [("Made with Google AI", AI), ("AI-generated image", AI), ("Edited with AI", PART),
         ("NASA/Firefly Aerospace", NONE), ("Made with Google AI tools by us", NONE),
         ("Midjourney Cafe/Getty", NONE), ("Photo: Ana Remini", NONE)]  # fmt: skip


def iptc(number: int, line: str) -> bytes:
    record = bytes([0x1C, 2, number]) + struct.pack(">H", len(line)) + line.encode()
    block = b"Photoshop 3.0\x008BIM\4\4\0\0" + struct.pack(">I", len(record)) + record + b"\0"
    whole = encoded("JPEG")
    return whole[:2] + b"\xff\xed" + struct.pack(">H", len(block) + 2) + block + whole[2:]


@pytest.mark.parametrize(("line", "claim"), LINES)
def test_set_phrases_count_in_every_credit_and_caption_and_names_in_none(
    line: str, claim: Claim, make: Callable[..., bytes]
) -> None:
    files = [make("JPEG", exif={tag: line}) for tag in (270, 315, 33432)]
    files += [png(text(key, line.encode())) for key in (b"Author", b"Description", b"Credit")]
    files += [iptc(number, line) for number in (80, 105, 110, 116, 120)]
    files += [encoded("GIF", comment=line.encode()), encoded("JPEG", comment=line.encode())]
    files += [encoded("WEBP", xmp=packet("", f"<dc:{n}>{line}</dc:{n}>"))
              for n in ("title", "description", "rights", "creator")]  # fmt: skip
    assert {inspect(file).claim for file in files} == {claim}


def test_a_telephone_may_have_the_name_of_a_generator(make: Callable[..., bytes]) -> None:
    exposure = {33434: 0.01, 33437: 2.0}
    assert inspect(make("JPEG", exif={271: "Planet", 272: "Gemini", **exposure})).claim is (
        Claim.CAMERA
    )
    assert inspect(make("JPEG", exif={271: "Google", 272: "Gemini"})).claim is AI


@pytest.mark.parametrize("name", ["Imagen AI", "Imagen Desktop 21", "Photo: Kling Klang"])
def test_programs_that_share_a_generators_name_make_nothing(name: str) -> None:
    found = programs.known(name)
    assert found is None or found.claim is Claim.EDITED


def origin(*assertions: dict[str, object]) -> Claim:
    return c2pa._origin({"assertions": list(assertions)})[0]


def action(kind: str, **more: object) -> dict[str, object]:
    return {"label": "c2pa.actions.v2", "data": {"actions": [{"action": f"c2pa.{kind}", **more}]}}


URI = "http://cv.iptc.org/newscodes/digitalsourcetype/"


@pytest.mark.parametrize(
    ("assertion", "claim"),
    [
        (action("created", digitalSourceType=URI + "trainedAlgorithmicMedia"), AI),
        (action("converted", digitalSourceType=URI + "trainedAlgorithmicMedia"), AI),
        (action("edited", digitalSourceType=URI + "trainedAlgorithmicMedia"), PART),
        (action("placed", digitalSourceType=URI + "compositeWithTrainedAlgorithmicMedia"), PART),
        (action("edited", digitalSourceType=URI + "algorithmicallyEnhanced"), Claim.EDITED),
        (action("edited", digitalSourceType=URI + "composite"), Claim.EDITED),
        (action("edited", parameters={"digitalSourceType": "trainedAlgorithmicMedia"}), PART),
        (action("created", softwareAgent={"name": "Adobe Firefly"}), AI),
        (action("edited", softwareAgent="Adobe Firefly"), PART),
        (action("edited", softwareAgent="Adobe Photoshop"), Claim.EDITED),
        (action("published"), NONE),
        ({"label": "stds.iptc", "data": {TYPE: URI + "trainedAlgorithmicMedia"}}, AI),
        ({"label": "cawg.metadata", "data": {SPACES["Iptc4xmpExt"] + "DigitalSourceType": [
            URI + "digitalCapture"]}}, Claim.CAMERA),
        ({"label": "c2pa.training-mining", "data": {"entries": {}}}, NONE),
    ],
)  # fmt: skip
def test_origins_in_signed_manifests(assertion: dict[str, object], claim: Claim) -> None:
    assert origin(assertion) is claim
