"""Trust by facts holds only for a chain that ends at a listed certificate."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from authentiscan.provenance import Claim, State, TrustList, inspect, pins, trust

Chain = dict[str, bytes]
AI = [
    {
        "action": "c2pa.created",
        "digitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia",
    }
]


def known(*certificates: bytes) -> TrustList:
    """A list that knows these PEM certificates by facts only."""
    facts = trust.facts_of(
        b"".join(certificates), title="test", date="2026", source="here", licence="none"
    )
    return TrustList(pins=facts.certificates, name="test")


@pytest.fixture
def signed(make: Callable[..., bytes], sign: Callable[..., bytes]) -> Callable[[Chain], bytes]:
    return lambda chain: sign(make("JPEG"), "image/jpeg", AI, chain=chain)


@pytest.mark.parametrize("listed", ["root", "middle"])
def test_a_chain_below_a_listed_certificate_is_trusted(
    listed: str, long_chain: Chain, signed: Callable[[Chain], bytes]
) -> None:
    """``middle`` lies in the file; the root does not, only its key is known."""
    found = inspect(signed(long_chain), known(long_chain[listed]))
    assert (found.c2pa, found.claim) == (State.TRUSTED, Claim.AI_GENERATED)


def test_rsa_roots_are_known_too(
    chains: Callable[..., Chain], signed: Callable[[Chain], bytes]
) -> None:
    chain = chains("rsa root", between="below rsa", rsa=True)
    assert inspect(signed(chain), known(chain["root"])).c2pa is State.TRUSTED


def test_other_signers_stay_unknown(
    long_chain: Chain, signer_chain: Chain, signed: Callable[[Chain], bytes]
) -> None:
    data = signed(long_chain)
    assert inspect(data, known(signer_chain["root"])).c2pa is State.UNTRUSTED
    assert inspect(data, trust.packaged()).c2pa is State.UNTRUSTED
    assert inspect(data, TrustList()).c2pa is State.UNTRUSTED


def test_a_namesake_of_a_listed_root_is_not_it(
    chains: Callable[..., Chain], long_chain: Chain, signed: Callable[[Chain], bytes]
) -> None:
    forged = chains("far root", between="issuing authority")
    assert inspect(signed(forged), known(long_chain["root"])).c2pa is State.UNTRUSTED
    assert inspect(signed(forged), known(long_chain["middle"])).c2pa is State.UNTRUSTED


def test_listed_bytes_beside_the_chain_give_nothing(
    chains: Callable[..., Chain], long_chain: Chain, signed: Callable[[Chain], bytes]
) -> None:
    """A forger may copy any listed certificate into a file; the chain must lead to it."""
    forged = chains("forger", between="forged authority")
    for borrowed in (long_chain["middle"], long_chain["root"]):
        beside = {**forged, "chain": forged["chain"] + borrowed}
        data = signed(beside)
        assert x509.load_pem_x509_certificate(borrowed).public_bytes(Encoding.DER) in data
        found = inspect(data, known(long_chain["root"], long_chain["middle"]))
        assert found.c2pa is not State.TRUSTED


def test_a_listed_signer_is_no_authority(
    long_chain: Chain, signed: Callable[[Chain], bytes]
) -> None:
    """Only a certificate that may issue others can be what a chain ends at."""
    assert inspect(signed(long_chain), known(long_chain["leaf"])).c2pa is State.UNTRUSTED


def test_what_may_not_issue_is_no_anchor(chains: Callable[..., Chain]) -> None:
    chain = chains("root", between="no authority", ca=False)
    der = x509.load_pem_x509_certificate(chain["middle"]).public_bytes(Encoding.DER)
    held = b"\x59" + len(der).to_bytes(2, "big") + der
    assert pins.anchors([held], known(chain["root"]).pins) == ""


def test_any_bytes_are_searched_quickly(long_chain: Chain) -> None:
    listed = known(long_chain["root"]).pins
    bait = (b"\x59\x04\x00\x30\x82\x03\xfc" + bytes(1020)) * 5000
    assert pins.anchors([bait, b"\x30\x82", b"", b"\x59\xff\xff\x30\x82\xff\xfb"], listed) == ""
    assert len(list(pins._certificates(bait))) == pins.MAX_CANDIDATES


def test_a_changed_file_is_not_trusted(long_chain: Chain, signed: Callable[[Chain], bytes]) -> None:
    data = bytearray(signed(long_chain))
    data[-20] ^= 0x10
    assert inspect(bytes(data), known(long_chain["root"])).c2pa is State.INVALID
