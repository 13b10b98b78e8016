"""Uploads through `authentiscan.scan`, as the command line does it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, TypeAlias

from authentiscan.scan import Item, Options, scan
from authentiscan.scan.engine import judge
from authentiscan.serving.app.settings import Settings
from authentiscan.serving.app.state import Session, Upload

if TYPE_CHECKING:
    from authentiscan.inference import Detector

Advance: TypeAlias = Callable[[int, int, str], None]
"""Told how many images are done, of how many, and the name of the last one."""


def judge_missing(
    session: Session, name: str, detector: Detector, settings: Settings, advance: Advance
) -> None:
    """Judge the images that the detector called ``name`` has not judged; results are kept as they
    come.
    """
    places = session.missing(name)
    items = (_item(session.images[place]) for place in places)
    found = scan(items, detector, workers=settings.workers, options=_options(settings))
    with closing(found):
        for done, (place, result) in enumerate(zip(places, found, strict=True), start=1):
            session.results[place, name] = result
            advance(done, len(places), session.images[place].name)


def judge_stability(
    session: Session, place: int, name: str, detector: Detector, settings: Settings
) -> None:
    """Judge one image again, now with changed copies; a flip makes its verdict inconclusive."""
    options = _options(settings, stability=True)
    session.results[place, name] = judge(_item(session.images[place]), detector, options)


def _item(upload: Upload) -> Item:
    return Item(upload.name, content=upload.content)


def _options(settings: Settings, *, stability: bool = False) -> Options:
    return Options(
        stability=stability,
        thumbnails=True,
        limits=settings.limits,
        trust=settings.trust,
        attributor=settings.attributor,
    )
