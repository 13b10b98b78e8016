"""Work on a stream of items: several at once, results in order, each as soon as it can be given.

The items are drawn by a thread of their own, so that a result never waits for an item that has not
come yet, as from a slow pipe.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Generic, TypeVar

Given = TypeVar("Given")
Made = TypeVar("Made")

_GOING_SECONDS = 1.0  # for the drawing thread to end; one that waits for a pipe is left behind


@dataclass(frozen=True, slots=True)
class Room(Generic[Given]):
    """How much may be under way: items, and their weight together; one alone may weigh more."""

    items: int
    weight: int
    weigh: Callable[[Given], int]


def in_order(
    items: Iterable[Given], work: Callable[[Given], Made], threads: int, room: Room[Given]
) -> Generator[Made, None, None]:
    """``work(item)`` for every item, in order, on ``threads`` threads, within ``room``.

    An error of the items themselves, or of ``work``, is raised in its turn. Closing early drops
    what waits and waits for what runs.
    """
    flow = _Flow(items, work, threads, room)
    try:
        yield from flow.results()
    finally:
        flow.stop()


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
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="scan")
        self._queue: SimpleQueue[tuple[Future[Made], int] | BaseException | None] = SimpleQueue()
        self._changed = threading.Condition()
        self._under_way = self._weight = 0
        self._stopped = False
        self._drawing = threading.Thread(target=self._draw, name="scan-items", daemon=True)

    def results(self) -> Generator[Made, None, None]:
        self._drawing.start()
        while (entry := self._queue.get()) is not None:
            if isinstance(entry, BaseException):
                raise entry
            future, weight = entry
            made = future.result()
            with self._changed:
                self._under_way -= 1
                self._weight -= weight
                self._changed.notify()
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
