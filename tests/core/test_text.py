"""Text of strangers is safe to show."""

from __future__ import annotations

import pytest

from authentiscan.core.errors import AuthentiscanError, CorruptImageError
from authentiscan.core.text import (
    escaped_bytes,
    library_words,
    one_line,
    printable,
    with_bytes,
)


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain ünïcode 写真 📷", "plain ünïcode 写真 📷"),
        ("\x1b[31mred\x07", "\\u001b[31mred\\u0007"),
        ("c1 \x9b31m", "c1 \\u009b31m"),
        ("exe.\u202egpj", "exe.\\u202egpj"),
        (b"caf\xe9.jpg".decode("utf-8", "surrogateescape"), "caf\\xe9.jpg"),
        ("half a pair \ud83d", "half a pair \\ud83d"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("no\xa0break", "no\xa0break"),
    ],
)
def test_what_may_be_shown_stays_and_the_rest_becomes_escapes(raw: str, shown: str) -> None:
    assert printable(raw) == shown
    assert printable(shown) == shown
    shown.encode("utf-8")


def test_one_line_has_no_line_break() -> None:
    assert one_line("a\nb\tc\x1b") == "a\\nb\\tc\\u001b"


@pytest.mark.parametrize("kind", [AuthentiscanError, CorruptImageError])
def test_messages_of_all_errors_can_be_shown(kind: type[AuthentiscanError]) -> None:
    name = b"\x1b[2Jcaf\xe9".decode("utf-8", "surrogateescape")
    assert str(kind(f"cannot read {name}")) == "cannot read \\u001b[2Jcaf\\xe9"


def test_words_of_libraries_name_no_class() -> None:
    said = OSError("Couldn't deserialize thrift: TProtocolException: Invalid data\nmore\n")
    assert library_words(said) == "Couldn't deserialize thrift: Invalid data"
    assert library_words(ValueError()) == ""


@pytest.mark.parametrize(
    ("raw", "stored"),
    [
        (b"a/plain \xc3\xa9\\b.jpg", "a/plain é\\b.jpg"),
        (b"d\xe9pot/caf\xff.jpg", r"d\xe9pot/caf\xff.jpg"),
        (rb"caf\xe9.jpg", r"caf\x5cxe9.jpg"),
        (rb"caf\x5cxe9\x41\n.jpg", r"caf\x5cx5cxe9\x41\n.jpg"),
        (b"\\\xe9\\x\xe9", r"\\xe9\x\xe9"),
    ],
)
def test_names_that_are_no_text_come_back(raw: bytes, stored: str) -> None:
    name = raw.decode("utf-8", "surrogateescape")
    assert escaped_bytes(name) == stored
    stored.encode()
    assert with_bytes(stored) == name
