"""Object stores: a real S3 server on this machine, and what is told where there is none."""

from __future__ import annotations

import pytest

from authentiscan.core import buckets
from authentiscan.core.errors import (
    ImageLimitError,
    OutputError,
    UnreadableFileError,
    UsageError,
)

pytestmark = pytest.mark.xdist_group("s3")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s3://bucket/key.jpg", True),
        ("S3://bucket", True),
        ("gs://bucket/a b", True),
        ("hf://datasets/a/b", True),
        ("https://example.org/a.jpg", False),
        ("file:///etc/passwd", False),
        ("s3://", False),
        ("s3:/bucket", False),
        ("photos/s3://x", False),
    ],
)
def test_which_addresses_are_of_object_stores(text: str, expected: bool) -> None:
    assert buckets.is_bucket(text) == expected


def test_what_is_written_is_read_listed_and_removed(s3: str) -> None:
    root = f"{s3}/core"
    for name in ("b.txt", "deep/er/c.jpg", "a.jpg"):
        buckets.write(buckets.join(root, name), name.encode())
    assert buckets.read(f"{root}/deep/er/c.jpg", 100) == b"deep/er/c.jpg"
    names = ["a.jpg", "b.txt", "deep/er/c.jpg"]
    assert list(buckets.walk(root)) == [f"{root}/{name}" for name in names]
    assert list(buckets.walk(f"{root}/", recursive=False)) == [f"{root}/a.jpg", f"{root}/b.txt"]
    assert buckets.is_file(f"{root}/a.jpg")
    assert not buckets.is_file(f"{root}/deep")
    with buckets.opened(f"{root}/b.txt") as stream:
        stream.seek(2)
        assert stream.read() == b"txt"
    buckets.remove(f"{root}/a.jpg")
    assert not buckets.is_file(f"{root}/a.jpg")


def test_what_is_missing_or_too_large_is_told(s3: str) -> None:
    buckets.write(f"{s3}/large", b"x" * 11)
    with pytest.raises(ImageLimitError, match="10 bytes"):
        buckets.read(f"{s3}/large", 10)
    with pytest.raises(UnreadableFileError, match="does not exist"):
        buckets.read(f"{s3}/nothing", 10)
    with pytest.raises(UnreadableFileError, match="no-such-bucket"):
        list(buckets.walk("s3://no-such-bucket/x"))
    with pytest.raises(OutputError, match="cannot write s3://no-such-bucket"):
        buckets.write("s3://no-such-bucket/x", b"")


def test_a_package_that_is_missing_is_named() -> None:
    with pytest.raises(UsageError, match="pip install adlfs"):
        buckets.read("az://container/a.jpg", 10)


def test_other_addresses_are_refused() -> None:
    with pytest.raises(UsageError, match="begin with s3://"):
        buckets.read("https://example.org/a.jpg", 10)
