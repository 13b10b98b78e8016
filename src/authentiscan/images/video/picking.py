"""Which frames of a video are taken; runs in the decoder's process alone.

Frames are spread evenly: one in the middle of each of ``count`` equal stretches. Where a stretch is
long, the key frame before its middle is taken: it is the best preserved picture there, and costs
one frame to decode. What a header says of the length is checked against the packets at the end,
since it decides which part of the clip is looked at.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

import av
import av.error

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

NEAR_SECONDS = 2.0
"""Stretches shorter than this are decoded through; longer ones are jumped over."""

MAX_PACKETS = 5_000_000
MAX_DAMAGED = 200
_END = 2**60


class Picking:
    """Takes ``count`` frames of ``stream``. damaged: packets and frames that were passed over."""

    def __init__(self, container: InputContainer, stream: VideoStream, count: int) -> None:
        self._container, self._stream, self._count = container, stream, count
        self._unit = float(stream.time_base or 0) or 1e-3
        self._start = (stream.start_time or 0) * self._unit
        self._half = 0.5 / float(stream.average_rate or 25)  # of the time a frame is shown
        self.damaged = 0
        self.seconds = self._length()

    def frames(self) -> Iterator[tuple[float, VideoFrame]]:
        """Each frame with its time in seconds from the beginning, at most ``count``, in order."""
        targets = [(i + 0.5) * self.seconds / self._count for i in range(self._count)]
        through = self.seconds / self._count < NEAR_SECONDS
        return self._through(targets) if through else self._jumping(targets)

    def _through(self, targets: list[float]) -> Iterator[tuple[float, VideoFrame]]:
        """By decoding all from the beginning."""
        if not self._seek(-_END):
            self._seek(0)
        wanted, last = 0, None
        for at, frame in self._decoded():
            last = (at, frame)
            if at + self._half >= targets[wanted]:
                yield at, frame
                wanted, last = bisect_right(targets, at + self._half), None
                if wanted == len(targets):
                    return
        if not wanted and last is not None:  # a length of nothing, or times that do not go up
            yield last

    def _jumping(self, targets: list[float]) -> Iterator[tuple[float, VideoFrame]]:
        """By key frames; from where two targets have one in common, by decoding what follows."""
        wanted, last = 0, -1.0
        while wanted < len(targets):
            frames = self._decoded() if self._go(targets[wanted]) else iter(())
            at, frame = next(frames, (0.0, None))
            if frame is not None and at <= last:
                break
            if frame is not None:
                yield at, frame
                last = at
            wanted += 1
        else:
            return
        for at, frame in frames:
            if at >= targets[wanted]:
                yield at, frame
                wanted = bisect_right(targets, at)
                if wanted == len(targets):
                    return

    def _decoded(self) -> Iterator[tuple[float, VideoFrame]]:
        """Sound frames from where the container stands, in order of time."""
        number = 0
        for packet in self._container.demux(self._stream):
            number += 1
            if number > MAX_PACKETS or self.damaged > MAX_DAMAGED:
                return
            try:
                frames = packet.decode()
            except av.error.FFmpegError:
                self.damaged += 1
                continue
            for frame in frames:
                if frame.is_corrupt:
                    self.damaged += 1
                elif frame.time is not None:
                    yield frame.time - self._start, frame
                else:
                    yield 0.0, frame

    def _length(self) -> float:
        """Seconds to the last picture as packets tell it: those after the last key frame, or all.

        What the header claims counts only where no packet has a time.
        """
        end = self._last_time() if self._seek(_END) else 0.0
        if end <= 0 and self._seek(0):
            end = self._last_time()
        return end or self._claimed()

    def _claimed(self) -> float:
        stream = self._stream
        if stream.duration is not None:
            return max(0.0, float(stream.duration * self._unit))
        return max(0.0, (self._container.duration or 0) / av.time_base)

    def _last_time(self) -> float:
        end = 0.0
        with suppress(av.error.FFmpegError):
            for number, packet in enumerate(self._container.demux(self._stream)):
                if packet.pts is not None:
                    end = max(end, (packet.pts + (packet.duration or 0)) * self._unit - self._start)
                if number > MAX_PACKETS:
                    break
        return end

    def _go(self, seconds: float) -> bool:
        """To the key frame at or before ``seconds``."""
        return self._seek(int((seconds + self._start) / self._unit))

    def _seek(self, place: int) -> bool:
        try:
            self._container.seek(place, stream=self._stream, backward=True)
        except (av.error.FFmpegError, OverflowError):
            return False
        return True
