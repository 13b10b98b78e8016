"""The tree at the top of core/errors.py is the tree of classes."""

from __future__ import annotations

import inspect
import re

import pytest

from authentiscan.core import errors
from authentiscan.core.errors import (
    AuthentiscanError,
    DecodeError,
    MissingExtraError,
    ServiceError,
)

CLASSES = {
    name: value
    for name, value in vars(errors).items()
    if inspect.isclass(value) and issubclass(value, AuthentiscanError)
}
LINE = re.compile(r"^(?P<indent>[│├└─ ]*)(?P<name>\w+)\s+exit (?P<exit>\d)\s+HTTP (?P<http>\d{3})")


def drawn() -> list[tuple[int, str, int, int]]:
    lines = (LINE.match(line) for line in (errors.__doc__ or "").splitlines())
    return [
        (len(found["indent"]) // 4, found["name"], int(found["exit"]), int(found["http"]))
        for found in lines
        if found
    ]


def test_the_drawing_names_every_class_once() -> None:
    assert sorted(name for _, name, _, _ in drawn()) == sorted(CLASSES)


def test_the_drawing_shows_each_parent_exit_code_and_status() -> None:
    path: list[str] = []
    for depth, name, exit_code, status in drawn():
        path = [*path[:depth], name]
        kind = CLASSES[name]
        assert kind.__base__ is (CLASSES[path[depth - 1]] if depth else Exception)
        assert (kind.exit_code, kind.http_status) == (exit_code, status), name


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_every_class_says_what_it_is_and_its_codes_make_sense(name: str) -> None:
    kind = CLASSES[name]
    assert kind.__doc__
    assert kind.exit_code in (1, 2)
    assert 400 <= kind.http_status < 600


def test_missing_extra_says_how_to_install_it() -> None:
    error = MissingExtraError("reading HEIC images", "heif")
    assert error.extra == "heif"
    assert "pip install 'authentiscan[heif]'" in str(error)


def test_only_inputs_and_servers_leave_the_others_their_chance() -> None:
    ones = {kind for kind in CLASSES.values() if kind.exit_code == 1} - {AuthentiscanError}
    assert {base for base in ones if base.__base__ is AuthentiscanError} == {
        DecodeError, ServiceError,
    }  # fmt: skip
