"""Whose C2PA signatures are trusted: the official list, a file, or nobody's.

The package carries facts about the official list (`packaged`), not the list itself: subject,
fingerprint and public key of each certificate. They are enough to recognise a listed certificate,
or one that a listed one issued, inside a manifest. c2pa-python then checks the chain up to it.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from pydantic import Field, ValidationError

from authentiscan.core.errors import UsageError
from authentiscan.core.places import user_data
from authentiscan.core.records import Record

MAX_TRUST_LIST_BYTES = 8 * 1024 * 1024
ENVIRONMENT = "AUTHENTISCAN_TRUST_LIST"
OFFICIAL = (
    "https://raw.githubusercontent.com/c2pa-org/conformance-public/main/trust-list/"
    "C2PA-TRUST-LIST.pem"
)
"""Where the C2PA conformance program publishes its current list of signers."""

_MARK = "-----BEGIN CERTIFICATE-----"
_BLOCK = re.compile(f"{_MARK}(.*?)-----END CERTIFICATE-----", re.DOTALL)
_PACKAGED = Path(__file__).with_name("trust.json")


class Pin(Record):
    """What is known of one listed certificate. sha256: of its DER form, in hexadecimal digits.

    public_key: its SubjectPublicKeyInfo (DER) in base64.
    """

    subject: str
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    public_key: str


class Facts(Record):
    """The packaged facts of one published list."""

    title: str
    date: str
    source: str
    licence: str
    list_sha256: str
    certificates: tuple[Pin, ...]


@dataclass(frozen=True, slots=True)
class TrustList:
    """Certificates whose signatures count as trusted; nobody's where both kinds are empty.

    anchors: certificates as PEM text. pins: certificates known by facts only.
    name, date, source: for people; date is when the list was published or fetched.
    """

    anchors: str = ""
    name: str = "empty"
    pins: tuple[Pin, ...] = ()
    date: str = ""
    source: str = ""

    @classmethod
    def read(cls, path: Path | str) -> TrustList:
        """Read a PEM file with one or more CA certificates. Raises UsageError where it is none."""
        return cls.of(read_bytes(path), Path(path).name, where=str(path))

    @classmethod
    def of(cls, content: bytes, name: str, *, where: str) -> TrustList:
        """The list in the bytes of a PEM file. Raises UsageError where they are none."""
        if len(content) > MAX_TRUST_LIST_BYTES:
            raise UsageError(
                f"the trust list {where} is over {MAX_TRUST_LIST_BYTES // 2**20} MB, "
                "which no list of certificates is"
            )
        text = content.decode("utf-8", errors="replace")
        blocks = [block.group(0) for block in _BLOCK.finditer(text)]
        if not blocks:
            raise UsageError(
                f"{where} holds no certificate: a trust list is a PEM file with "
                f"'{_MARK}' blocks, such as the one the C2PA conformance program publishes"
            )
        _check(blocks, where)
        return cls(anchors="\n".join(blocks) + "\n", name=name, source=where)

    @classmethod
    def chosen(cls, path: Path | str | None = None) -> TrustList:
        """The list in ``path``; without one that of the environment, the fetched or packaged one.

        In this order: the file named by the environment variable AUTHENTISCAN_TRUST_LIST, the list
        that ``authentiscan trust update`` left, the packaged facts. Raises UsageError where a named
        file cannot be read.
        """
        named = path or os.environ.get(ENVIRONMENT)
        return cls.read(named) if named else cls.kept()

    @classmethod
    def kept(cls) -> TrustList:
        """The list that ``authentiscan trust update`` left, else the packaged facts."""
        fetched = user_list()
        if not fetched.is_file():
            return packaged()
        taken = datetime.fromtimestamp(fetched.stat().st_mtime, UTC)
        return replace(cls.read(fetched), date=f"{taken:%Y-%m-%d}")

    @property
    def sha256(self) -> str:
        """What the list is, whatever it is called: a hash of its certificates' hashes, in order.

        Equal for a published list and for the facts of it that the package carries.
        """
        return _sha256(self)

    def __len__(self) -> int:
        return self.anchors.count(_MARK) + len(self.pins)


@lru_cache(maxsize=8)
def _sha256(trust: TrustList) -> str:
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256

    listed = {pin.sha256 for pin in trust.pins}
    for block in _BLOCK.finditer(trust.anchors):
        certificate = x509.load_pem_x509_certificate(block.group(0).encode())
        listed.add(certificate.fingerprint(SHA256()).hex())
    return hashlib.sha256("\n".join(sorted(listed)).encode()).hexdigest()


def read_bytes(path: Path | str) -> bytes:
    """The bytes of a list's file, at most one more than it may have. Raises UsageError."""
    try:
        with Path(path).open("rb") as file:
            return file.read(MAX_TRUST_LIST_BYTES + 1)
    except OSError as error:
        raise UsageError(f"cannot read the trust list {path}: {error.strerror}") from error


def subjects(trust: TrustList) -> list[str]:
    """Whom the list names, as RFC 4514 writes names."""
    from cryptography import x509

    found = [
        x509.load_pem_x509_certificate(block.group(0).encode()).subject.rfc4514_string()
        for block in _BLOCK.finditer(trust.anchors)
    ]
    return [*(pin.subject for pin in trust.pins), *found]


def _check(blocks: list[str], where: str) -> None:
    """Raise UsageError where a block is no certificate: c2pa-python would drop it silently."""
    from cryptography import x509

    for number, block in enumerate(blocks, 1):
        try:
            x509.load_pem_x509_certificate(block.encode())
        except ValueError as error:
            raise UsageError(
                f"certificate {number} of {len(blocks)} in {where} cannot be read; "
                "fetch the file again, or take that block out"
            ) from error


@lru_cache(maxsize=1)
def packaged() -> TrustList:
    """The official list as the package knows it, by facts."""
    facts = packaged_facts()
    return TrustList(
        pins=facts.certificates, name=facts.title, date=facts.date, source=facts.source
    )


def packaged_facts() -> Facts:
    """The packaged data file. Raises UsageError where it is damaged."""
    try:
        return Facts.model_validate_json(_PACKAGED.read_bytes())
    except (OSError, ValidationError) as error:
        raise UsageError(f"{_PACKAGED} is damaged; install authentiscan again") from error


def user_list() -> Path:
    """Where ``authentiscan trust update`` keeps the fetched list of this user."""
    return user_data() / "C2PA-TRUST-LIST.pem"


def facts_of(content: bytes, *, title: str, date: str, source: str, licence: str) -> Facts:
    """The facts that the package may carry of the list in a PEM file's bytes."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    pins = []
    for block in _BLOCK.finditer(content.decode()):
        certificate = x509.load_pem_x509_certificate(block.group(0).encode())
        key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        der = certificate.public_bytes(Encoding.DER)
        pins.append(
            Pin(
                subject=certificate.subject.rfc4514_string(),
                sha256=hashlib.sha256(der).hexdigest(),
                public_key=base64.b64encode(key).decode(),
            )
        )
    return Facts(
        title=title,
        date=date,
        source=source,
        licence=licence,
        list_sha256=hashlib.sha256(content).hexdigest(),
        certificates=tuple(pins),
    )


if __name__ == "__main__":  # how trust.json is written: python -m … LIST.pem 2026-08 > trust.json
    made = facts_of(
        Path(sys.argv[1]).read_bytes(),
        title="C2PA trust list",
        date=sys.argv[2],
        source=OFFICIAL,
        licence="CC BY 4.0, C2PA",
    )
    sys.stdout.write(made.model_dump_json(indent=1) + "\n")
