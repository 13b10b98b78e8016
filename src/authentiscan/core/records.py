"""The base of every record that the package reads, writes or prints."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, ValidationError

_SHOWN = 5


class Record(BaseModel):
    """Frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def mistakes(error: ValidationError) -> str:
    """What is wrong with a record in one line: ``place: what``, at most five of them."""
    found = error.errors(include_url=False)
    parts = [
        ": ".join(part for part in (".".join(map(str, e["loc"])), _reason(e["msg"])) if part)
        for e in found[:_SHOWN]
    ]
    more = len(found) - _SHOWN
    return "; ".join([*parts, *([f"and {more} more"] if more > 0 else [])])


def _reason(message: str) -> str:
    plain = message.removeprefix("Value error, ")
    return plain[:1].lower() + plain[1:]
