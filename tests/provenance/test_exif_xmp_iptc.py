"""Camera facts, writing programs, XMP and IPTC claims."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from authentiscan.provenance import Claim, Provenance, inspect, iptc, sources, xmp

HEAD = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
    'xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" '
    'xmlns:xmpMM="http://ns.adobe.com/xap/1.0/mm/" '
    'xmlns:stEvt="http://ns.adobe.com/xap/1.0/sType/ResourceEvent#" '
    'xmlns:T="http://www.tc260.org.cn/ns/AIGC/1.0/" '
)
TAIL = "</rdf:RDF></x:xmpmeta>"
CAMERA = {271: "Canon", 272: "Canon EOS R5", 33434: 0.005, 33437: 2.8, 34855: 400}


def attribute(name: str, value: str) -> str:
    return f'{HEAD} {name}="{value}"/>{TAIL}'


def element(name: str, value: str) -> str:
    return f"{HEAD}><{name}>{value}</{name}></rdf:Description>{TAIL}"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_camera_facts(kind: str, make: Callable[..., bytes]) -> None:
    found = inspect(make(kind, exif=CAMERA))
    (camera,) = found.of(Claim.CAMERA)
    assert camera.confidence == "certain"
    assert camera.details["Model"] == "Canon EOS R5"
    assert camera.details["ExposureTime"] == "0.005"
    assert found.claim is Claim.CAMERA


def test_a_bare_make_is_no_camera(make: Callable[..., bytes]) -> None:
    assert inspect(make("JPEG", exif={271: "Canon"})).claim is Claim.NONE
    found = inspect(make("JPEG", exif={271: "Canon", 272: "EOS"}))
    assert found.findings[0].confidence == "likely"


@pytest.mark.parametrize(
    ("software", "claim"),
    [
        ("Adobe Photoshop 25.1", Claim.EDITED),
        ("GIMP 2.10", Claim.EDITED),
        ("Adobe Firefly", Claim.AI_GENERATED),
        ("Made with Google AI", Claim.AI_GENERATED),
        ("Procreate", Claim.DIGITAL_ART),
        ("HDR+ 1.0.5", Claim.NONE),
        ("17.4.1", Claim.NONE),
        ("Gimplike", Claim.NONE),
    ],
)
def test_writing_program(software: str, claim: Claim, make: Callable[..., bytes]) -> None:
    assert inspect(make("JPEG", exif={305: software})).claim is claim


def test_grok_signature_block(make: Callable[..., bytes]) -> None:
    found = inspect(
        make(
            "JPEG",
            exif={270: "Signature: abcd+/=", 315: "0a1b2c3d-1111-2222-3333-444455556666"},
        )
    )
    assert (found.claim, found.findings[0].generator) == (Claim.AI_GENERATED, "Grok")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("write", [attribute, element])
@pytest.mark.parametrize(
    ("term", "claim"),
    [
        ("trainedAlgorithmicMedia", Claim.AI_GENERATED),
        ("compositeWithTrainedAlgorithmicMedia", Claim.AI_EDITED),
        ("digitalCapture", Claim.CAMERA),
        ("unheardOf", Claim.NONE),
    ],
)
def test_digital_source_type(
    kind: str,
    write: Callable[[str, str], str],
    term: str,
    claim: Claim,
    make: Callable[..., bytes],
) -> None:
    address = f"http://cv.iptc.org/newscodes/digitalsourcetype/{term}"
    packet = write("Iptc4xmpExt:DigitalSourceType", address)
    if kind == "PNG":
        data = make("PNG", texts={"XML:com.adobe.xmp": packet})
    elif kind == "TIFF":
        data = make("TIFF", exif={700: packet.encode()})
    else:
        data = make(kind, xmp=packet)
    found = inspect(data)
    assert found.claim is claim
    assert [f.details["digitalSourceType"] for f in found.findings] == [address]


def test_source_type_spelling() -> None:
    assert sources.claim("TrainedAlgorithmicMedia") is Claim.AI_GENERATED
    assert sources.term("https://cv.iptc.org/x/digitalArt/") == "digitalArt"


def told(packet: str) -> Provenance:
    values, fault = xmp.read(packet.encode())
    assert fault is None
    return Provenance(findings=tuple(xmp.findings(values)))


def test_xmp_credits_history_and_labels() -> None:
    assert told(attribute("photoshop:Credit", "Made with Google AI")).of(Claim.AI_GENERATED)
    assert told(attribute("photoshop:Credit", "Edited with Google AI")).of(Claim.AI_EDITED)
    assert told(attribute("Iptc4xmpExt:AISystemUsed", "Imagen 4")).of(Claim.AI_GENERATED)
    label = "{&quot;Label&quot;:&quot;1&quot;}"
    assert told(attribute("T:AIGC", label)).of(Claim.AI_GENERATED)
    step = '<rdf:li stEvt:action="saved" stEvt:changed="/" stEvt:softwareAgent="Photoshop"/>'
    history = told(element("xmpMM:History", f"<rdf:Seq>{step * 12}</rdf:Seq>"))
    assert [f.details.get("steps") for f in history.findings if f.kind == "xmp"][-1] == "12"
    assert history.of(Claim.EDITED)


@pytest.mark.parametrize(
    ("packet", "words"),
    [
        ('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "document type"),
        ('<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "document type"),
        ("<a>" * 1000, "deeper"),
        ("not xml", "damaged"),
        ("<", "damaged"),
    ],
)
def test_hostile_packets_leave_a_note(packet: str, words: str) -> None:
    values, fault = xmp.read(packet.encode())
    assert words in str(fault)
    assert "passwd" not in str(values)


def test_padding_alone_is_no_packet() -> None:
    assert xmp.read(b"\0" * 2000) == ({}, None)


def test_entity_bombs_stay_cheap(make: Callable[..., bytes]) -> None:
    entities = '<!ENTITY x0 "xxxxxxxxxx">'
    for level in range(1, 12):
        entities += f'<!ENTITY x{level} "{f"&x{level - 1};" * 10}">'
    started = time.process_time()
    found = inspect(make("JPEG", xmp=f"<!DOCTYPE a [{entities}]><a>&x11;</a>"))
    assert time.process_time() - started < 1
    assert any("XMP" in note for note in found.notes)


def test_a_dangling_manifest_reference_is_noted(make: Callable[..., bytes]) -> None:
    packet = (
        HEAD.replace("rdf:about", 'xmlns:dcterms="http://purl.org/dc/terms/" rdf:about')
        + f'dcterms:provenance="self#jumbf=/c2pa/x"/>{TAIL}'
    )
    assert any("not there" in note for note in inspect(make("JPEG", xmp=packet)).notes)


def record(number: int, value: bytes) -> bytes:
    return bytes([0x1C, 2, number]) + len(value).to_bytes(2, "big") + value


def test_iptc_records() -> None:
    block = record(5, b"title") + record(65, b"Adobe Firefly") + record(40, b"FBMD01000a")
    found = list(iptc.findings(iptc.parse(block)))
    assert [f.claim for f in found] == [Claim.AI_GENERATED, Claim.NONE]
    assert "Facebook" in found[1].summary
    assert iptc.parse(b"") == iptc.parse(b"\x1c\x02") == {}


@pytest.mark.parametrize(
    ("block", "words"),
    [
        (record(65, b"Adobe Firefly")[:-3], "cut off"),
        (record(5, b"title") + b"junk", "broken"),
        (record(5, b"title") + b"\x1c\x02\x05\x80\x04\0\0\0\x01x", "extended size"),
    ],
)
def test_broken_iptc_leaves_a_note(block: bytes, words: str) -> None:
    notes: list[str] = []
    iptc.parse(block, notes.append)
    assert any(words in note for note in notes)


def test_sound_iptc_leaves_none() -> None:
    notes: list[str] = []
    iptc.parse(record(5, b"title") + bytes(6), notes.append)
    assert notes == []


PEOPLE = [
    "NASA/Firefly Aerospace",
    "OpenAI/Handout",
    "Courtesy of Ana Remini",
    "Ruby Topaz",
    "Canva/Handout via Reuters",
    "Midjourney",
    "Photo: Sora Yamada",
    "Gemini Observatory/NOIRLab",
    "Grok Agency",
    "Stable Diffusion GmbH",
    "Not made with Google AI",
]


@pytest.mark.parametrize("name", PEOPLE)
@pytest.mark.parametrize(
    "place", ["photoshop:Credit", "photoshop:Source", "dc:creator", "dc:rights"]
)
def test_names_in_xmp_credits_claim_nothing(
    name: str, place: str, make: Callable[..., bytes]
) -> None:
    packet = attribute(place, name).replace(
        "xmlns:T=", 'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:T='
    )
    found = inspect(make("JPEG", xmp=packet))
    assert (found.claim, found.findings) == (Claim.NONE, ())


@pytest.mark.parametrize("name", PEOPLE)
@pytest.mark.parametrize("number", [80, 110, 115])
def test_names_in_iptc_credits_claim_nothing(name: str, number: int) -> None:
    assert list(iptc.findings(iptc.parse(record(number, name.encode())))) == []


@pytest.mark.parametrize("name", ["Midjourney", "OpenAI", "Remini", "Adobe Firefly"])
@pytest.mark.parametrize("key", ["Author", "Source", "Copyright", "Title", "Comment"])
def test_names_in_png_credits_claim_nothing(
    name: str, key: str, make: Callable[..., bytes]
) -> None:
    assert inspect(make("PNG", texts={key: name})).claim is Claim.NONE


@pytest.mark.parametrize("name", ["Midjourney", "Ana Remini", "DALL-E Ltd"])
def test_names_in_exif_credits_claim_nothing(name: str, make: Callable[..., bytes]) -> None:
    assert inspect(make("JPEG", exif={315: name, 270: name, 33432: name})).claim is Claim.NONE


@pytest.mark.parametrize(
    ("line", "claim"),
    [
        ("Made with Google AI", Claim.AI_GENERATED),
        ("made with Google AI.", Claim.AI_GENERATED),
        ("Edited with Google AI", Claim.AI_EDITED),
        ("Imagined with AI", Claim.AI_GENERATED),
        ("AI-generated image", Claim.AI_GENERATED),
        ("Image generated using AI", Claim.AI_GENERATED),
        ("KI-generiert", Claim.AI_GENERATED),
        ("Généré par l’IA", Claim.AI_GENERATED),
        ("Imagen generada con IA", Claim.AI_GENERATED),
        ("由AI生成", Claim.AI_GENERATED),
        ("豆包AI生成", Claim.AI_GENERATED),
    ],
)
def test_set_phrases_count_in_credits(line: str, claim: Claim) -> None:
    assert told(attribute("photoshop:Credit", line)).of(claim)
    assert [f.claim for f in iptc.findings(iptc.parse(record(110, line.encode())))] == [claim]


@pytest.mark.parametrize("tag", [271, 272])
def test_a_generator_in_the_camera_fields_is_no_camera(
    tag: int, make: Callable[..., bytes]
) -> None:
    exif = {271: "Canon", 272: "EOS R5", 33434: 0.01, 33437: 4.0} | {tag: "Midjourney"}
    found = inspect(make("JPEG", exif=exif))
    assert found.claim is Claim.AI_GENERATED
    assert not found.of(Claim.CAMERA)


LABEL = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
CAPTION = f'{HEAD} xmlns:dc="http://purl.org/dc/elements/1.1/">'
AFTER = f"<Iptc4xmpExt:DigitalSourceType>{LABEL}</Iptc4xmpExt:DigitalSourceType>"


@pytest.mark.parametrize(
    "fault",
    [
        "<dc:title>caf\xe9</dc:title>".encode("latin-1"),
        b"<dc:title>a \x07 bell</dc:title>",
        b"<dc:title>a \x00 nul</dc:title>",
        b"<dc:title>Tom & Jerry</dc:title>",
        b"<dc:title>Tom&nbsp;J</dc:title>",
        b"<dc:title>&#" + b"9" * 6000 + b";</dc:title>",
        b"<dc:title>3 < 4</dc:title>",
        b"<Odd:Rating>50</Odd:Rating>",
        b"<dc:title>never closed",
        b"<dc:title>closed by another</dc:subject>",
        b"<dc:title lang=x-default>no quotes</dc:title>",
        b'<dc:title a="1" a="2">twice</dc:title>',
        b"<![CDATA[ open",
        b"<!-- a -- b -->",
        b"<?pi",
    ],
)
@pytest.mark.parametrize("cut", [False, True])
def test_damaged_xmp_is_read_on_and_noted(
    fault: bytes, cut: bool, make: Callable[..., bytes]
) -> None:
    end = b"" if cut else f"</rdf:Description>{TAIL}".encode()
    values, told_of = xmp.read(CAPTION.encode() + fault + AFTER.encode() + end)
    assert values["Iptc4xmpExt:DigitalSourceType"] == [LABEL]
    assert "damaged" in str(told_of)


def test_a_label_as_an_attribute_survives_damage_too(make: Callable[..., bytes]) -> None:
    packet = attribute("Iptc4xmpExt:DigitalSourceType", LABEL).replace(TAIL, f"<x>a & b</x>{TAIL}")
    found = inspect(make("JPEG", xmp=packet))
    assert found.claim is Claim.AI_GENERATED
    assert any("XMP is damaged" in note for note in found.notes)


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_xmp_in_any_unicode_form(codec: str) -> None:
    packet = attribute("Iptc4xmpExt:DigitalSourceType", LABEL)
    values, fault = xmp.read(packet.encode(codec))
    assert values["Iptc4xmpExt:DigitalSourceType"] == [LABEL]
    assert fault is None


@pytest.mark.parametrize(
    "hostile",
    [
        "<a " + "b" * 2_000_000,
        "<a " * 500_000,
        '<a b="' * 300_000,
        "<a b='" * 300_000 + '"' * 300_000,
        "&" * 1_000_000,
        "<a>" + "</a>" * 400_000,
        "xmlns:a=" * 200_000,
        "<a" + " a" * 800_000 + ">",
    ],
)
def test_tolerant_reading_stays_linear(hostile: str) -> None:
    started = time.process_time()
    xmp.read(hostile.encode())
    assert time.process_time() - started < 5


COMMENT = "a cat, masterpiece\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1"


@pytest.mark.parametrize("order", ["utf-16-le", "utf-16-be", "utf-16", "utf-8", "utf-8-sig"])
@pytest.mark.parametrize("code", [b"UNICODE\0", b"Unicode\0", b"UNICODE "])
@pytest.mark.parametrize("prompt", ["a cat", "ein süßer Käfer", "可愛い猫", "кот"])
def test_unicode_comments_in_any_form(
    order: str, code: bytes, prompt: str, make: Callable[..., bytes]
) -> None:
    text = COMMENT.replace("a cat", prompt)
    found = inspect(make("JPEG", exif={37510: code + text.encode(order)}))
    assert found.claim is Claim.AI_GENERATED
    assert found.findings[0].details["prompt"].startswith(prompt)


@pytest.mark.parametrize("codec", ["iso2022_jp", "cp932", "euc_jp", "utf-8"])
def test_comments_in_jis(codec: str, make: Callable[..., bytes]) -> None:
    text = COMMENT.replace("a cat", "東京の夜")
    found = inspect(make("JPEG", exif={37510: b"JIS\0\0\0\0\0" + text.encode(codec)}))
    assert found.claim is Claim.AI_GENERATED
    if codec != "euc_jp":  # many of its bytes are Shift-JIS too: only the ASCII part is sure
        assert found.findings[0].details["prompt"].startswith("東京の夜")


@pytest.mark.parametrize("code", [b"ASCII\0\0\0", bytes(8), b""])
@pytest.mark.parametrize("codec", ["ascii", "utf-8", "utf-16-le"])
def test_comments_with_the_wrong_mark(code: bytes, codec: str, make: Callable[..., bytes]) -> None:
    found = inspect(make("JPEG", exif={37510: code + COMMENT.encode(codec)}))
    assert found.claim is Claim.AI_GENERATED
