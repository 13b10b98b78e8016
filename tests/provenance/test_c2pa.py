"""C2PA: the states, claims and ingredients, on files signed here by a throw-away authority."""

from __future__ import annotations

import http.server
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from authentiscan.provenance import Claim, State, TrustList, c2pa, inspect

pytest.importorskip("c2pa")

TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
AI = [{"action": "c2pa.created", "digitalSourceType": TYPES + "trainedAlgorithmicMedia"}]
CAMERA = [{"action": "c2pa.created", "digitalSourceType": TYPES + "digitalCapture"}]
OF_PART = {"parameters": {"ingredientIds": ["xmp:iid:part"]}}
OPENED = {"action": "c2pa.opened", **OF_PART}
DRAWN = {"action": "c2pa.created", "digitalSourceType": TYPES + "digitalCreation"}
FILLED = [
    OPENED,
    {"action": "c2pa.edited", "digitalSourceType": TYPES + "compositeWithTrainedAlgorithmicMedia"},
]
MIMES = [
    ("PNG", "image/png"),
    ("JPEG", "image/jpeg"),
    ("WEBP", "image/webp"),
    ("TIFF", "image/tiff"),
]


@pytest.fixture(scope="module")
def trust(signer_chain: dict[str, bytes]) -> TrustList:
    return TrustList(signer_chain["root"].decode(), "test root")


@pytest.mark.parametrize(("kind", "mime"), MIMES)
def test_signed_file_in_its_states(
    kind: str,
    mime: str,
    make: Callable[..., bytes],
    sign: Callable[..., bytes],
    trust: TrustList,
) -> None:
    plain = make(kind)
    assert inspect(plain, trust).c2pa is State.ABSENT
    signed = sign(plain, mime, AI)
    for listed, state in ((trust, State.TRUSTED), (TrustList(), State.UNTRUSTED)):
        found = inspect(signed, listed)
        assert (found.c2pa, found.claim) == (state, Claim.AI_GENERATED)
        assert found.findings[0].details["digitalSourceType"] == "trainedAlgorithmicMedia"
        assert found.findings[0].details["signer"] == "Authentiscan tests"


@pytest.mark.parametrize(("kind", "mime"), MIMES)
def test_one_changed_pixel_byte_is_tampering(
    kind: str,
    mime: str,
    make: Callable[..., bytes],
    sign: Callable[..., bytes],
    trust: TrustList,
) -> None:
    signed = bytearray(sign(make(kind), mime, AI))
    # PNG, WebP and TIFF keep the manifest at various places: change the picture's own bytes.
    plain = make(kind)
    place = bytes(signed).find(plain[-40:-24])
    assert place > 0
    signed[place + 3] ^= 0x55
    found = inspect(bytes(signed), trust)
    assert found.c2pa is State.INVALID
    assert found.claim is Claim.NONE, "what an invalid manifest claims counts for nothing"


