"""The decoder's process: a video on standard input, frames on standard output.

Started by `authentiscan.images.video.reader`, which trusts nothing of what comes out. It holds one
file and no path, may open no further one, and ends at its limits of memory and processor time.
Each message is a line of JSON; after a frame's line come its RGB bytes.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

    from authentiscan.core.types import JsonObject

CODECS = (
    "h264,hevc,vp8,vp9,av1,libdav1d,libaom-av1,mpeg4,mpeg2video,mpeg1video,mjpeg,prores,theora,"
    "h263,flv,msmpeg4v2,msmpeg4v3,wmv1,wmv2,wmv3,vc1,dnxhd,ffv1,huffyuv,ffvhuff,utvideo,dvvideo,"
    "rawvideo,png,v210,cinepak,svq3,vp6,vp6f"
)
"""Decoders that may see a stream; FFmpeg has hundreds, most of them for formats of old games."""

_SPARE_SECONDS = 5  # of processor time, for starting
_WIDE = 720  # lines from which unnamed colours are those of HD television


def main(arguments: JsonObject, source: BinaryIO, target: BinaryIO) -> None:
    """Read ``source`` and write messages to ``target``, the last one an end or an error."""
    _confine(arguments)
    import av
    import av.error

    av.logging.set_level(None)
    try:
        _read(arguments, source, target)
    except (av.error.FFmpegError, ValueError) as error:
        _write(target, error=str(error.strerror if isinstance(error, OSError) else error))
    except MemoryError:
        _write(target, error="it needs more memory than a video may")


def _read(arguments: JsonObject, source: BinaryIO, target: BinaryIO) -> None:
    import av
    from av.container import InputContainer

    from authentiscan.images.video.picking import Picking

    options = {"codec_whitelist": CODECS, "protocol_whitelist": "", "enable_drefs": "0"}
    with av.open(
        source, format=arguments["demuxer"], container_options=options, metadata_errors="replace"
    ) as container:
        assert isinstance(container, InputContainer)
        stream = _picture(container)
        if stream is None:
            _write(target, error="it has no picture track that can be read")
            return
        _check_size(stream.width, stream.height, arguments["pixels"])
        context = stream.codec_context
        if context.name not in CODECS.split(","):
            raise ValueError(f"its pictures are coded as {context.name}, which is not read")
        context.options = {"max_pixels": str(arguments["pixels"])}
        context.thread_count = 1
        picking = Picking(container, stream, arguments["count"])
        _write(target, facts=_facts(container, stream, picking.seconds))
        for seconds, frame in picking.frames():
            _check_size(frame.width, frame.height, arguments["pixels"])
            _send(target, seconds, frame)
        _write(target, damaged=picking.damaged)


def _picture(container: InputContainer) -> VideoStream | None:
    """The main picture track; a sound file's cover is none."""
    from av.stream import Disposition
    from av.video.stream import VideoStream

    found = container.streams.best("video")
    if not isinstance(found, VideoStream) or found.codec_context is None:
        return None
    return None if found.disposition & Disposition.attached_pic else found


def _facts(container: InputContainer, stream: VideoStream, seconds: float) -> JsonObject:
    rate = stream.average_rate or stream.guessed_rate
    return {
        "codec": stream.codec_context.name,
        "width": stream.width,
        "height": stream.height,
        "seconds": seconds or None,
        "frame_rate": float(rate) if rate else None,
        "bit_rate": stream.bit_rate or container.bit_rate or None,
        "frames": stream.frames or None,
    }


def _send(target: BinaryIO, seconds: float, frame: VideoFrame) -> None:
    """The frame's pixels as they are to be seen, upright and in the colours that the file names."""
    import numpy as np

    unnamed = "ITU709" if frame.height >= _WIDE else "ITU601"
    source = frame.colorspace if int(frame.colorspace) not in (0, 2) else unnamed
    shown = frame.reformat(format="rgb24", src_colorspace=source)
    pixels = np.rot90(shown.to_ndarray(), frame.rotation // 90)
    height, width = pixels.shape[:2]
    _write(target, frame={"seconds": seconds, "key": frame.key_frame, "size": [width, height]})
    target.write(np.ascontiguousarray(pixels).data)
    target.flush()


def _check_size(width: int, height: int, allowed: int) -> None:
    if width * height > allowed:
        raise ValueError(f"{width}x{height} frames; at most {allowed:,} pixels are allowed")


def _write(target: BinaryIO, **message: object) -> None:
    target.write(json.dumps(message).encode() + b"\n")
    target.flush()


def _confine(arguments: JsonObject) -> None:
    """Limits of this process, where the system has them; what a file asks beyond fails."""
    try:
        import resource
    except ImportError:  # Windows: the parent's clock remains
        return
    seconds = int(arguments["seconds"]) + _SPARE_SECONDS
    for kind, most in (
        (resource.RLIMIT_AS, int(arguments["memory"])),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        with suppress(ValueError, OSError):
            resource.setrlimit(kind, (most, most))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), sys.stdin.buffer, sys.stdout.buffer)
