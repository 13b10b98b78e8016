"""Many images through one detector: threads, results in input order, bounded memory.

Decoding and ONNX Runtime both release the interpreter lock, so threads use all cores. The detector
runs each image on the thread that decoded it, with one thread of its own (``threads=1``), so that
no core is idle between images.
"""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from PIL import Image

from authentiscan.analysis import Opened, Report, analyze, open_image
from authentiscan.core.errors import AuthentiscanError, UsageError
from authentiscan.core.parallel import Room, in_threads
from authentiscan.core.text import printable
from authentiscan.core.types import Prediction, RGBImage
from authentiscan.images.decode import DEFAULT_LIMITS, Limits, encode
from authentiscan.report.thumbnails import shrunk
from authentiscan.scan import clips
from authentiscan.scan.items import Item

if TYPE_CHECKING:
    from authentiscan.attribution import Attributor
    from authentiscan.inference import Detector
    from authentiscan.provenance import TrustList

_Found: TypeAlias = Opened | clips.Opened
_AHEAD = 6  # images a worker may be ahead of the slowest one before it
_HELD_BYTES = 256 * 2**20  # of archive members waiting in memory
THUMBNAIL_SIDE = 160


@dataclass(frozen=True, slots=True)
class Scanned:
    """The report of one item; small JPEGs of it and of its heatmap where they were asked for.

    timeline: of a video or an animation its frames and their scores, as PNG.
    """

    report: Report
    thumbnail: bytes | None = None
    heatmap: bytes | None = None
    timeline: bytes | None = None


@dataclass(frozen=True, slots=True)
class Options:
    """What to do with every image; see `authentiscan.analysis.analyze`.

    thumbnails: also a small picture of it, and one with the heatmap over it, which costs next to
    nothing. frames: judged of a video; None for `authentiscan.scan.clips.FRAMES` of them, and then
    animations are judged by their first picture alone.
    attributor: best loaded with ``threads=1``.
    """

    stability: bool = False
    provenance: bool = True
    thumbnails: bool = False
    limits: Limits = DEFAULT_LIMITS
    trust: TrustList | None = None
    frames: int | None = None
    attributor: Attributor | None = None


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
    UsageError where ``workers`` is under 1 or the trust list that the environment names cannot be
    read.
    """
    threads = default_workers() if workers is None else workers
    if threads < 1:
        raise UsageError(f"workers is {threads}; it must be at least 1")
    work = partial(judge, detector=detector, options=_settled(options or Options()))
    room = Room(threads * _AHEAD, _HELD_BYTES, _weight)
    return in_threads(items, work, threads, room)


def _settled(options: Options) -> Options:
    """With the trust list that is looked for where none is named: once, not for every image."""
    if not options.provenance or options.trust is not None:
        return options
    from authentiscan.provenance import TrustList

    return replace(options, trust=TrustList.chosen())


def _weight(item: Item) -> int:
    return len(item.content or b"")


def judge(
    item: Item, detector: Detector, options: Options, opened: _Found | None = None
) -> Scanned:
    """Read, decode and analyze one item; whatever goes wrong becomes the report's error."""
    try:
        found = opened or _open(item, options)
        if isinstance(found, clips.Opened):
            return _of_clip(found, item.name, detector, options)
        report = _report(found, detector, options)
        return _pictured(report, found.image.pixels) if options.thumbnails else Scanned(report)
    except Exception as error:  # one image must never end a batch
        return _failed(item, error)


def judge_together(items: Sequence[Item], detector: Detector, options: Options) -> list[Scanned]:
    """As `judge` of each, in order; their crops share batches of the network.

    A batch gives each image the very score that it has alone. It pays where a network takes few
    crops of an image, and on a GPU; an image is judged alone where a batch fails.
    """
    made: dict[int, Scanned] = {}
    opened: dict[int, Opened] = {}
    for number, item in enumerate(items):
        try:
            one = _open(item, options)
        except Exception as error:
            made[number] = _failed(item, error)
            continue
        if isinstance(one, clips.Opened):
            made[number] = judge(item, detector, options, one)
        else:
            opened[number] = one
    started = time.perf_counter()
    try:
        found = list(detector.predict_many(one.image for one in opened.values()))
    except AuthentiscanError:
        made |= {n: judge(items[n], detector, options, it) for n, it in opened.items()}
        return [made[number] for number in range(len(items))]
    share = (time.perf_counter() - started) * 1e3 / max(1, len(found))
    for (number, one), prediction in zip(opened.items(), found, strict=True):
        made[number] = _analyzed(items[number], one, prediction, detector, options, share=share)
    return [made[number] for number in range(len(items))]


def _analyzed(
    item: Item,
    opened: Opened,
    prediction: Prediction,
    detector: Detector,
    options: Options,
    *,
    share: float,
) -> Scanned:
    """The report of an image whose prediction came out of a batch; share: its milliseconds."""
    try:
        report = _report(opened, detector, options, prediction)
    except Exception as error:  # as above
        return _failed(item, error)
    total = round(report.timings["total_ms"] + share, 3)
    timings = {**report.timings, "model_ms": round(share, 3), "total_ms": total}
    return Scanned(report.model_copy(update={"timings": timings}))


def _report(
    opened: Opened, detector: Detector, options: Options, prediction: Prediction | None = None
) -> Report:
    return analyze(
        opened,
        detector,
        stability=options.stability,
        provenance=options.provenance,
        heatmap=options.thumbnails and prediction is None,
        attributor=options.attributor,
        trust=options.trust,
        prediction=prediction,
    )


def _open(item: Item, options: Options) -> _Found:
    source = item.source  # read once: it may be an object far away
    clip = clips.opened(source, options.frames, options.limits)
    return clip or open_image(source, name=item.name, limits=options.limits)


def _failed(item: Item, error: Exception) -> Scanned:
    if isinstance(error, AuthentiscanError | OSError):
        return Scanned(Report.failed(item.name, error))
    text = printable(f"unexpected error: {error}")
    return Scanned(Report(path=item.name, error=text, error_kind=type(error).__name__))


def _of_clip(clip: clips.Opened, name: str, detector: Detector, options: Options) -> Scanned:
    report, pictures = clips.judged(
        clip,
        name,
        detector,
        stability=options.stability,
        provenance=options.provenance,
        trust=options.trust,
        attributor=options.attributor,
        drawn=options.thumbnails,
    )
    if pictures is None:
        return Scanned(report)
    thumbnail = encode(shrunk(pictures.middle, THUMBNAIL_SIDE), "JPEG", quality=75)
    return Scanned(report, thumbnail, timeline=pictures.timeline)


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
