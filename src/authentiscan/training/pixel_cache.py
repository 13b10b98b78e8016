"""Decoded pixels kept in memory that all loader processes share."""

from __future__ import annotations

import mmap
import multiprocessing

import numpy as np
from numpy.typing import NDArray

from authentiscan.core.types import JsonObject, RGBImage


class PixelCache:
    """Keeps decoded images up to a budget of bytes; what does not fit is decoded again each time.

    Memory is anonymous and shared, so worker processes that are forked fill one cache together.
    Pages are taken from the system only once written. Where workers are started afresh instead of
    forked, each has its own cache of ``budget`` bytes: give them a smaller one.
    """

    def __init__(self, images: int, budget: int) -> None:
        """Room for ``images`` rows, at most ``budget`` bytes of pixels."""
        self.images, self.budget = images, budget
        self._open()

    def _open(self) -> None:
        self._lock = multiprocessing.get_context().Lock()
        # per row: offset (-1 while absent), height, width, flag; the last row's offset is the end
        table = mmap.mmap(-1, (self.images + 1) * 4 * 8)
        self._rows: NDArray[np.int64] = np.frombuffer(table, dtype=np.int64).reshape(-1, 4)
        self._rows[: self.images, 0] = -1
        self._pixels: NDArray[np.uint8] = np.frombuffer(
            mmap.mmap(-1, max(1, self.budget)), dtype=np.uint8
        )

    def get(self, row: int) -> tuple[RGBImage, bool] | None:
        """Pixels (H, W, 3) uint8 and the flag stored with row ``row``; None where absent."""
        offset, height, width, flag = (int(v) for v in self._rows[row])
        if offset < 0:
            return None
        view = self._pixels[offset : offset + height * width * 3].reshape(height, width, 3)
        return view, bool(flag)

    def put(self, row: int, pixels: RGBImage, flag: bool) -> bool:
        """Keep an image; False where the budget is spent. The first to come takes the room."""
        with self._lock:
            offset = int(self._rows[self.images, 0])
            if offset + pixels.size > self.budget or self._rows[row, 0] >= 0:
                return False
            self._rows[self.images, 0] = offset + pixels.size
        self._pixels[offset : offset + pixels.size] = pixels.reshape(-1)
        self._rows[row, 1:] = (pixels.shape[0], pixels.shape[1], flag)
        self._rows[row, 0] = offset  # last: readers take the row as present from here on
        return True

    @property
    def used(self) -> int:
        """Bytes of pixels kept so far."""
        return int(self._rows[self.images, 0])

    def __len__(self) -> int:
        return int(np.count_nonzero(self._rows[: self.images, 0] >= 0))

    def __getstate__(self) -> JsonObject:
        return {"images": self.images, "budget": self.budget}

    def __setstate__(self, state: JsonObject) -> None:
        self.__init__(**state)  # type: ignore[misc]
