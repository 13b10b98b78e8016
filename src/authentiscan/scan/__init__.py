"""Many images: where they come from, how they are judged in parallel, where the results go."""

from authentiscan.scan.engine import Options, Scanned, default_workers, scan
from authentiscan.scan.items import Item, LeftOut
from authentiscan.scan.sinks import Sink, Sinks, open_sink
from authentiscan.scan.sources import count, find

__all__ = [
    "Item",
    "LeftOut",
    "Options",
    "Scanned",
    "Sink",
    "Sinks",
    "count",
    "default_workers",
    "find",
    "open_sink",
    "scan",
]
