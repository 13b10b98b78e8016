"""JSON of strangers: size, nesting and numbers that are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from authentiscan.core import nested
from authentiscan.core.nested import MOST_DEPTH, depth, parse_json, read_json


@pytest.mark.parametrize(
    ("text", "deep"),
    [("1", 0), ("[]", 1), ('{"a": [1, [2]]}', 3), ('"[[["', 0), (r'["\\", "\"[", 1]', 1)],
)
def test_brackets_in_strings_are_not_nested(text: str, deep: int) -> None:
    assert depth(text) == deep


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_deep_nesting_is_refused_before_it_is_read(opening: str) -> None:
    with pytest.raises(ValueError, match=f"more than {MOST_DEPTH} deep"):
        parse_json(opening * 100_000)
    whole = "[" * MOST_DEPTH + "]" * MOST_DEPTH
    assert isinstance(parse_json(whole), list)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1"),
        ("\0\0", "line 1"),
        ('{"a": 1', "line 1"),
        ("[NaN]", "NaN is no number"),
        ("[-Infinity]", "is no number"),
        ("9" * 5000, "digits"),
    ],
)
def test_what_is_no_json_says_why(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_json(text)


def test_files_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nested, "MOST_BYTES", 2**20)
    path = tmp_path / "a.json"
    path.write_text('"' + "x" * 2**20 + '"')
    with pytest.raises(ValueError, match="larger than 1 MB"):
        read_json(path)
    path.write_bytes(b'{"a": "\xff"}')
    with pytest.raises(ValueError, match="no UTF-8"):
        read_json(path)
    path.write_text('{"a": [1]}')
    assert read_json(path) == {"a": [1]}
