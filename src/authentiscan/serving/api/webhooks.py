"""Telling an address that a job has finished: only hosts that the operator named, and signed.

The signature is the HMAC-SHA256 of the body under the secret that the job's maker was given.
Redirections are not followed, so that an allowed host cannot send the server elsewhere.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import logging
import sqlite3
import time
from collections.abc import Collection
from urllib.parse import SplitResult, urlsplit

from authentiscan.core.errors import ForbiddenError, UsageError
from authentiscan.serving.api.jobs import JobStore

SIGNATURE = "X-Authentiscan-Signature"
TIMEOUT = 10.0
WAITS = (2.0, 10.0, 60.0, 600.0, 3600.0)
"""Seconds before each new try; after the last one the address is given up."""

_ROUND_SECONDS = 30.0
_LOG = logging.getLogger("authentiscan.jobs")


def checked(address: str, hosts: Collection[str]) -> str:
    """``address`` where it may be told. Raises UsageError or ForbiddenError where it may not."""
    parts = _split(address)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"{address[:200]!r} is no http or https address for a webhook")
    if parts.username is not None or len(address) > 2000:
        raise UsageError("a webhook's address may hold no password and at most 2,000 characters")
    if parts.hostname not in hosts:
        allowed = ", ".join(sorted(hosts)) or "none"
        raise ForbiddenError(
            f"webhooks to {parts.hostname} are not allowed here; allowed hosts: {allowed} "
            "(authentiscan serve --webhook-host HOST)"
        )
    return address


def signature(secret: str, body: bytes) -> str:
    """What the header of a message says: ``sha256=`` and the HMAC in hexadecimal digits."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


class Teller:
    """Tells what is due, and again later where nobody answered."""

    def __init__(self, store: JobStore, hosts: Collection[str]) -> None:
        self._store, self._hosts = store, frozenset(hosts)

    def round(self, now: float | None = None) -> float:
        """Tell all that is due; seconds until it is worth asking again."""
        at = time.time() if now is None else now
        due = self._store.due_webhooks(at)
        for row in due:
            state, wait = self._notify(row)
            self._store.note_delivery(row["id"], state, None if wait is None else at + wait)
        return 1.0 if due else _ROUND_SECONDS if not self._hosts else WAITS[0]

    def _notify(self, row: sqlite3.Row) -> tuple[str, float | None]:
        body = self._store.message(row)
        try:
            status = _post(checked(row["webhook"], self._hosts), row["secret"], body)
            why = f"answered {status}"
        except (OSError, http.client.HTTPException, ForbiddenError) as error:
            status, why = 0, type(error).__name__
        done = 200 <= status < 300
        _LOG.info(
            "webhook told" if done else "webhook not told", extra={"job": row["id"], "why": why}
        )
        if done:
            return "told", None
        tries = row["tries"]
        return ("pending", WAITS[tries]) if tries < len(WAITS) else ("failed", None)


def _post(address: str, secret: str, body: bytes) -> int:
    parts = urlsplit(address)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT)
    try:
        where = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "authentiscan",
            SIGNATURE: signature(secret, body),
        }
        connection.request("POST", where, body, headers)
        return connection.getresponse().status
    finally:
        connection.close()


def _split(address: str) -> SplitResult | None:
    try:
        parts = urlsplit(address)
        _ = parts.port  # a number, or an error
        printable = address.isascii() and address.isprintable() and " " not in address
        return parts if printable else None
    except ValueError:
        return None
