"""The base of records: frozen, strict, and open to signals while it is written."""

from __future__ import annotations

import pytest
from pydantic import ValidationError, field_serializer
from pydantic_core import PydanticSerializationError

from authentiscan.core.records import Record


class Point(Record):
    x: int
    y: int = 0


class Stopped(Record):
    """Its serialization is interrupted, as by a signal that comes meanwhile."""

    failure: str

    @field_serializer("failure")
    def _fail(self, failure: str) -> str:
        if failure == "signal":
            raise KeyboardInterrupt("ended by SIGTERM")
        raise RuntimeError(failure)


def test_unknown_keys_and_changes_are_refused() -> None:
    with pytest.raises(ValidationError, match="z"):
        Point.model_validate({"x": 1, "z": 2})
    with pytest.raises(ValidationError, match="frozen"):
        Point(x=1).x = 2  # type: ignore[misc]


def test_written_as_json_with_pydantics_options() -> None:
    assert Point(x=1).model_dump_json() == '{"x":1,"y":0}'
    assert Point(x=1).model_dump_json(exclude={"y"}) == '{"x":1}'


def test_a_signal_while_writing_is_a_signal() -> None:
    with pytest.raises(KeyboardInterrupt, match="ended by SIGTERM"):
        Stopped(failure="signal").model_dump_json()
    with pytest.raises(PydanticSerializationError, match="no signal"):
        Stopped(failure="no signal").model_dump_json()
