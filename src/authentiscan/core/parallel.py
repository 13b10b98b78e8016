"""Work on many items at once: results in order, a bounded number under way, a clean end.

`in_threads` is for work that releases the interpreter, `in_processes` for the rest. Processes are
spawned, never forked (a forked child may wait for ever for a lock that a thread of its parent held)
and each has a pipe of its own: no queue and no lock is shared, so that a worker which dies, is
killed or hangs can hold up nothing but its own item. One that dies is an error at once; workers end
with their parent. Where nothing happens for a minute, a line on standard error says what is waited
for.
"""

from __future__ import annotations

import logging
import pickle
import signal
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from queue import SimpleQueue
from typing import Generic, TypeVar

from authentiscan.core.errors import AuthentiscanError, WorkerError

Given = TypeVar("Given")
Made = TypeVar("Made")

QUIET_SECONDS = 60.0
_GOING_SECONDS = 1.0  # for the drawing thread to end; one that waits for a pipe is left behind
_ENDING_SECONDS = 5.0  # for a worker to end before it is killed
_ONE = "the work on one of them"
_LOG = logging.getLogger("authentiscan")


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
    with _watched(what, quiet) as watch:
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
    crew = _Crew(work, workers)
    with _watched(what, quiet) as watch:
        try:
            yield from crew.results(iter(items), watch)
        finally:
            crew.stop()


def watched(
    items: Iterable[Made], *, what: str, waiting: str, quiet: float = QUIET_SECONDS
) -> Generator[Made, None, None]:
    """The items, with the watchdog's line where none comes: for pools that are not ours.

    what, quiet: as `in_threads`. waiting: what is waited for then, in words.
    """
    with _watched(what, quiet) as watch:
        watch.waits_for(waiting)
        for item in items:
            with watch.paused():
                yield item
            watch.waits_for(waiting)


@contextmanager
def watching(what: str, waiting: str, quiet: float = QUIET_SECONDS) -> Iterator[None]:
    """As `watched`, for a piece of work that a thread of a server does."""
    with _watched(what, quiet) as watch:
        watch.waits_for(waiting)
        yield


# Threads


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

    def results(self, watch: _Watch) -> Generator[Made, None, None]:
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


# Processes


class _Worker(Generic[Given, Made]):
    """A process and the only two ends of its pipe."""

    def __init__(self, work: Callable[[Given], Made]) -> None:
        context = get_context("spawn")
        self.pipe, other = context.Pipe()
        self.process: SpawnProcess = context.Process(
            target=_serve, args=(other, work), name="worker", daemon=True
        )
        self.process.start()
        other.close()  # so that the worker's end closes with the worker
        self.at: int | None = None

    def give(self, number: int, item: Given) -> None:
        try:
            self.pipe.send(item)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise self._died() from error
        self.at = number

    def take(self) -> Made:
        try:
            good, answer = self.pipe.recv()
        except (EOFError, ConnectionResetError) as error:
            raise self._died() from error
        if not good:
            raise answer
        made: Made = answer
        return made

    def stop(self) -> None:
        self.pipe.close()
        if self.at is not None:
            self.process.terminate()
        self.process.join(_ENDING_SECONDS)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()

    def _died(self) -> WorkerError:
        self.process.join(_ENDING_SECONDS)
        code = self.process.exitcode
        how = f"was ended by {_signal_name(-code)}" if code and code < 0 else f"ended with {code}"
        return WorkerError(
            f"worker process {self.process.pid} {how}; memory may have run out: run it again with "
            "fewer --workers (a script needs the usual `if __name__ == '__main__':`)"
        )


class _Crew(Generic[Given, Made]):
    """Workers, items drawn for them, and results that wait for their turn."""

    def __init__(self, work: Callable[[Given], Made], size: int) -> None:
        self._work, self._size = work, size
        self._workers: list[_Worker[Given, Made]] = []
        self._drawn: deque[Given] = deque()
        self._made: dict[int, Made | BaseException] = {}
        self._begun = 0  # items given to workers

    def results(self, items: Iterator[Given], watch: _Watch) -> Generator[Made, None, None]:
        wanted, more = 0, True
        while True:
            if more and self._has_room(wanted):
                watch.waits_for("the next input")
                more = self._draw(items)
            self._hand_out(watch)
            busy = [worker for worker in self._workers if worker.at is not None]
            if not (more or busy or self._drawn or self._made):
                return
            if busy:
                watch.waits_for(_processes(busy))
                self._take_in(busy, 0 if more and self._has_room(wanted) else None)
            while wanted in self._made:
                made = self._made.pop(wanted)
                wanted += 1
                if isinstance(made, BaseException):
                    raise made
                with watch.paused():
                    yield made

    def stop(self) -> None:
        for worker in self._workers:
            worker.stop()

    def _has_room(self, wanted: int) -> bool:
        ahead = self._begun + len(self._drawn) - wanted
        return len(self._drawn) < self._size and ahead < 3 * self._size

    def _draw(self, items: Iterator[Given]) -> bool:
        for item in items:
            self._drawn.append(item)
            return True
        return False

    def _hand_out(self, watch: _Watch) -> None:
        """Give drawn items to idle workers; a worker is started when there is work for it."""
        idle = [worker for worker in self._workers if worker.at is None]
        while self._drawn:
            if not idle:
                if len(self._workers) >= self._size:
                    return
                idle.append(_Worker(self._work))
                self._workers.append(idle[0])
            worker = idle.pop()
            watch.waits_for(f"worker process {worker.process.pid} to take an item")
            worker.give(self._begun, self._drawn.popleft())
            self._begun += 1

    def _take_in(self, busy: list[_Worker[Given, Made]], seconds: float | None) -> None:
        ready = set(wait([worker.pipe for worker in busy], seconds))
        for worker in busy:
            if worker.pipe in ready and worker.at is not None:
                try:
                    self._made[worker.at] = worker.take()
                except WorkerError:
                    raise
                except Exception as error:
                    self._made[worker.at] = error
                worker.at = None


def _serve(pipe: Connection, work: Callable[[Given], Made]) -> None:
    """What a worker does until its parent closes the pipe or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the parent decides
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            item = pipe.recv()
            try:
                answer: tuple[bool, object] = True, work(item)
            except Exception as error:
                answer = False, _sendable(error)
            pipe.send(answer)


def _sendable(error: Exception) -> Exception:
    """``error`` with its traceback as a note; errors that cannot be sent by their message."""
    error.add_note("In a worker process:\n" + traceback.format_exc())
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - our own error, just made
    except Exception:
        return AuthentiscanError(str(error) or type(error).__name__)
    return error


def _processes(workers: list[_Worker[Given, Made]]) -> str:
    ids = ", ".join(str(worker.process.pid) for worker in workers)
    return f"the work of {len(workers)} processes ({ids})"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


# The watchdog


class _Watch:
    """What is waited for, and since when."""

    def __init__(self) -> None:
        self.waiting: str | None = None
        self.since = time.monotonic()

    def waits_for(self, text: str) -> None:
        self.waiting, self.since = text, time.monotonic()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """The caller has a result and works on it: nothing is waited for."""
        self.waiting = None
        yield


@contextmanager
def _watched(what: str, quiet: float) -> Iterator[_Watch]:
    """Say so where nothing happens for ``quiet`` seconds, then after twice the time, and so on."""
    watch, ended = _Watch(), threading.Event()

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
