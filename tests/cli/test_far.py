"""Outputs in object stores: never over an input or a file of others, and nothing made is lost."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from authentiscan.cli import far
from authentiscan.cli.guard import forced
from authentiscan.core import buckets
from authentiscan.core.errors import OutputError, UsageError


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """An empty bucket in memory; `test_scan_parts` goes through a server that speaks S3."""
    system = MemoryFileSystem(skip_instance_cache=True)
    monkeypatch.setattr(system, "store", {})
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(buckets, "_system", lambda scheme, bucket: system)
    return "s3://pictures"


def test_an_input_is_never_an_output_however_it_is_spelled(s3: str) -> None:
    bucket = s3.removeprefix("s3://")
    for given in (f"{s3}/a.csv", f"S3://{bucket}//a.csv", f"s3://{bucket}/a.csv/"):
        with (
            pytest.raises(UsageError, match="is also an input"),
            far.as_files([f"{s3}/a.csv"], [given]),
        ):
            pytest.fail("the work began")
    with (
        pytest.raises(UsageError, match="is also an input"),
        far.claimed(f"{s3}/photos", [f"{s3}/photos/"], folder=True),
    ):
        pytest.fail("the work began")


def test_a_file_of_others_is_replaced_with_force_alone(s3: str) -> None:
    address = f"{s3}/far/evidence.csv"
    for foreign in (b"\xff\xd8 a photograph", b"name,mark\n"):
        buckets.write(address, foreign)
        with (
            pytest.raises(UsageError, match="was not made by authentiscan"),
            far.as_files([address], []),
        ):
            pytest.fail("the work began")
        assert buckets.read(address, 99) == foreign
    with forced(True), far.as_files([address], []) as (file,):
        file.write_bytes(b"path,verdict,score,\n")
    with far.as_files([address], []) as (file,):  # now it is ours
        file.write_bytes(b"path,verdict,score,\nx")
    assert buckets.read(address, 99).endswith(b"x")


def test_one_command_of_a_machine_writes_there_at_a_time(s3: str) -> None:
    with far.claimed(f"{s3}/far/r.csv", []):
        with (
            pytest.raises(OutputError, match="another command writes"),
            far.claimed(f"{s3}/far//r.csv", []),
        ):
            pytest.fail("the work began")
        with far.claimed(f"{s3}/far/other.csv", []):
            pass


def test_what_cannot_be_sent_is_kept(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    addresses = [f"{s3}/far/x.jsonl", f"{s3}/far/x.csv"]
    sent = buckets.write

    def fails_on_tables(address: str, content: bytes) -> None:
        if address.endswith("csv"):
            raise OutputError("no room")
        sent(address, content)

    monkeypatch.setattr(buckets, "write", fails_on_tables)
    with (  # noqa: PT012
        pytest.raises(OutputError, match="no room; what was made is kept in ") as error,
        far.as_files(addresses, []) as files,
    ):
        for file in files:
            file.write_bytes(b"rows")
    kept = Path(str(error.value).rpartition(" ")[2])
    assert [path.read_bytes() for path in kept.iterdir()] == [b"rows"]
    assert buckets.read(addresses[0], 99) == b"rows"


def test_an_interrupted_scan_leaves_its_rows_there(s3: str) -> None:
    address = f"{s3}/far/interrupted.jsonl"
    with pytest.raises(KeyboardInterrupt), far.as_files([address], []) as (file,):  # noqa: PT012
        file.write_bytes(b"a row")
        raise KeyboardInterrupt
    assert buckets.read(address, 99) == b"a row"


def test_a_store_that_cannot_be_asked_is_told_before_the_work() -> None:
    with pytest.raises(UsageError, match="pip install adlfs"), far.as_files(["az://c/r.csv"], []):
        pytest.fail("the work began")
