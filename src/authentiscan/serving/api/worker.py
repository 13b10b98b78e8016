"""Threads that judge the images of jobs, and tell webhooks; the rest goes on at the next start."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from authentiscan.analysis.report import Report
from authentiscan.core.errors import AuthentiscanError, OutputError, WorkerError
from authentiscan.core.watchdog import watching
from authentiscan.serving.api.jobs import JobStore, Waiting
from authentiscan.serving.api.judging import Judges
from authentiscan.serving.api.webhooks import Teller

_LOG = logging.getLogger("authentiscan.jobs")
_MOST_TRIES = 3
_IDLE_SECONDS = 30.0  # between two looks without a call
_FULL_SECONDS = 5.0  # after a disk that was full
_CLEAN_SECONDS = 60.0


class Worker:
    """Judges what waits in ``store``, the oldest first, on ``workers`` threads.

    seen: told every report. Start it once; `stop` ends it after the images under way.
    """

    def __init__(
        self,
        store: JobStore,
        judges: Judges,
        teller: Teller,
        *,
        workers: int,
        seen: Callable[[Report], None],
    ) -> None:
        self._store, self._judges, self._teller, self._seen = store, judges, teller, seen
        self._busy: set[int] = set()
        self._changed = threading.Condition()
        self._calls = 0
        self._stopping = False
        named = [(self._work, f"jobs-{i}") for i in range(workers)]
        self._threads = [
            threading.Thread(target=target, name=name, daemon=True)
            for target, name in [*named, (self._notify, "jobs-webhooks")]
        ]

    def start(self) -> None:
        """Begin with what waits already."""
        for thread in self._threads:
            thread.start()

    def call(self) -> None:
        """There is new work."""
        with self._changed:
            self._calls += 1
            self._changed.notify_all()

    def stop(self) -> None:
        """End after the images under way; all else stays in the store."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while not self._stopping:
            calls = self._calls
            try:
                item = self._next()
                if item is None:
                    self._wait(calls, _IDLE_SECONDS)
                else:
                    self._judge(item)
            except OutputError as error:  # a full disk: nothing is lost, it is tried again
                _LOG.error("a job's report cannot be stored", extra={"error": str(error)})
                self._wait(calls, _FULL_SECONDS)
            except Exception:  # whatever it is, the other jobs must go on
                _LOG.exception("a job's image could not be worked on; it is tried again")
                self._wait(calls, _FULL_SECONDS)

    def _next(self) -> Waiting | None:
        with self._changed:
            item = self._store.next(self._busy)
            if item is not None:
                self._busy.add(item.id)
            return item

    def _judge(self, item: Waiting) -> None:
        try:
            with watching(f"job {item.job}", f"the verdict on {item.name}"):
                report = self._report(item)
            self._seen(report)
            if self._store.finish(item, report):
                _LOG.info("job finished", extra={"job": item.job})
                self.call()
        finally:
            with self._changed:
                self._busy.discard(item.id)

    def _report(self, item: Waiting) -> Report:
        if item.tries >= _MOST_TRIES:
            text = f"the server ended {item.tries} times while it judged this image"
            return Report.failed(item.name, WorkerError(text))
        wanted = item.wanted
        try:
            return self._judges.report(
                item.name,
                item.content,
                wanted.model,
                stability=wanted.stability,
                provenance=wanted.provenance,
            )
        except AuthentiscanError as error:  # a detector that is no longer served
            return Report.failed(item.name, error)

    def _notify(self) -> None:
        cleaned = time.monotonic()
        while not self._stopping:
            calls = self._calls
            try:
                wait = self._teller.round()
                if time.monotonic() - cleaned > _CLEAN_SECONDS:
                    cleaned = time.monotonic()
                    self._store.expire()
            except OutputError as error:
                _LOG.error("jobs cannot be kept up", extra={"error": str(error)})
                wait = _FULL_SECONDS
            except Exception:  # as above
                _LOG.exception("a webhook could not be told; it is tried again")
                wait = _FULL_SECONDS
            self._wait(calls, wait)

    def _wait(self, calls: int, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._stopping or self._calls != calls, seconds)
