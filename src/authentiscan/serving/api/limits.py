"""How much the server takes: images a key and minute, requests at once, pixels at once."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TypeVar

from authentiscan.core.errors import BusyError
from authentiscan.images.walk import walk

T = TypeVar("T")


class Rates:
    """A bucket of images for every key: full at first, refilled evenly, never above a minute's."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, name: str, per_minute: int, images: int = 1) -> None:
        """Count ``images`` of the key called ``name``. Raises BusyError where it has had its share.

        A request of more images than a minute has is let through by a full bucket, which it
        empties for as long as it takes.
        """
        with self._lock:
            now = self._clock()
            left, since = self._buckets.get(name, (float(per_minute), now))
            left = min(per_minute, left + (now - since) * per_minute / 60)
            wanted = min(images, per_minute)
            self._buckets[name] = (left, now)
            if left < wanted:
                seconds = math.ceil((wanted - left) * 60 / per_minute)
                raise BusyError(
                    f"this key may send {per_minute} images a minute; come again in {seconds} s",
                    seconds,
                )
            self._buckets[name] = (left - images, now)


class Admission:
    """Requests that are in the house at once, from their head to the end of their work.

    bytes: of bodies that may be held in memory together.
    """

    def __init__(self, most: int, most_bytes: int) -> None:
        self.most, self.most_bytes = most, most_bytes
        self.inside = 0
        self.bytes = 0
        self._lock = threading.Lock()
        self._mean = 0.1  # seconds that a request stays, by a moving mean

    def enter(self) -> Slot:
        """A place for a request. Raises BusyError where all are taken."""
        with self._lock:
            if self.inside >= self.most:
                raise self._busy(f"{self.inside} requests wait already")
            self.inside += 1
            return Slot(self)

    def hold(self, count: int) -> None:
        """Count ``count`` more bytes in memory. Raises BusyError where there would be too many."""
        with self._lock:
            if self.bytes + count > self.most_bytes:
                raise self._busy(f"{self.bytes:,} bytes of requests are held already")
            self.bytes += count

    def leave(self, count: int, seconds: float) -> None:
        """A request has gone after ``seconds``, with its ``count`` bytes."""
        with self._lock:
            self.inside -= 1
            self.bytes -= count
            self._mean += 0.1 * (seconds - self._mean)

    def _busy(self, why: str) -> BusyError:
        seconds = min(60, max(1, math.ceil(self._mean)))
        return BusyError(f"{why}, which is all that this server takes; try again", seconds)


class Slot:
    """The place of one request, left when it is closed and the work it began has ended."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._started = time.monotonic()
        self._bytes = 0
        self._holders = 1  # the request itself
        self._lock = threading.Lock()

    def hold(self, count: int) -> None:
        """Count bytes of the request's body; see `Admission.hold`."""
        self._admission.hold(count)
        self._bytes += count

    def until(self, future: Future[T]) -> Future[T]:
        """Keep the place until ``future`` has ended too, also where nobody waits for it."""
        with self._lock:
            self._holders += 1
        future.add_done_callback(lambda _: self.close())
        return future

    def close(self) -> None:
        """One of those that held the place is done; the last one leaves it. Once for each."""
        with self._lock:
            self._holders -= 1
            last = self._holders == 0
        if last:
            self._admission.leave(self._bytes, time.monotonic() - self._started)


class PixelRoom:
    """Pixels that may be decoded at once, so that many large images cannot fill the memory.

    Images wait in a line, so that a large one gets its turn too. One that needs more than all of it
    is left to the decoder, which refuses it before pixels are allocated.
    """

    def __init__(self, pixels: int) -> None:
        self._free = self.pixels = pixels
        self._line: deque[object] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def of(self, content: bytes) -> Iterator[None]:
        """Room for the image in ``content`` while the block runs."""
        found = walk(content)
        # AVIF and HEIC do not say before they are decoded: such an image has the room for itself.
        needed = min(self.pixels, found.width * found.height or self.pixels)
        if found.format == "unknown" or found.refusal is not None:
            needed = 0
        turn = object()
        with self._changed:
            self._line.append(turn)
            self._changed.wait_for(lambda: self._line[0] is turn and self._free >= needed)
            self._line.popleft()
            self._free -= needed
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._free += needed
                self._changed.notify_all()
