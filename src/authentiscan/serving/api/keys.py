"""API keys: made here, shown once, kept only as a SHA-256.

A key is 256 bits of chance, so a plain hash is enough: there is nothing to guess, and slow password
hashes would only slow down every request.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from datetime import UTC, datetime

from authentiscan.core.errors import UsageError
from authentiscan.core.records import Record
from authentiscan.serving.api.database import Database

MARK = "authentiscan_"
"""How every key begins, so that scanners for leaked secrets can know it."""

PER_MINUTE = 600
_SHOWN = len(MARK) + 4
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_USED_SECONDS = 60.0  # between two notes of a key's last use


class Key(Record):
    """What is known of a key, which is not the key itself.

    start: its first characters. per_minute: images it may send in a minute. used: when last, to a
    minute; None for never. revoked: since when it does not count.
    """

    name: str
    start: str
    per_minute: int
    created: datetime
    used: datetime | None = None
    revoked: datetime | None = None


class Keys:
    """The keys in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, name: str, per_minute: int = PER_MINUTE) -> str:
        """Make a key called ``name`` and return it: nobody can read it again afterwards.

        Raises UsageError for a name that is taken, also by a revoked key, whose jobs it would get.
        """
        if not _NAME.fullmatch(name):
            raise UsageError(
                f"{name!r} cannot be a key's name; take up to 64 letters, digits, dots, dashes and "
                "underscores, a letter or digit first"
            )
        key = MARK + secrets.token_urlsafe(32)
        with self._database.writing() as connection:
            if connection.execute("SELECT 1 FROM keys WHERE name=?", (name,)).fetchone():
                raise UsageError(f"there is a key {name!r} already, or was; choose another name")
            connection.execute(
                "INSERT INTO keys(name, digest, start, per_minute, created) VALUES (?,?,?,?,?)",
                (name, _digest(key), key[:_SHOWN], per_minute, time.time()),
            )
        return key

    def all(self) -> list[Key]:
        """Every key, also revoked ones, the oldest first."""
        return [
            _key(dict(row)) for row in self._database.rows("SELECT * FROM keys ORDER BY created")
        ]

    def revoke(self, name: str) -> None:
        """From now on the key called ``name`` is refused. Raises UsageError where there is none."""
        known = [key.name for key in self.all()]
        if name not in known:
            shown = ", ".join(known[:10]) or "none yet"
            raise UsageError(f"there is no key {name!r}; known are: {shown}")
        with self._database.writing() as connection:
            connection.execute(
                "UPDATE keys SET revoked=coalesce(revoked, ?) WHERE name=?", (time.time(), name)
            )

    def find(self, key: str) -> Key | None:
        """The record of ``key``; None where it is unknown or revoked."""
        row = self._database.row(
            "SELECT * FROM keys WHERE digest=? AND revoked IS NULL", _digest(key)
        )
        if row is None:
            return None
        now = time.time()
        if row["used"] is None or now - row["used"] > _USED_SECONDS:
            with self._database.writing() as connection:
                connection.execute("UPDATE keys SET used=? WHERE name=?", (now, row["name"]))
        return _key(dict(row))


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def _key(row: dict[str, object]) -> Key:
    times = {name: _time(row[name]) for name in ("created", "used", "revoked")}
    plain = {name: row[name] for name in ("name", "start", "per_minute")}
    return Key.model_validate({**plain, **times})


def _time(seconds: object) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if isinstance(seconds, float) else None
