"""Programs that sign their name into metadata, and what that says of a picture's origin.

The names stand in programs.json, each with its kind, the year it appeared and where that was seen.
They are looked for only in fields that name the file's maker (EXIF Software, XMP CreatorTool, …).
Credit lines, authors and captions hold names of people and companies too: there only the set
phrases of the data file count, and only as the whole text.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Literal

from authentiscan.core.records import Record
from authentiscan.provenance.records import Claim

Kind = Literal["generates", "edits with AI", "editor", "draws", "camera"]
Tokens = tuple[str, ...]

_CLAIMS: dict[Kind, Claim] = {
    "generates": Claim.AI_GENERATED,
    "edits with AI": Claim.AI_EDITED,
    "editor": Claim.EDITED,
    "draws": Claim.DIGITAL_ART,
    "camera": Claim.NONE,
}
_DATA = Path(__file__).with_name("programs.json")
_TOKEN = re.compile(r"[^\W\d_]+|\d+")  # runs of letters or digits: FLUX.2, flux2 and Flux-2 are one
_LONGEST_FIELD = 300


class Program(Record):
    """A program known by name.

    words: its spellings as tokens. match: ``start`` where the field must begin with one (after a
    vendor's name, perhaps); ``whole`` where only versions and `Table.qualifiers` may follow, for
    names that are words or people's names too; ``anywhere`` for names that mean nothing else.
    heavy: an editor made for changing what a picture shows. year: first seen; source: where.
    """

    name: str
    kind: Kind
    words: tuple[str, ...] = ()
    match: Literal["start", "whole", "anywhere"] = "start"
    heavy: bool = False
    year: int = 0
    source: str = ""

    @property
    def claim(self) -> Claim:
        """What the program's name in a file says of the picture."""
        return _CLAIMS[self.kind]


class Table(Record):
    """The data file. phrases: whole credit lines, with the program's name and its kind."""

    vendors: tuple[str, ...]
    qualifiers: frozenset[str]
    phrases: dict[str, tuple[str, Kind]]
    programs: tuple[Program, ...]


@lru_cache(maxsize=1)
def table() -> Table:
    """The packaged data file."""
    return Table.model_validate_json(_DATA.read_bytes())


def known(text: str) -> Program | None:
    """The program named in ``text``, a field for the file's maker; None if unknown.

    Of several the one with the longest spelling counts. A name of the table is always known.
    """
    field = _tokens(text)
    if not field:
        return None
    starts = _starts(field)
    best: tuple[int, Program] | None = None
    for words, program in _all():
        if words[0] in field and len(words) > (best[0] if best else 0):
            best = (len(words), program) if _fits(words, program, field, starts) else best
    return best[1] if best else _by_name().get(text)


def phrase(text: str) -> Program | None:
    """The program that a credit line names by a set phrase, which must be the whole line."""
    found = table().phrases.get(" ".join(_tokens(text)))
    return Program(name=found[0], kind=found[1]) if found else None


def _fits(words: Tokens, program: Program, field: Tokens, starts: frozenset[int]) -> bool:
    size = len(words)
    if program.match == "anywhere":
        return any(field[at : at + size] == words for at in range(len(field) - size + 1))
    for at in starts:
        if field[at : at + size] != words:
            continue
        rest = field[at + size :]
        if program.match == "start" or all(
            token.isdigit() or len(token) == 1 or token in table().qualifiers for token in rest
        ):
            return True
    return False


def _starts(field: Tokens) -> frozenset[int]:
    """Where a name may begin: at the start, or after a vendor's."""
    after = (len(v) for v in _vendors() if field[: len(v)] == v)
    return frozenset((0, *after))


@lru_cache(maxsize=1)
def _vendors() -> tuple[Tokens, ...]:
    return tuple(_tokens(vendor) for vendor in table().vendors)


@lru_cache(maxsize=1)
def _all() -> tuple[tuple[Tokens, Program], ...]:
    return tuple((_tokens(words), p) for p in table().programs for words in p.words)


@lru_cache(maxsize=1)
def _by_name() -> dict[str, Program]:
    return {program.name: program for program in reversed(table().programs)}


def _tokens(text: str) -> Tokens:
    return tuple(_TOKEN.findall(text[:_LONGEST_FIELD].casefold()))
