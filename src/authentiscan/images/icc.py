"""The description inside an ICC colour profile, read without a colour engine."""

from __future__ import annotations

import struct

_LONGEST = 200


def description(profile: bytes) -> str | None:
    """Text of the ``desc`` tag (``sRGB IEC61966-2.1``, ``Display P3`` …).

    None without a profile, ``unnamed`` for one that holds no readable description.
    """
    if not profile:
        return None
    try:
        text = _text(_tag(profile, b"desc"))
    except (struct.error, IndexError, UnicodeDecodeError):
        text = ""
    clean = "".join(c for c in text if c.isprintable()).strip()[:_LONGEST]
    return clean or "unnamed"


def _tag(profile: bytes, wanted: bytes) -> bytes:
    count: int = struct.unpack(">I", profile[128:132])[0]
    for number in range(min(count, 200)):
        entry = profile[132 + 12 * number : 144 + 12 * number]
        name, offset, size = struct.unpack(">4sII", entry)
        if name == wanted:
            return profile[offset : offset + min(size, 4096)]
    return b""


def _text(tag: bytes) -> str:
    if tag[:4] == b"desc":
        length: int = struct.unpack(">I", tag[8:12])[0]
        return tag[12 : 12 + length].split(b"\0")[0].decode("ascii", "replace")
    if tag[:4] == b"mluc":
        length, offset = struct.unpack(">II", tag[20:28])
        return tag[offset : offset + length].decode("utf-16-be", "replace")
    return ""
