"""Makers of small real files with metadata, and a throw-away certificate authority for C2PA."""

from __future__ import annotations

import datetime
import io
import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

PIXELS = np.random.default_rng(7).integers(0, 256, (48, 64, 3), dtype=np.uint8)


def png_chunk(name: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + name
        + content
        + struct.pack(">I", zlib.crc32(name + content))
    )


@pytest.fixture(scope="session")
def make() -> Callable[..., bytes]:
    """Encode a small picture: ``make("PNG", texts={...}, exif={tag: value}, xmp="...")``."""

    def encode(
        kind: str,
        *,
        texts: dict[str, str] | None = None,
        exif: dict[int, Any] | None = None,
        xmp: str | None = None,
        comment: str | None = None,
    ) -> bytes:
        buffer = io.BytesIO()
        options: dict[str, Any] = {}
        if texts:
            info = PngImagePlugin.PngInfo()
            for key, value in texts.items():
                info.add_itxt(key, value) if not value.isascii() else info.add_text(key, value)
            options["pnginfo"] = info
        if exif:
            block = Image.Exif()
            inner = block.get_ifd(0x8769)
            for tag, value in exif.items():
                (inner if (tag >= 33434 and tag < 40000) or tag > 41000 else block)[tag] = value
            # Pillow drops a record without main entries, and TIFF takes no finished block.
            options["exif"] = block if kind == "TIFF" else block.tobytes()
        if xmp is not None:
            options["xmp"] = xmp.encode()
        if comment is not None:
            options["comment"] = comment
        Image.fromarray(PIXELS).save(buffer, kind, **options)
        return buffer.getvalue()

    return encode


@pytest.fixture(scope="session")
def signer_chain() -> dict[str, bytes]:
    """``root`` (PEM of a CA made now), ``chain`` and ``key`` of a signer it vouches for."""
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    now = datetime.datetime.now(datetime.UTC)
    usage = {
        "digital_signature": False,
        "content_commitment": False,
        "key_encipherment": False,
        "data_encipherment": False,
        "key_agreement": False,
        "key_cert_sign": False,
        "crl_sign": False,
        "encipher_only": False,
        "decipher_only": False,
    }

    def name(common: str) -> Any:
        return x509.Name(
            [
                x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "Authentiscan tests"),
                x509.NameAttribute(x509.NameOID.COMMON_NAME, common),
            ]
        )

    root_key = ec.generate_private_key(ec.SECP256R1())
    leaf_key = ec.generate_private_key(ec.SECP256R1())

    def certificate(subject: str, key: Any, ca: bool) -> Any:
        builder = (
            x509.CertificateBuilder()
            .subject_name(name(subject))
            .issuer_name(name("test root"))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()),
                critical=False,
            )
        )
        flags = {"key_cert_sign": True, "crl_sign": True} if ca else {"digital_signature": True}
        builder = builder.add_extension(x509.KeyUsage(**{**usage, **flags}), critical=True)
        if not ca:
            builder = builder.add_extension(
                x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False
            )
        return builder.sign(root_key, hashes.SHA256())

    pem = serialization.Encoding.PEM
    root = certificate("test root", root_key, ca=True).public_bytes(pem)
    leaf = certificate("test signer", leaf_key, ca=False).public_bytes(pem)
    key = leaf_key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {"root": root, "chain": leaf + root, "key": key}


@pytest.fixture(scope="session")
def sign(signer_chain: dict[str, bytes]) -> Callable[..., bytes]:
    """Sign an encoded image: ``sign(data, "image/png", [actions], [(mime, data, relation)])``."""
    c2pa = pytest.importorskip("c2pa")

    def signed(
        data: bytes,
        mime: str,
        actions: list[dict[str, Any]],
        ingredients: list[tuple[str, bytes, str]] | None = None,
        generator: str = "test maker",
    ) -> bytes:
        manifest = {
            "claim_generator_info": [{"name": generator, "version": "1"}],
            "title": "test",
            "assertions": [{"label": "c2pa.actions", "data": {"actions": actions}}],
        }
        info = c2pa.C2paSignerInfo(
            c2pa.C2paSigningAlg.ES256, signer_chain["chain"], signer_chain["key"], b""
        )
        info.ta_url = None
        out = io.BytesIO()
        with c2pa.Signer.from_info(info) as signer, c2pa.Builder(json.dumps(manifest)) as builder:
            for kind, content, relation in ingredients or []:
                builder.add_ingredient(
                    json.dumps(
                        {"title": "part", "relationship": relation, "instance_id": "xmp:iid:part"}
                    ),
                    kind,
                    io.BytesIO(content),
                )
            builder.sign(signer, mime, io.BytesIO(data), out)
        return out.getvalue()

    return signed


@pytest.fixture(scope="session")
def samples(shared_data: Path) -> Path:
    """The folder of real files with their truth table."""
    return shared_data / "provenance"
