"""The decoder's process from outside, bounded in time and trusted in nothing.

What comes back is checked as if the process had been taken over: lines are short, sizes bounded.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Annotated, TypeVar

import numpy as np
from pydantic import Field, ValidationError

from authentiscan.core.errors import CorruptImageError, DecodeError, ImageLimitError
from authentiscan.core.records import Record
from authentiscan.core.text import printable
from authentiscan.core.types import JsonObject
from authentiscan.images.video.clip import Frame, VideoLimits, frame_image
from authentiscan.images.video.containers import Container

_LINE = 4096
_MODULE = "authentiscan.images.video.child"
_GOING_SECONDS = 2.0
_Side = Annotated[int, Field(ge=1, le=65536)]
_Number = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class StreamFacts(Record):
    """The facts of a video as the decoder tells them."""

    codec: str = Field(max_length=40)
    width: _Side
    height: _Side
    seconds: _Number | None = None
    frame_rate: _Number | None = None
    bit_rate: int | None = None
    frames: int | None = None


class _FrameLine(Record):
    """What precedes the pixels of a frame. size: width and height."""

    seconds: float = Field(allow_inf_nan=False)
    key: bool
    size: tuple[_Side, _Side]


_Line = TypeVar("_Line", bound=Record)


class EndedError(Exception):
    """The process says no more: it crashed, or was ended at a limit."""


class Decoder:
    """The process, its one pipe, and the time that may still be spent on waiting for it."""

    def __init__(
        self, file: IO[bytes], container: Container, count: int, limits: VideoLimits
    ) -> None:
        self._limits, self._container = limits, container.name
        self._left, self._late = limits.seconds, False
        arguments = {**limits.model_dump(), "demuxer": container.demuxer, "count": count}
        self._process = subprocess.Popen(  # noqa: S603 - our own module, no shell
            # -P: a module that lies in the working folder must not be taken for Python's own.
            [sys.executable, "-P", "-m", _MODULE, json.dumps(arguments)],
            stdin=file,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(),
        )
        assert self._process.stdout is not None
        self._pipe = self._process.stdout

    def message(self) -> JsonObject:
        """The next line. Raises EndedError where none comes."""
        line = self._take(lambda: self._pipe.readline(_LINE))
        try:
            found = json.loads(line)
        except ValueError:
            raise EndedError from None
        if not isinstance(found, dict):
            raise EndedError
        return found

    def facts(self) -> StreamFacts:
        """The first message. Raises a DecodeError where it tells why there are no facts."""
        try:
            message = self.message()
        except EndedError:
            raise self.failure() from None
        if "facts" in message:
            return _checked(StreamFacts, message["facts"])
        text = printable(str(message.get("error", "")))[:200]
        if "pixels are allowed" in text or "memory" in text:
            raise ImageLimitError(f"a {self._container} video: {text}")
        raise CorruptImageError(f"a {self._container} video that cannot be read: {text}")

    def frame(self, header: object) -> Frame:
        """The frame that a message announces. Raises EndedError where it does not come whole."""
        line = _checked(_FrameLine, header)
        width, height = line.size
        size = width * height * 3
        if width * height > self._limits.pixels:
            raise EndedError
        content = self._take(lambda: self._pipe.read(size))
        if len(content) != size:
            raise EndedError
        pixels = np.frombuffer(content, np.uint8).reshape(height, width, 3)
        return Frame(frame_image(pixels, self._container), max(0.0, line.seconds), line.key)

    def failure(self) -> DecodeError:
        """Why no message came."""
        if self._late:
            return ImageLimitError(
                f"no answer of the decoder within {self._limits.seconds:g} s, which is all that a "
                "video may take"
            )
        try:
            crashed = self._process.wait(_GOING_SECONDS) < 0
        except subprocess.TimeoutExpired:
            crashed = False
        how = "crashed or met a limit" if crashed else "ended early"
        return CorruptImageError(f"damaged or hostile: the decoder {how}")

    def stop(self) -> None:
        """End the process, if it has not ended."""
        if self._process.poll() is None:
            self._process.kill()
        self._pipe.close()
        self._process.wait()

    def _take(self, read: Callable[[], bytes]) -> bytes:
        """Read from the pipe; the process is ended when the time for waiting is used up."""
        timer = threading.Timer(max(0.0, self._left), self._end_late)
        timer.daemon = True
        started = time.monotonic()
        timer.start()
        try:
            return read()
        finally:
            timer.cancel()
            self._left -= time.monotonic() - started

    def _end_late(self) -> None:
        self._late = True
        self._process.kill()


def _checked(kind: type[_Line], content: object) -> _Line:
    try:
        return kind.model_validate(content)
    except ValidationError:
        raise CorruptImageError("damaged or hostile: the decoder tells what cannot be") from None


def _environment() -> dict[str, str]:
    """That of this process, with the place of this package; one thread for NumPy's libraries."""
    places = [str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")]
    path = os.pathsep.join(filter(None, places))
    return os.environ | {"PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"}
