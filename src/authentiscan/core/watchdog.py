"""A line where nothing happens for a minute: what is waited for, and for how long."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

Made = TypeVar("Made")

QUIET_SECONDS = 60.0
_LOG = logging.getLogger("authentiscan")


def watched(
    items: Iterable[Made], *, what: str, waiting: str, quiet: float = QUIET_SECONDS
) -> Generator[Made, None, None]:
    """The items, with the watchdog's line where none comes: for pools that are not ours.

    what, quiet: as `in_threads`. waiting: what is waited for then, in words.
    """
    with watchdog(what, quiet) as watch:
        watch.waits_for(waiting)
        for item in items:
            with watch.paused():
                yield item
            watch.waits_for(waiting)


@contextmanager
def watching(what: str, waiting: str, quiet: float = QUIET_SECONDS) -> Iterator[None]:
    """As `watched`, for a piece of work that a thread of a server does."""
    with watchdog(what, quiet) as watch:
        watch.waits_for(waiting)
        yield


class Watch:
    """What is waited for, and since when."""

    def __init__(self) -> None:
        self.waiting: str | None = None
        self.since = time.monotonic()

    def waits_for(self, text: str) -> None:
        """From now on ``text`` is waited for."""
        self.waiting, self.since = text, time.monotonic()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """The caller has a result and works on it: nothing is waited for."""
        self.waiting = None
        yield


@contextmanager
def watchdog(what: str, quiet: float) -> Iterator[Watch]:
    """Say so where nothing happens for ``quiet`` seconds, then after twice the time, and so on."""
    watch, ended = Watch(), threading.Event()

    def look() -> None:
        patience, seen = quiet, watch.since
        while not ended.wait(min(1.0, quiet / 4)):
            if watch.since != seen:
                patience, seen = quiet, watch.since
            silent = time.monotonic() - watch.since
            waiting = watch.waiting
            if waiting is not None and silent >= patience:
                _LOG.warning("%s: nothing for %.0f s; waiting for %s", what, silent, waiting)
                patience = 2 * silent

    thread = threading.Thread(target=look, name="watchdog", daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        ended.set()
        thread.join()
