"""Many images through one detector: threads, results in input order, bounded memory.

Decoding and ONNX Runtime both release the interpreter lock, so threads use all cores. The detector
runs each image on the thread that decoded it, with one thread of its own (``threads=1``), so that
no core is idle between images.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from authentiscan.analysis import Report, analyze, open_image
from authentiscan.core.errors import AuthentiscanError, UsageError
from authentiscan.core.parallel import Room, in_threads
from authentiscan.core.text import printable
from authentiscan.core.types import RGBImage
from authentiscan.images.decode import DEFAULT_LIMITS, Limits, encode
from authentiscan.report.thumbnails import shrunk
from authentiscan.scan.items import Item

if TYPE_CHECKING:
    from authentiscan.inference import Detector
    from authentiscan.provenance import TrustList

_AHEAD = 6  # images a worker may be ahead of the slowest one before it
_HELD_BYTES = 256 * 2**20  # of archive members waiting in memory
THUMBNAIL_SIDE = 160


@dataclass(frozen=True, slots=True)
class Scanned:
    """The report of one item; small JPEGs of it and of its heatmap where they were asked for."""

    report: Report
    thumbnail: bytes | None = None
    heatmap: bytes | None = None


@dataclass(frozen=True, slots=True)
class Options:
    """What to do with every image; see `authentiscan.analysis.analyze`. thumbnails: also a small
    picture of it, and one with the heatmap over it, which costs next to nothing.
    """

    stability: bool = False
    provenance: bool = True
    thumbnails: bool = False
    limits: Limits = DEFAULT_LIMITS
    trust: TrustList | None = None


def default_workers() -> int:
    """Cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def scan(
    items: Iterable[Item],
    detector: Detector,
    *,
    workers: int | None = None,
    options: Options | None = None,
) -> Generator[Scanned, None, None]:
    """A report for every item, in order; one that fails gives `Report.failed`, never an exception.

    items: read lazily, a few ahead of the results, so that their number does not matter; on a
        thread of their own, so that a result does not wait for the item after it.
    detector: best loaded with ``threads=1``. workers: threads, None for one a core.

    Closing the iterator early drops the waiting items and waits for the running ones. Raises
    UsageError where ``workers`` is under 1.
    """
    threads = default_workers() if workers is None else workers
    if threads < 1:
        raise UsageError(f"workers is {threads}; it must be at least 1")
    work = partial(judge, detector=detector, options=options or Options())
    room = Room(threads * _AHEAD, _HELD_BYTES, _weight)
    return in_threads(items, work, threads, room)


def _weight(item: Item) -> int:
    return len(item.content or b"")


def judge(item: Item, detector: Detector, options: Options) -> Scanned:
    """Read, decode and analyze one item; whatever goes wrong becomes the report's error."""
    try:
        opened = open_image(item.source, name=item.name, limits=options.limits)
        report = analyze(
            opened,
            detector,
            stability=options.stability,
            provenance=options.provenance,
            heatmap=options.thumbnails,
            trust=options.trust,
        )
        return _pictured(report, opened.image.pixels) if options.thumbnails else Scanned(report)
    except (AuthentiscanError, OSError) as error:
        return Scanned(Report.failed(item.name, error))
    except Exception as error:  # one image must never end a batch
        told = printable(f"unexpected error: {error}")
        kind = type(error).__name__
        return Scanned(Report(path=item.name, error=told, error_kind=kind))


def _pictured(report: Report, pixels: RGBImage) -> Scanned:
    small = shrunk(pixels, THUMBNAIL_SIDE)
    thumbnail = encode(small, "JPEG", quality=75)
    if report.heatmap is None:
        return Scanned(report, thumbnail)
    from authentiscan.explain.overlay import overlay

    size = (small.shape[1], small.shape[0])
    values = np.asarray(Image.fromarray(report.heatmap).resize(size, Image.Resampling.BILINEAR))
    shown = overlay(small, np.clip(values, 0, 1))
    return Scanned(
        report.model_copy(update={"heatmap": None}),  # a million reports must not keep maps
        thumbnail,
        encode(shown, "JPEG", quality=75),
    )
