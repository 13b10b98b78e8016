"""Work on many items at once: results in order, a bounded number under way, a clean end.

`in_threads` is for work that releases the interpreter, `in_processes` for the rest. Processes are
spawned, never forked (a forked child may wait for ever for a lock that a thread of its parent held)
and each has a pipe of its own: no queue and no lock is shared, so that a worker which dies, is
killed or hangs can hold up nothing but its own item. One that dies is an error at once; workers end
with their parent. Where nothing happens for a minute, a line on standard error says what is waited
for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Generic, TypeVar

from authentiscan.core.crew import Crew
from authentiscan.core.watchdog import QUIET_SECONDS, Watch, watchdog, watched

Given = TypeVar("Given")
Made = TypeVar("Made")

_GOING_SECONDS = 1.0  # for the drawing thread to end; one that waits for a pipe is left behind
_ONE = "the work on one of them"


@dataclass(frozen=True, slots=True)
class Room(Generic[Given]):
    """How much may be under way: items, and their weight together; one alone may weigh more."""

    items: int
    weight: int = 0
    weigh: Callable[[Given], int] = lambda _: 0


def in_threads(
    items: Iterable[Given],
    work: Callable[[Given], Made],
    threads: int,
    room: Room[Given],
    *,
    what: str = "working",
    quiet: float = QUIET_SECONDS,
) -> Generator[Made, None, None]:
    """``work(item)`` for every item, in order, on ``threads`` threads, within ``room``.

    The items are drawn by a thread of their own, so that a result never waits for an item that has
    not come yet, as from a slow pipe. An error of the items themselves, or of ``work``, is raised
    in its turn. Closing early drops what waits and waits for what runs. what: of the watchdog's
    line, after ``quiet`` seconds without a result.
    """
    flow = _Flow(items, work, threads, room)
    with watchdog(what, quiet) as watch:
        try:
            yield from flow.results(watch)
        finally:
            flow.stop()


def in_processes(
    items: Iterable[Given],
    work: Callable[[Given], Made],
    workers: int,
    *,
    what: str = "working",
    quiet: float = QUIET_SECONDS,
) -> Generator[Made, None, None]:
    """``work(item)`` for every item, in order, in ``workers`` processes; one means this process.

    ``work``, items and results must be picklable. At most three items a worker are drawn ahead. An
    error of the items or of ``work`` is raised in its turn. Closing early ends the workers at once.

    Raises WorkerError where a worker dies.
    """
    if workers < 2:
        yield from watched(map(work, items), what=what, waiting=_ONE, quiet=quiet)
        return
    crew = Crew(work, workers)
    with watchdog(what, quiet) as watch:
        try:
            yield from crew.results(iter(items), watch)
        finally:
            crew.stop()


class _Flow(Generic[Given, Made]):
    """The items under way; what two threads share is guarded by ``_changed``."""

    def __init__(
        self,
        items: Iterable[Given],
        work: Callable[[Given], Made],
        threads: int,
        room: Room[Given],
    ) -> None:
        self._items, self._work, self._room = items, work, room
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="work")
        self._queue: SimpleQueue[tuple[Future[Made], int] | BaseException | None] = SimpleQueue()
        self._changed = threading.Condition()
        self._under_way = self._weight = 0
        self._stopped = False
        self._drawing = threading.Thread(target=self._draw, name="items", daemon=True)

    def results(self, watch: Watch) -> Generator[Made, None, None]:
        self._drawing.start()
        while True:
            watch.waits_for("the next input")
            entry = self._queue.get()
            if entry is None:
                return
            if isinstance(entry, BaseException):
                raise entry
            future, weight = entry
            watch.waits_for(_ONE)
            made = future.result()
            with self._changed:
                self._under_way -= 1
                self._weight -= weight
                self._changed.notify()
            with watch.paused():
                yield made

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify()
        if self._drawing.ident is not None:
            self._drawing.join(_GOING_SECONDS)
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _draw(self) -> None:
        end: BaseException | None = None
        items = iter(self._items)
        try:
            for item in items:
                if not self._submit(item):
                    break
            if isinstance(items, Generator):  # closed by the thread that runs it
                items.close()
        except BaseException as error:
            end = error
        self._queue.put(end)

    def _submit(self, item: Given) -> bool:
        """Start on one item when there is room for it; False where nothing is wanted any more."""
        weight = self._room.weigh(item)
        with self._changed:
            while not self._stopped and not self._fits(weight):
                self._changed.wait()
            if self._stopped:
                return False
            self._under_way += 1
            self._weight += weight
            self._queue.put((self._pool.submit(self._work, item), weight))
        return True

    def _fits(self, weight: int) -> bool:
        room = self._room
        light = self._under_way < room.items and self._weight + weight <= room.weight
        return light or not self._under_way
