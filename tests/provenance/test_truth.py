"""Every sample of the truth table, read the way benchmarks/provenance_truth.py states."""

from __future__ import annotations

import csv
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from authentiscan.provenance import TrustList, inspect
from authentiscan.provenance.trust import packaged

pytest.importorskip("c2pa")


@pytest.fixture(scope="module")
def reading() -> ModuleType:
    path = Path(__file__).parents[2] / "benchmarks" / "provenance_truth.py"
    spec = importlib.util.spec_from_file_location("provenance_truth", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_sample_agrees_with_its_truth(samples: Path, reading: ModuleType) -> None:
    wrong = {}
    with (samples / "truth.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found = inspect((samples / row["file"]).read_bytes(), TrustList())
            answer = reading.expected(row, found)
            if answer:
                wrong[row["file"]] = answer
    assert wrong == {}


@pytest.mark.parametrize("name", ["C2PA-TRUST-LIST.pem"])
def test_facts_and_list_trust_the_same_samples(samples: Path, name: str) -> None:
    listed = TrustList.read(samples.parent / "trust" / name)
    for path in sorted(samples.iterdir()):
        data = path.read_bytes()
        if b"jumb" in data:
            assert inspect(data, packaged()).c2pa is inspect(data, listed).c2pa, path.name


def test_damaged_samples_neither_crash_nor_hang(samples: Path) -> None:
    """Cut and altered copies of the real files; each must give some answer, quickly."""
    for path in sorted(samples.iterdir()):
        data = path.read_bytes()
        if path.suffix == ".csv" or not data:
            continue
        head = min(len(data), 4096)
        for part in (data[: head // 2], data[: len(data) // 2], data[:-7]):
            assert inspect(part, TrustList()).milliseconds < 5000, path.name
        altered = bytearray(data)
        for at in range(12, head, 37):
            altered[at] ^= 0xA5
        assert inspect(bytes(altered), TrustList()).milliseconds < 5000, path.name
