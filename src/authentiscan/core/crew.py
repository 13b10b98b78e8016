"""Worker processes that share nothing: each has a pipe of its own, see `core.parallel`."""

from __future__ import annotations

import pickle
import signal
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Generic, TypeVar

from authentiscan.core.errors import AuthentiscanError, WorkerError
from authentiscan.core.watchdog import Watch

Given = TypeVar("Given")
Made = TypeVar("Made")

_ENDING_SECONDS = 5.0  # for a worker to end before it is killed


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


class Crew(Generic[Given, Made]):
    """Workers, items drawn for them, and results that wait for their turn."""

    def __init__(self, work: Callable[[Given], Made], size: int) -> None:
        self._work, self._size = work, size
        self._workers: list[_Worker[Given, Made]] = []
        self._drawn: deque[Given] = deque()
        self._made: dict[int, Made | BaseException] = {}
        self._begun = 0  # items given to workers

    def results(self, items: Iterator[Given], watch: Watch) -> Generator[Made, None, None]:
        """What the work makes of the items, in their order; an error is raised in its turn."""
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
        """End all workers, at once where they work."""
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

    def _hand_out(self, watch: Watch) -> None:
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
