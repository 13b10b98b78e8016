"""One SQLite file for keys and jobs, in WAL mode: what was committed outlives the process.

A power cut may take the last moments of work, never an accepted job: `Database.settle` brings that
to the disk. Deleted images are overwritten in the file (``secure_delete``).
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from authentiscan.core.errors import OutputError, UsageError
from authentiscan.core.files import cannot_write

FILE = "server.sqlite"
_VERSION = 1
_BUSY_MS = 10_000
_SCHEMA = """
CREATE TABLE keys (
    name TEXT PRIMARY KEY, digest BLOB NOT NULL UNIQUE, start TEXT NOT NULL,
    per_minute INTEGER NOT NULL, created REAL NOT NULL, used REAL, revoked REAL
);
CREATE TABLE jobs (
    id TEXT PRIMARY KEY, owner TEXT NOT NULL, model TEXT NOT NULL, stability INTEGER NOT NULL,
    provenance INTEGER NOT NULL, status TEXT NOT NULL, created REAL NOT NULL, finished REAL,
    total INTEGER NOT NULL DEFAULT 0, done INTEGER NOT NULL DEFAULT 0,
    generated INTEGER NOT NULL DEFAULT 0, real INTEGER NOT NULL DEFAULT 0,
    inconclusive INTEGER NOT NULL DEFAULT 0, failed INTEGER NOT NULL DEFAULT 0,
    webhook TEXT, secret TEXT, told TEXT, tries INTEGER NOT NULL DEFAULT 0, next_try REAL
);
CREATE TABLE items (
    id INTEGER PRIMARY KEY, job TEXT NOT NULL REFERENCES jobs(id) ON DELETE CASCADE,
    number INTEGER NOT NULL, name TEXT NOT NULL, bytes INTEGER NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0, report TEXT, UNIQUE (job, number)
);
CREATE INDEX waiting ON items(id) WHERE report IS NULL;
CREATE TABLE contents (
    item INTEGER PRIMARY KEY REFERENCES items(id) ON DELETE CASCADE, content BLOB NOT NULL
);
"""


class Database:
    """A connection that threads share, one at a time. Close it, or use it as a context."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self._lock = threading.RLock()
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))  # nobody else reads images
        except OSError as error:
            raise cannot_write(self.path, error) from error
        with self._explained():
            self._connection = sqlite3.connect(
                self.path, isolation_level=None, check_same_thread=False
            )
            self._connection.row_factory = sqlite3.Row
            for setting in (
                f"busy_timeout={_BUSY_MS}",
                "journal_mode=WAL",
                "synchronous=NORMAL",
                "foreign_keys=ON",
                "secure_delete=ON",
            ):
                self._connection.execute(f"PRAGMA {setting}")
        self._make()

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Bring everything home; the file alone then holds all of it."""
        with self._lock:
            self._connection.close()

    def rows(self, query: str, *values: object) -> list[sqlite3.Row]:
        """All rows of a query."""
        with self._lock, self._explained():
            return self._connection.execute(query, values).fetchall()

    def row(self, query: str, *values: object) -> sqlite3.Row | None:
        """The first row of a query, None where there is none."""
        found = self.rows(query, *values)
        return found[0] if found else None

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it or nothing. Raises OutputError where it cannot be written."""
        with self._lock, self._explained():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def settle(self, *, shrink: bool = False) -> None:
        """Bring what was committed to the disk; shrink: also empty the log of old images."""
        with self._lock, self._explained():
            how = "TRUNCATE" if shrink else "PASSIVE"
            self._connection.execute(f"PRAGMA wal_checkpoint({how})").fetchall()

    def _make(self) -> None:
        with self.writing() as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version > _VERSION:
                raise UsageError(
                    f"{self.path} was written by a newer authentiscan (format {version}, this one "
                    f"reads {_VERSION}); use that one, or name another --state folder"
                )
            if version == 0:
                for statement in _SCHEMA.split(";"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version={_VERSION}")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise OutputError(
                f"cannot use {self.path}: {error}; make room, or name another --state folder"
            ) from error
