"""Trust by facts: which certificates inside a manifest are listed, or issued by a listed one.

Manifests carry the signer's chain, often without its root. A certificate found there becomes an
anchor where its SHA-256 is listed, or where a listed key signed it as a CA. That alone trusts
nobody: c2pa-python is then asked again with these anchors and must find a valid chain from the
signature up to one of them. A listed certificate that only lies in the file gives nothing.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
from collections.abc import Iterable, Iterator
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_der_public_key

from authentiscan.provenance.trust import Pin

MAX_CANDIDATES = 64
"""Most certificates looked at in one manifest; a chain has two to four."""

_LONG_FORM = b"\x30\x82"  # a DER sequence of 256 to 65,535 bytes, as every certificate is


def anchors(manifests: Iterable[bytes], pins: tuple[Pin, ...]) -> str:
    """PEM text of the certificates inside ``manifests`` that ``pins`` vouch for, each once."""
    listed = {pin.sha256 for pin in pins}
    found: dict[str, str] = {}
    for manifest in manifests:
        for block in _certificates(manifest):
            digest = hashlib.sha256(block).hexdigest()
            if digest in found:
                continue
            try:
                certificate = x509.load_der_x509_certificate(block)
                if _is_authority(certificate) and (
                    digest in listed or _issued_by(certificate, pins)
                ):
                    found[digest] = certificate.public_bytes(Encoding.PEM).decode()
            except (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension):
                continue  # no certificate, or one whose form nobody can check
    return "".join(found[digest] for digest in sorted(found))


def _certificates(manifest: bytes) -> Iterator[bytes]:
    """CBOR byte strings that hold one DER sequence: the elements of the header ``x5chain``."""
    at, candidates = manifest.find(_LONG_FORM), 0
    while at >= 0 and candidates < MAX_CANDIDATES:
        size = int.from_bytes(manifest[at + 2 : at + 4], "big") + 4
        if manifest[max(0, at - 3) : at] == b"\x59" + size.to_bytes(3, "big")[1:]:
            candidates += 1
            yield manifest[at : at + size]
            at += size - 1
        at = manifest.find(_LONG_FORM, at + 1)


def _is_authority(certificate: x509.Certificate) -> bool:
    """Whether it may issue certificates, today."""
    now = datetime.datetime.now(datetime.UTC)
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        return False
    try:
        basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return False
    return basic.ca and usage.key_cert_sign


def _issued_by(certificate: x509.Certificate, pins: tuple[Pin, ...]) -> bool:
    """Whether a listed key of the issuer's name signed the certificate."""
    issuer = certificate.issuer.rfc4514_string()
    return any(_signed(certificate, pin.public_key) for pin in pins if pin.subject == issuer)


def _signed(certificate: x509.Certificate, public_key: str) -> bool:
    key = _key(public_key)
    signature, content = certificate.signature, certificate.tbs_certificate_bytes
    how = certificate.signature_algorithm_parameters
    digest = certificate.signature_hash_algorithm
    try:
        if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(how, ec.ECDSA):
            key.verify(signature, content, how)
        elif (
            isinstance(key, rsa.RSAPublicKey)
            and isinstance(how, padding.PKCS1v15 | padding.PSS)
            and digest is not None
        ):
            key.verify(signature, content, how, digest)
        elif isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, content)
        else:
            return False
    except InvalidSignature:
        return False
    return True


@lru_cache(maxsize=256)
def _key(public_key: str) -> object:
    return load_der_public_key(base64.b64decode(public_key))
