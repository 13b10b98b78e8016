"""Trust lists as files, as the user's own and as packaged facts."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from authentiscan.core.errors import UsageError
from authentiscan.provenance import TrustList, trust

Chain = dict[str, bytes]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv(trust.ENVIRONMENT, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_files(tmp_path: Path, signer_chain: Chain) -> None:
    path = tmp_path / "roots.pem"
    path.write_bytes(b"Subject\tCN=test\n" + signer_chain["root"] * 2)
    assert len(TrustList.read(path)) == 2
    path.write_text("no certificate here")
    with pytest.raises(UsageError, match="holds no certificate"):
        TrustList.read(path)
    with pytest.raises(UsageError, match="cannot read"):
        TrustList.read(tmp_path / "none.pem")


def test_a_list_is_known_by_its_certificates(tmp_path: Path, signer_chain: Chain) -> None:
    root, other = signer_chain["root"], signer_chain["leaf"]
    here = {name: TrustList.of(text, name, where=name).sha256 for name, text in {
        "one": root, "twice": root * 2, "two": root + other, "turned": other + root,
    }.items()}  # fmt: skip
    assert here["one"] == here["twice"] != here["two"] == here["turned"]
    facts = trust.facts_of(root + other, title="", date="", source="", licence="")
    assert TrustList(pins=facts.certificates).sha256 == here["two"]
    assert TrustList().sha256 != here["one"]


@pytest.mark.parametrize("at", [60, 200])
def test_a_damaged_certificate_is_named(at: int, tmp_path: Path, signer_chain: Chain) -> None:
    """Dropped without a word it would make trusted signers unknown."""
    whole = signer_chain["root"]
    path = tmp_path / "roots.pem"
    path.write_bytes(whole + whole[:at] + b"!!" + whole[at + 2 :])
    with pytest.raises(UsageError, match="certificate 2 of 2"):
        TrustList.read(path)


def test_a_file_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust, "MAX_TRUST_LIST_BYTES", 100)
    path = tmp_path / "large.pem"
    path.write_bytes(b"x" * 101)
    with pytest.raises(UsageError, match="which no list"):
        TrustList.read(path)


def test_the_nearest_list_is_chosen(
    home: Path, signer_chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert TrustList.chosen() == trust.packaged()
    trust.user_list().parent.mkdir(parents=True)
    trust.user_list().write_bytes(signer_chain["root"])
    kept = TrustList.chosen()
    assert (len(kept), len(kept.date)) == (1, len("2026-08-01"))
    named = home / "named.pem"
    named.write_bytes(signer_chain["root"] * 2)
    monkeypatch.setenv(trust.ENVIRONMENT, str(named))
    assert len(TrustList.chosen()) == 2
    given = home / "given.pem"
    given.write_bytes(signer_chain["root"] * 3)
    assert len(TrustList.chosen(given)) == 3
    named.unlink()
    with pytest.raises(UsageError, match=r"named\.pem"):
        TrustList.chosen()


def test_the_packaged_facts() -> None:
    facts = trust.packaged_facts()
    assert (facts.date, facts.licence) == ("2026-08", "CC BY 4.0, C2PA")
    assert facts.source.startswith("https://")
    assert len(facts.certificates) == len({pin.sha256 for pin in facts.certificates}) == 30
    assert any(pin.subject.startswith("CN=Google C2PA Root CA") for pin in facts.certificates)


def test_the_packaged_facts_are_those_of_the_official_list(shared_data: Path) -> None:
    content = (shared_data / "trust" / "C2PA-TRUST-LIST.pem").read_bytes()
    facts = trust.packaged_facts()
    again = trust.facts_of(
        content, title=facts.title, date=facts.date, source=facts.source, licence=facts.licence
    )
    assert again == facts
    assert facts.list_sha256 == hashlib.sha256(content).hexdigest()


def test_a_damaged_data_file_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "trust.json"
    broken.write_text('{"title": 3}')
    monkeypatch.setattr(trust, "_PACKAGED", broken)
    with pytest.raises(UsageError, match="install authentiscan again"):
        trust.packaged_facts()


def test_subjects_of_both_kinds(signer_chain: Chain) -> None:
    (own,) = trust.subjects(TrustList.of(signer_chain["root"], "x", where="x"))
    assert "CN=test root" in own
    assert len(trust.subjects(trust.packaged())) == 30
