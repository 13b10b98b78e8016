"""Crops of concurrent requests share calls of the network.

Whoever wants logits lays its crops into one line and waits. Runners, one a core, take from its
front: each its even share of what waits, so that one image alone is spread over all cores and many
images fill large calls. Nothing ever waits for a batch to fill up.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from authentiscan.core.errors import ServiceError
from authentiscan.images.preprocess import Tensor
from authentiscan.inference.detector import Backend, Detector, Network, Target


@dataclass(eq=False)
class _Asked:
    """Crops of one caller: how many are taken and how many are answered."""

    tensor: Tensor
    logits: NDArray[np.float32]
    taken: int = 0
    answered: int = 0
    error: Exception | None = None
    done: threading.Event = field(default_factory=threading.Event)


_Piece = tuple[_Asked, int, int]


class BatchingBackend:
    """A `Backend` that runs the crops of concurrent callers together on ``backend``.

    most: crops in one call. runners: threads that call; ``backend`` best has one thread a call.
    seen: told the number of crops and of callers of every call. Close it, so that its threads end.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        most: int = 32,
        runners: int = 1,
        seen: Callable[[int, int], None] = lambda _crops, _callers: None,
    ) -> None:
        self._backend, self._most, self._seen = backend, most, seen
        self._line: deque[_Asked] = deque()
        self._waiting = 0  # crops in the line
        self._idle = 0
        self._changed = threading.Condition()
        self._closed = False
        self._threads = [
            threading.Thread(target=self._run, name=f"network-{i}", daemon=True)
            for i in range(runners)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def explains(self) -> bool:
        """Whether `explain` has maps to give."""
        return self._backend.explains

    def logits(self, tensor: Tensor) -> NDArray[np.float32]:
        """Logits (N,) of crops (N, 3, S, S); waits its turn. Raises what the backend raises."""
        asked = _Asked(tensor, np.empty(len(tensor), np.float32))
        with self._changed:
            if self._closed:
                raise ServiceError("the server is stopping; send the image again")
            self._line.append(asked)
            self._waiting += len(tensor)
            self._changed.notify_all()
        asked.done.wait()
        if asked.error is not None:
            raise asked.error
        return asked.logits

    def explain(self, tensor: Tensor, target: Target) -> tuple[NDArray[np.float32], Tensor]:
        """Logits (N,) and maps (N, h, w), by a call of its own: maps are rarely asked for."""
        return self._backend.explain(tensor, target)

    def close(self) -> None:
        """Answer what is in the line, then end."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while pieces := self._take():
            self._answer(pieces)

    def _take(self) -> list[_Piece]:
        """An even share of the line; empty where it is closed and nothing waits."""
        with self._changed:
            self._idle += 1
            self._changed.wait_for(lambda: self._waiting or self._closed)
            room = min(self._most, -(-self._waiting // self._idle))
            self._idle -= 1
            pieces: list[_Piece] = []
            while room and self._line:
                asked = self._line[0]
                stop = min(len(asked.tensor), asked.taken + room)
                pieces.append((asked, asked.taken, stop))
                room -= stop - asked.taken
                self._waiting -= stop - asked.taken
                asked.taken = stop
                if stop == len(asked.tensor):
                    self._line.popleft()
            return pieces

    def _answer(self, pieces: list[_Piece]) -> None:
        parts = [asked.tensor[start:stop] for asked, start, stop in pieces]
        error: Exception | None = None
        try:
            logits = self._backend.logits(parts[0] if len(parts) == 1 else np.concatenate(parts))
            self._seen(len(logits), len(pieces))
        except Exception as failure:  # told to those who asked; the runner goes on
            error, logits = failure, np.empty(0, np.float32)
        with self._changed:
            at = 0
            for asked, start, stop in pieces:
                if error is None:
                    asked.logits[start:stop] = logits[at : at + stop - start]
                else:
                    asked.error = error
                at += stop - start
                asked.answered += stop - start
                if asked.answered == len(asked.tensor):
                    asked.done.set()


def batched(detector: Detector, make: Callable[[Backend, int], BatchingBackend]) -> Detector:
    """The same detector, every network behind ``make(backend, most crops it takes at once)``."""
    return Detector(
        detector.spec,
        [
            replace(weighted, network=_behind(weighted.network, make))
            for weighted in detector.networks
        ],
    )


def _behind(network: Network, make: Callable[[Backend, int], BatchingBackend]) -> Network:
    backend = make(network.backend, network.batch)
    return Network(network.spec, backend, batch=network.batch)