def test_cut_manifest_is_never_valid(
    make: Callable[..., bytes], sign: Callable[..., bytes], trust: TrustList
) -> None:
    signed = sign(make("JPEG"), "image/jpeg", AI)
    for cut in range(100, len(signed), max(1, len(signed) // 40)):
        assert inspect(signed[:cut], trust).c2pa not in (State.TRUSTED, State.UNTRUSTED)


def test_changed_manifest_bytes_are_never_trusted(
    make: Callable[..., bytes], sign: Callable[..., bytes], trust: TrustList
) -> None:
    signed = sign(make("JPEG"), "image/jpeg", CAMERA)
    start = signed.find(b"digitalCapture")
    changed = signed[:start] + b"trainedCapture" + signed[start + 14 :]
    assert inspect(changed, trust).c2pa in (State.INVALID, State.UNREADABLE)


def test_camera_and_generative_fill(
    make: Callable[..., bytes], sign: Callable[..., bytes], trust: TrustList
) -> None:
    camera = sign(make("JPEG"), "image/jpeg", CAMERA)
    assert inspect(camera, trust).claim is Claim.CAMERA
    filled = sign(make("JPEG"), "image/jpeg", FILLED, [("image/jpeg", camera, "parentOf")])
    found = inspect(filled, trust)
    assert (found.c2pa, found.claim) == (State.TRUSTED, Claim.AI_EDITED)
    assert {f.claim for f in found.findings} >= {Claim.AI_EDITED, Claim.CAMERA}


@pytest.mark.parametrize(
    ("relation", "actions", "claim"),
    [
        ("parentOf", [OPENED, {"action": "c2pa.cropped"}], Claim.AI_GENERATED),
        ("componentOf", [DRAWN, {"action": "c2pa.placed", **OF_PART}], Claim.AI_EDITED),
        ("inputTo", [DRAWN], Claim.DIGITAL_ART),
    ],
)
def test_ingredients_count_by_their_relation(
    relation: str,
    actions: list[dict[str, Any]],
    claim: Claim,
    make: Callable[..., bytes],
    sign: Callable[..., bytes],
    trust: TrustList,
) -> None:
    made = sign(make("PNG"), "image/png", AI)
    signed = sign(make("JPEG"), "image/jpeg", actions, [("image/png", made, relation)])
    found = inspect(signed, trust)
    assert found.c2pa is State.TRUSTED
    assert found.claim is claim
    assert any(f.source.startswith("C2PA ingredient") for f in found.findings)


def test_without_the_library_presence_is_told(
    make: Callable[..., bytes],
    sign: Callable[..., bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    signed = sign(make("PNG"), "image/png", AI)
    monkeypatch.setattr(c2pa, "available", lambda: False)
    found = inspect(signed, TrustList())
    assert (found.c2pa, found.claim) == (State.UNCHECKED, Claim.NONE)
    assert "c2pa-python is missing" in found.findings[0].summary


def test_plain_files_do_not_load_the_library(make: Callable[..., bytes]) -> None:
    import subprocess

    code = (
        "import sys; from authentiscan.provenance import inspect; "
        "inspect(sys.stdin.buffer.read()); assert 'c2pa' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], input=make("PNG"), check=True)


@pytest.fixture
def listener() -> Iterator[tuple[str, list[str]]]:
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None: ...

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/m.c2pa", asked
    server.shutdown()
    thread.join()
    server.server_close()


def test_remote_manifests_are_named_and_not_fetched(
    make: Callable[..., bytes], listener: tuple[str, list[str]]
) -> None:
    address, asked = listener
    packet = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-'
        'syntax-ns#"><rdf:Description xmlns:dcterms="http://purl.org/dc/terms/" '
        f'dcterms:provenance="{address}"/></rdf:RDF></x:xmpmeta>'
    )
    data = make("JPEG", xmp=packet)
    found = inspect(data)
    assert found.c2pa is State.ABSENT
    assert any(address in note for note in found.notes)
    # Also when the library itself is asked about that very file.
    c2pa.check(data, "JPEG", 1, TrustList())
    assert asked == []


def test_a_claim_of_odd_form_whose_bytes_hold_is_intact() -> None:
    held = ["claimSignature.validated", "assertion.dataHash.match"]
    assert c2pa._state(["claim.malformed"], held) is State.UNTRUSTED
    assert c2pa._state(["claim.malformed"], held[:1]) is State.INVALID
    assert c2pa._state(["claim.malformed", "assertion.dataHash.mismatch"], held) is State.INVALID


@pytest.mark.parametrize("container", ["GIF89a", "unknown"])
def test_what_the_library_does_not_read_is_unchecked(container: str) -> None:
    (found,) = c2pa.check(b"some bytes", container, 100, TrustList())
    assert (found.state, found.claim) == (State.UNCHECKED, Claim.NONE)
    (large,) = c2pa.check(b"", "JPEG", c2pa.MAX_MANIFEST + 1, TrustList())
    assert large.state is State.UNCHECKED


def test_a_changed_file_says_what_that_means(
    make: Callable[..., bytes], sign: Callable[..., bytes], trust: TrustList
) -> None:
    signed = bytearray(sign(make("JPEG"), "image/jpeg", AI))
    signed[-20] ^= 0x10
    (found, *_) = inspect(bytes(signed), trust).findings
    assert found.state is State.INVALID
    assert "no sign of forgery or of generation" in found.details["meaning"]


@pytest.mark.parametrize(
    ("codes", "state"),
    [
        (["signingCredential.untrusted"], State.UNTRUSTED),
        (["signingCredential.expired", "assertion.action.malformed"], State.UNTRUSTED),
        (["cawg.ica.signature_mismatch"], State.TRUSTED),
        (["assertion.dataHash.mismatch"], State.INVALID),
        (["claimSignature.mismatch"], State.INVALID),
        (["assertion.hashedURI.mismatch", "signingCredential.untrusted"], State.INVALID),
        (["claimSignature.missing"], State.INVALID),
        (["signingCredential.ocsp.revoked"], State.UNTRUSTED),
    ],
)
def test_only_broken_bindings_are_tampering(codes: list[str], state: State) -> None:
    assert c2pa._state(codes, ["signingCredential.trusted"]) is state
