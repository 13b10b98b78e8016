"""Bounded walks over image containers that give their metadata as raw bytes; no pixel is decoded.

Each reader steps through a format's own structure (PNG chunks, JPEG segments, RIFF chunks, ISO
boxes,
TIFF directories ...) in pure Python, within the budgets of `record.Collector`, and never raises
on what the bytes hold: whatever is broken becomes a line of `Metadata.problems`.
"""

from __future__ import annotations

from collections.abc import Callable

from authentiscan.provenance.containers import bmff, gif, jpeg, png, riff, svg, tiff
from authentiscan.provenance.containers.record import Collector, Metadata, Text

__all__ = ["Metadata", "Text", "read"]

_READERS: tuple[tuple[Callable[[bytes], str | None], Callable[[bytes, Collector], None]], ...] = (
    (jpeg.sniff, jpeg.walk),
    (png.sniff, png.walk),
    (riff.sniff, riff.walk),
    (bmff.sniff, bmff.walk),
    (tiff.sniff, tiff.walk),
    (gif.sniff, gif.walk),
    (svg.sniff, svg.walk),
)


def read(data: bytes) -> Metadata:
    """The metadata in the encoded image ``data``; format ``unknown`` where no reader knows it."""
    for sniff, walk in _READERS:
        name = sniff(data)
        if name is None:
            continue
        into = Collector(name)
        try:
            walk(data, into)
        except (ValueError, IndexError, OverflowError) as error:
            # struct.error is a ValueError's cousin and is turned into one by `record.Cursor`.
            into.problem(f"{name} structure broken: {error}")
        return into.metadata()
    return Metadata(format="unknown")
