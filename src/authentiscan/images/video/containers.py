"""Which video container the first bytes announce, and what a decoder is told of it."""

from __future__ import annotations

from typing import NamedTuple

from authentiscan.images.walk import signatures


class Container(NamedTuple):
    """name: for people. demuxer: FFmpeg's name of the one reader that may try the file."""

    name: str
    demuxer: str


HEAD = 512
"""Bytes from the beginning that are looked at."""

_STARTS = (
    (b"\x1aE\xdf\xa3", Container("Matroska", "matroska")),
    (b"FLV\x01", Container("FLV", "flv")),
    (b"\0\0\x01\xba", Container("MPEG", "mpeg")),
    (b"OggS", Container("Ogg", "ogg")),
    (b"0&\xb2u\x8ef\xcf\x11", Container("WMV", "asf")),
)
_QUICKTIME = (b"moov", b"mdat", b"wide")
_SOUND = frozenset({b"M4A ", b"M4B ", b"M4P "})
_TRANSPORT = ((188, 0), (192, 4))  # bytes of a packet, and where in it the mark stands


def container_of(head: bytes) -> Container | None:
    """The container of a video by its first `HEAD` bytes; None where it is none that is read."""
    if head[4:8] == b"ftyp":
        pictures = signatures.container(head) == "MP4" and head[8:12] not in _SOUND
        return Container(_family(head[8:12]), "mov") if pictures else None
    if head[4:8] in _QUICKTIME:
        return Container("QuickTime", "mov")
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return Container("AVI", "avi")
    for size, at in _TRANSPORT:
        marks = head[at::size]
        if len(marks) > 1 and set(marks) == {0x47}:
            return Container("MPEG-TS", "mpegts")
    return next((found for start, found in _STARTS if head.startswith(start)), None)


def _family(brand: bytes) -> str:
    if brand == b"qt  ":
        return "QuickTime"
    return "3GP" if brand[:2] == b"3g" else "MP4"
