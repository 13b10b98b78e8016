"""Fixtures shared by all tests: photographs, shared data, a tiny bundle, a signing authority."""

from __future__ import annotations

import base64
import datetime
import hashlib
import io
import json
import logging
import signal
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric import rsa as rsa_keys

ROOT = Path(__file__).resolve().parent.parent


def pytest_configure() -> None:
    """Let programs that tests start be interrupted.

    A shell that starts the tests in the background ignores SIGINT for them, and their children
    would inherit that.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with the project's training and measuring data, which is not in the repository."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs the folder ../shared/data beside the checkout, which is absent here")
    return folder


@pytest.fixture(scope="session")
def photos() -> dict[str, np.ndarray]:
    """Free photographs (H, W, 3) uint8 that scikit-image and scikit-learn carry."""
    from skimage import data as skimage_data
    from sklearn.datasets import load_sample_images

    china, flower = load_sample_images().images
    return {
        "astronaut": skimage_data.astronaut(),
        "chelsea": skimage_data.chelsea(),
        "coffee": skimage_data.coffee(),
        "rocket": skimage_data.rocket(),
        "china": china,
        "flower": flower,
    }


@pytest.fixture(scope="session")
def tiny_bundle() -> Path:
    """A complete bundle of a very small model, for tests that need any detector."""
    return ROOT / "tests" / "fixtures" / "tiny-bundle"


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """A new S3 server on this machine; the address of an empty bucket, reached as users do."""
    from moto.server import ThreadedMotoServer
    from pyarrow.fs import S3FileSystem

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    settings = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        S3FileSystem(
            region="us-east-1",
            endpoint_override=f"{host}:{port}",
            scheme="http",
            allow_bucket_creation=True,
        ).create_dir("pictures")
        yield "s3://pictures"
    server.stop()


class HtmlPage(HTMLParser):
    """A page as a reader sees it; made of HTML that must be whole and load nothing from outside."""

    VOID = frozenset({"area", "br", "hr", "img", "input", "link", "meta", "wbr"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.style = ""
        self.scripts: list[str] = []
        self._open: list[str] = []
        assert html.lstrip().startswith("<!doctype html>")
        self.feed(html)
        self.close()
        assert self._open == [], f"never closed: {self._open}"
        assert not {"link", "iframe", "object"} & {tag for tag, _ in self.tags}
        self._check_policy()
        for tag, attributes in self.tags:
            for name, value in attributes.items():
                assert not name.startswith("on"), f"{tag} {name}"
                if name in ("src", "srcset", "data", "poster"):
                    assert str(value).startswith("data:image/"), value
        assert "url(" not in self.style
        assert "@import" not in self.style

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """Attributes of every ``tag``."""
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def text(self) -> str:
        """All words, spaces as one."""
        return " ".join("".join(self.words).split())

    def _check_policy(self) -> None:
        """Only a script whose checksum the page's policy names may run."""
        policies = [str(meta.get("content")) for meta in self.all("meta") if "http-equiv" in meta]
        (policy,) = policies
        assert "default-src 'none'" in policy
        assert all(tag.keys() <= {"type", "id"} for tag in self.all("script"))
        run = [tag.get("type") is None for tag in self.all("script")]
        for script, runs in zip(self.scripts, run, strict=True):
            digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
            assert not runs or f"script-src 'sha256-{digest}'" in policy
        assert policy.count("script-src") == sum(run)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> of nothing"
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "style":
            self.style += data
        elif self._open and self._open[-1] == "script":
            self.scripts[-1] += data
        else:
            self.words.append(data)


@pytest.fixture(scope="session")
def read_page() -> Callable[[str], HtmlPage]:
    """Reads HTML, and refuses what is not whole or loads something; see `HtmlPage`."""
    return HtmlPage


Chain = dict[str, bytes]


@pytest.fixture(scope="session")
def signer_chain() -> Chain:
    """``root`` (PEM of a CA made now), ``chain`` and ``key`` of a signer it vouches for."""
    return make_chain("test root")


@pytest.fixture(scope="session")
def long_chain() -> Chain:
    """The same with an authority between: ``middle``; the root is not in ``chain``."""
    return make_chain("far root", between="issuing authority")


@pytest.fixture(scope="session")
def chains() -> Callable[..., Chain]:
    """`make_chain`, for tests that need a chain of their own."""
    return make_chain


def make_chain(
    root_name: str, *, between: str | None = None, ca: bool = True, rsa: bool = False
) -> Chain:
    """A root, perhaps an authority below it (``ca=False``: one that may not issue) and a signer."""
    now = datetime.datetime.now(datetime.UTC)
    usage = dict.fromkeys(
        (
            "digital_signature",
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "key_cert_sign",
            "crl_sign",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )

    def name(common: str) -> x509.Name:
        return x509.Name(
            [
                x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "Authentiscan tests"),
                x509.NameAttribute(x509.NameOID.COMMON_NAME, common),
            ]
        )

    def certificate(subject: str, key: Any, issuer: str, issuer_key: Any, *, ca: bool) -> bytes:
        builder = (
            x509.CertificateBuilder()
            .subject_name(name(subject))
            .issuer_name(name(issuer))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
                critical=False,
            )
        )
        flags = {"key_cert_sign": True, "crl_sign": True} if ca else {"digital_signature": True}
        builder = builder.add_extension(x509.KeyUsage(**{**usage, **flags}), critical=True)
        if not ca:
            builder = builder.add_extension(
                x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False
            )
        return builder.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    leaf_key = ec.generate_private_key(ec.SECP256R1())
    root_key: Any = (
        rsa_keys.generate_private_key(65537, 2048)
        if rsa
        else ec.generate_private_key(ec.SECP384R1())
    )
    root = certificate(root_name, root_key, root_name, root_key, ca=True)
    issuer, issuer_key, middle = root_name, root_key, b""
    if between:
        issuer, issuer_key = between, ec.generate_private_key(ec.SECP256R1())
        middle = certificate(between, issuer_key, root_name, root_key, ca=ca)
    leaf = certificate("test signer", leaf_key, issuer, issuer_key, ca=False)
    key = leaf_key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    chain = leaf + (middle or root)
    return {"root": root, "middle": middle, "leaf": leaf, "chain": chain, "key": key}


@pytest.fixture(scope="session")
def sign(signer_chain: Chain) -> Callable[..., bytes]:
    """Sign an encoded image: ``sign(data, "image/png", [actions], [(mime, data, relation)])``."""
    c2pa = pytest.importorskip("c2pa")

    def signed(
        data: bytes,
        mime: str,
        actions: list[dict[str, Any]],
        ingredients: list[tuple[str, bytes, str]] | None = None,
        generator: str = "test maker",
        chain: Chain = signer_chain,
    ) -> bytes:
        manifest = {
            "claim_generator_info": [{"name": generator, "version": "1"}],
            "title": "test",
            "assertions": [{"label": "c2pa.actions", "data": {"actions": actions}}],
        }
        info = c2pa.C2paSignerInfo(c2pa.C2paSigningAlg.ES256, chain["chain"], chain["key"], b"")
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


@pytest.fixture
def signed_picture(
    photos: dict[str, np.ndarray], sign: Callable[..., bytes], tmp_path: Path
) -> Path:
    """A photograph whose signer, an authority made for the tests, says that AI made it."""
    from authentiscan.images.decode import encode

    made = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
    actions = [{"action": "c2pa.created", "digitalSourceType": made}]
    path = tmp_path / "signed.jpg"
    path.write_bytes(sign(encode(photos["coffee"], "JPEG", quality=92), "image/jpeg", actions))
    return path
