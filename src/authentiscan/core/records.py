"""The base of every record that the package reads, writes or prints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails, PydanticSerializationError

_SHOWN = 5
_NO_RECORD = ("model_type", "model_attributes_type", "dataclass_type")


class Record(BaseModel):
    """Frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def model_dump_json(self, **options: Any) -> str:
        """The record as JSON; options as pydantic's.

        A signal that comes meanwhile ends the program as anywhere else: pydantic reports it as a
        failed serialization.
        """
        try:
            return super().model_dump_json(**options)
        except PydanticSerializationError as error:
            _, interrupted, signal = str(error).partition("KeyboardInterrupt: ")
            if interrupted:
                raise KeyboardInterrupt(signal) from error
            raise


def renamed(values: object, old: str, new: str) -> object:
    """``values`` with the key that was once called ``old`` under its name of today.

    For a record's validator before all others. Where both stand, the later one holds: a change
    put behind a file's own keys.
    """
    if not isinstance(values, Mapping) or old not in values:
        return values
    return {new if key == old else key: value for key, value in values.items()}


def mistakes(error: ValidationError) -> str:
    """What is wrong with a record in one line: ``place: what``, at most five of them."""
    found = error.errors(include_url=False)
    parts = [
        ": ".join(part for part in (".".join(map(str, e["loc"])), mistake(e)) if part)
        for e in found[:_SHOWN]
    ]
    more = len(found) - _SHOWN
    return "; ".join([*parts, *([f"and {more} more"] if more > 0 else [])])


def mistake(error: ErrorDetails) -> str:
    """What is wrong with one value, by pydantic's details of it; no class is named."""
    if error["type"] in _NO_RECORD:
        return "input should be a mapping of keys to values"
    plain = str(error["msg"]).removeprefix("Value error, ")
    return plain[:1].lower() + plain[1:]
