"""Videos: a file or bytes in, a clip out.

FFmpeg, by PyAV, runs in a process of its own: it is a million lines of C that a stranger's bytes
may crash, hang or flood.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Generator
from importlib.util import find_spec
from io import BufferedRandom, BufferedReader
from pathlib import Path
from typing import IO

from authentiscan.core.errors import (
    CorruptImageError,
    ImageLimitError,
    MissingExtraError,
    UnreadableFileError,
    UnsupportedFormatError,
)
from authentiscan.core.files import reason
from authentiscan.images.video.clip import (
    DEFAULT_VIDEO_LIMITS,
    Clip,
    ClipFacts,
    Frame,
    VideoLimits,
)
from authentiscan.images.video.containers import HEAD, Container, container_of
from authentiscan.images.video.decoder import Decoder, EndedError


def open_video(
    source: Path | bytes, count: int, *, limits: VideoLimits = DEFAULT_VIDEO_LIMITS
) -> Clip:
    """At most ``count`` frames of a video, spread over its length, decoded one at a time.

    source: a file or its bytes. Raises UnreadableFileError, UnsupportedFormatError,
    CorruptImageError or ImageLimitError, all DecodeError; MissingExtraError without the ``video``
    extra. What breaks after the first frame ends the frames and is a note of the clip.
    """
    if find_spec("av") is None:
        raise MissingExtraError("judging a video", "video")
    with _opened(source) as file:
        size = os.fstat(file.fileno()).st_size
        container = _container(file, size, limits)
        checksum = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        decoder = Decoder(file, container, count, limits)
    try:
        found = decoder.facts()
    except BaseException:
        decoder.stop()
        raise
    facts = ClipFacts(container.name, bytes=size, sha256=checksum, **found.model_dump())
    notes: list[str] = []
    return Clip(facts, _frames(decoder, notes), notes)


def _opened(source: Path | bytes) -> BufferedReader | BufferedRandom:
    """An open file; bytes are put into a temporary one that has no name."""
    if isinstance(source, bytes):
        file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by the caller
        file.write(source)
        file.seek(0)
        return file
    try:
        return source.open("rb")
    except OSError as error:
        raise UnreadableFileError(f"{source} cannot be read: {reason(error)}") from error


def _container(file: IO[bytes], size: int, limits: VideoLimits) -> Container:
    found = container_of(file.read(HEAD))
    if found is None:
        raise UnsupportedFormatError("no kind of video that is read")
    if size > limits.bytes:
        raise ImageLimitError(f"{size:,} bytes; at most {limits.bytes:,} bytes are allowed")
    file.seek(0)
    return found


def _frames(decoder: Decoder, notes: list[str]) -> Generator[Frame, None, None]:
    """The frames; raises a DecodeError where there is none."""
    number = 0
    try:
        while True:
            message = decoder.message()
            if "frame" not in message:
                break
            yield decoder.frame(message["frame"])
            number += 1
        notes += _closing(message)
        if not number:
            raise CorruptImageError(f"a video without a picture that can be read{_why(notes)}")
    except EndedError:
        failure = decoder.failure()
        if not number:
            raise failure from None
        notes.append(f"reading ended after {number} frames: {failure}")
    finally:
        decoder.stop()


def _closing(message: dict[str, object]) -> list[str]:
    """What the last message tells of parts that were passed over."""
    damaged, error = message.get("damaged"), message.get("error")
    found = [f"{damaged} damaged parts were passed over"] if damaged else []
    return [*found, *([f"reading ended early: {str(error)[:200]}"] if error else [])]


def _why(notes: list[str]) -> str:
    return f" ({'; '.join(notes)})" if notes else ""
