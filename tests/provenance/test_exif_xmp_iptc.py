"""Camera facts, writing programs, XMP and IPTC claims."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from authentiscan.provenance import Claim, Provenance, inspect, iptc, programs, sources, xmp

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
    values = xmp.parse(packet.encode())
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
    "packet",
    [
        '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        '<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        "<a>" * 1000,
        "not xml",
        "",
    ],
)
def test_hostile_packets_are_refused(packet: str) -> None:
    with pytest.raises(ValueError, match=r"XMP|document type|deeper"):
        xmp.parse(packet.encode())


def test_entity_bombs_stay_cheap(make: Callable[..., bytes]) -> None:
    entities = '<!ENTITY x0 "xxxxxxxxxx">'
    for level in range(1, 12):
        entities += f'<!ENTITY x{level} "{f"&x{level - 1};" * 10}">'
    started = time.perf_counter()
    found = inspect(make("JPEG", xmp=f"<!DOCTYPE a [{entities}]><a>&x11;</a>"))
    assert time.perf_counter() - started < 1
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
    assert iptc.parse(block[:-3])
    assert iptc.parse(b"") == iptc.parse(b"\x1c\x02") == {}


def test_program_names_are_whole_words() -> None:
    assert programs.known("Midjourney v6") is not None
    assert programs.known("canvas 2.0") is None
    assert programs.known("") is None
