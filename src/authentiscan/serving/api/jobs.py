"""Jobs in the database: accepted whole, judged image by image, kept for a while.

An image's bytes are deleted in the same transaction that stores its report. So a server that is
killed at any moment has for each image either the bytes or the report, never neither.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from authentiscan.analysis.report import Report
from authentiscan.core.errors import BusyError, NotThereError
from authentiscan.serving.api.database import Database
from authentiscan.serving.api.schemas import Counts, Job

_RECEIVING = "receiving"
_FULL_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whose job it is, and what is to be done with every image."""

    owner: str
    model: str
    stability: bool = False
    provenance: bool = True


@dataclass(frozen=True, slots=True)
class Waiting:
    """An image that waits for its report; tries: how often it was begun and not finished."""

    id: int
    job: str
    name: str
    tries: int
    content: bytes
    wanted: Wanted


class JobStore:
    """The jobs. most_bytes: of images that wait. most_jobs: kept. keep_seconds: after the end."""

    def __init__(
        self, database: Database, *, most_bytes: int, most_jobs: int, keep_seconds: float
    ) -> None:
        self._database = database
        self._most_bytes, self._most_jobs = most_bytes, most_jobs
        self._keep_seconds = keep_seconds
        row = database.row("SELECT coalesce(sum(bytes), 0) FROM items WHERE report IS NULL")
        self._held = int(row[0]) if row else 0
        killed = database.rows("SELECT id FROM jobs WHERE status=?", _RECEIVING)
        self.drop(*(row["id"] for row in killed))  # what a killed server did not receive whole
        self.expire()

    # Making a job

    def begin(self, wanted: Wanted) -> str:
        """A job that is still being received; its id. Raises BusyError where there are too many."""
        name = secrets.token_hex(16)
        with self._database.writing() as connection:
            (count,) = connection.execute("SELECT count(*) FROM jobs").fetchone()
            if count >= self._most_jobs:
                raise BusyError(
                    f"{count} jobs are kept, which is all that this server takes; delete finished "
                    "ones, or try again later",
                    _FULL_SECONDS,
                )
            values = (
                name, wanted.owner, wanted.model, wanted.stability, wanted.provenance,
                _RECEIVING, time.time(),
            )  # fmt: skip
            connection.execute(
                "INSERT INTO jobs(id, owner, model, stability, provenance, status, created) "
                "VALUES (?,?,?,?,?,?,?)",
                values,
            )
        return name

    def set_webhook(self, job: str, address: str) -> None:
        """``address`` is to be told when the job is finished."""
        with self._database.writing() as connection:
            connection.execute(
                "UPDATE jobs SET webhook=?, secret=?, told='pending' WHERE id=?",
                (address, secrets.token_urlsafe(24), job),
            )

    def add(self, job: str, number: int, name: str, content: bytes) -> None:
        """Store the image ``number`` of a job. Raises BusyError where too many bytes wait."""
        if self._held + len(content) > self._most_bytes:
            raise BusyError(
                f"images of {self._held:,} bytes wait in jobs; this server keeps at most "
                f"{self._most_bytes:,}: try again later",
                _FULL_SECONDS,
            )
        with self._database.writing() as connection:
            made = connection.execute(
                "INSERT INTO items(job, number, name, bytes) VALUES (?,?,?,?)",
                (job, number, name, len(content)),
            )
            connection.execute("INSERT INTO contents VALUES (?,?)", (made.lastrowid, content))
            connection.execute("UPDATE jobs SET total=total+1 WHERE id=?", (job,))
            self._held += len(content)

    def accept(self, job: str) -> Job:
        """All images are there: from now on nothing but a lost disk loses the job."""
        with self._database.writing() as connection:
            connection.execute("UPDATE jobs SET status='queued' WHERE id=?", (job,))
        self._database.settle()
        (row,) = self._database.rows("SELECT * FROM jobs WHERE id=?", job)
        return self._job(row, secret=True)

    # Asking

    def get(self, job: str, owner: str) -> Job:
        """A job of ``owner``. Raises NotThereError where that owner has none of this id."""
        row = self._database.row(
            "SELECT * FROM jobs WHERE id=? AND owner=? AND status<>?", job, owner, _RECEIVING
        )
        if row is None:
            raise NotThereError(
                f"there is no job {job!r}; finished jobs are kept {self._keep_seconds / 3600:g} h"
            )
        return self._job(row)

    def all(self, owner: str) -> list[Job]:
        """The jobs of ``owner``, the newest first."""
        rows = self._database.rows(
            "SELECT * FROM jobs WHERE owner=? AND status<>? ORDER BY created DESC",
            owner,
            _RECEIVING,
        )
        return [self._job(row) for row in rows]

    def results(self, job: str, after: int, most: int) -> tuple[list[str], int | None]:
        """At most ``most`` reports as JSON from number ``after`` on, and the number to go on from.

        They end before the first image that has no report yet, so that none is ever missed.
        """
        rows = self._database.rows(
            "SELECT report FROM items WHERE job=? AND number>=? ORDER BY number LIMIT ?",
            job,
            after,
            most,
        )
        found: list[str] = []
        for row in rows:
            if row["report"] is None:
                return found, None
            found.append(row["report"])
        return found, after + len(found) if len(found) == most else None

    def remove(self, job: str, owner: str) -> None:
        """Delete a job with its images and reports. Raises NotThereError where there is none."""
        self.get(job, owner)
        self.drop(job)

    def counts(self) -> dict[str, int]:
        """Jobs by status, for the metrics."""
        rows = self._database.rows("SELECT status, count(*) FROM jobs GROUP BY status")
        return {row[0]: row[1] for row in rows}

    def waiting(self) -> int:
        """Images that wait for their report."""
        row = self._database.row("SELECT count(*) FROM items WHERE report IS NULL")
        return int(row[0]) if row else 0

    # Working

    def next(self, busy: Collection[int]) -> Waiting | None:
        """The oldest image without report that is not in ``busy``; it counts as tried once more."""
        rows = self._database.rows(
            "SELECT items.*, owner, model, stability, provenance FROM items JOIN jobs "
            "ON jobs.id=job WHERE report IS NULL AND status<>? ORDER BY items.id LIMIT ?",
            _RECEIVING,
            len(busy) + 1,
        )
        row = next((row for row in rows if row["id"] not in busy), None)
        if row is None:
            return None
        with self._database.writing() as connection:
            connection.execute("UPDATE items SET tries=tries+1 WHERE id=?", (row["id"],))
            connection.execute(
                "UPDATE jobs SET status='running' WHERE id=? AND status='queued'", (row["job"],)
            )
            found = connection.execute(
                "SELECT content FROM contents WHERE item=?", (row["id"],)
            ).fetchone()
        if found is None:  # deleted meanwhile
            return None
        wanted = Wanted(row["owner"], row["model"], bool(row["stability"]), bool(row["provenance"]))
        return Waiting(row["id"], row["job"], row["name"], row["tries"], found["content"], wanted)

    def finish(self, item: Waiting, report: Report) -> bool:
        """Store the report and delete the image; whether that was the last one of its job."""
        kind = "failed" if report.verdict is None else report.verdict.value
        with self._database.writing() as connection:
            done = connection.execute(
                "UPDATE items SET report=? WHERE id=? AND report IS NULL",
                (report.json_line(), item.id),
            )
            if not done.rowcount:  # the job was deleted while this was judged
                return False
            self._held -= len(item.content)
            connection.execute("DELETE FROM contents WHERE item=?", (item.id,))
            connection.execute(
                f"UPDATE jobs SET done=done+1, {kind}={kind}+1 WHERE id=?",  # noqa: S608 -- a verdict
                (item.job,),
            )
            last = connection.execute(
                "UPDATE jobs SET status='finished', finished=?, next_try=? "
                "WHERE id=? AND done=total",
                (time.time(), time.time(), item.job),
            )
        if last.rowcount:
            self._database.settle(shrink=True)
        return bool(last.rowcount)

    def expire(self, *, now: float | None = None) -> None:
        """Remove finished jobs after their time."""
        at = time.time() if now is None else now
        found = self._database.rows("SELECT id FROM jobs WHERE finished<?", at - self._keep_seconds)
        self.drop(*(row["id"] for row in found))

    def drop(self, *jobs: str) -> None:
        """Delete jobs with their images and reports, whoever made them."""
        if not jobs:
            return
        ids = json.dumps(jobs)
        with self._database.writing() as connection:
            (freed,) = connection.execute(
                "SELECT coalesce(sum(bytes), 0) FROM items WHERE report IS NULL "
                "AND job IN (SELECT value FROM json_each(?))",
                (ids,),
            ).fetchone()
            connection.execute(
                "DELETE FROM jobs WHERE id IN (SELECT value FROM json_each(?))", (ids,)
            )
            self._held -= freed
        self._database.settle(shrink=True)

    # Telling

    def due_webhooks(self, now: float) -> list[sqlite3.Row]:
        """Finished jobs whose webhook is due."""
        return self._database.rows(
            "SELECT * FROM jobs WHERE told='pending' AND status='finished' AND next_try<=? "
            "ORDER BY next_try LIMIT 10",
            now,
        )

    def note_delivery(self, job: str, state: str, next_try: float | None = None) -> None:
        """Note how telling went; ``pending`` to try again at ``next_try``."""
        with self._database.writing() as connection:
            connection.execute(
                "UPDATE jobs SET told=?, tries=tries+1, next_try=? WHERE id=?",
                (state, next_try, job),
            )

    def message(self, row: sqlite3.Row) -> bytes:
        """What is sent to a webhook: the job as ``GET /v1/jobs/ID`` shows it."""
        event = {"event": "job.finished", "job": self._job(row).model_dump(mode="json")}
        return json.dumps(event).encode()

    def _job(self, row: sqlite3.Row, *, secret: bool = False) -> Job:
        finished = _time(row["finished"])
        keep = None if row["finished"] is None else row["finished"] + self._keep_seconds
        return Job.model_validate(
            {
                **{name: row[name] for name in _SAME},
                "counts": Counts(**{name: row[name] for name in Counts.model_fields}),
                "created": _time(row["created"]),
                "finished": finished,
                "keep_until": _time(keep),
                "webhook_secret": row["secret"] if secret else None,
            }
        )


_SAME: Sequence[str] = ("id", "status", "model", "total", "done", "webhook", "told")


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
