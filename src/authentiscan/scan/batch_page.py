"""One self-contained HTML page of a scan: thumbnails and verdicts, what to look at first on top.

Nothing is loaded from elsewhere and only the page's own script runs (its content security policy
says so); every text is escaped, since file names and metadata come from strangers. Cards stand in
``noscript`` elements, `CHUNK` each: a browser without scripts shows them all, one with scripts
keeps them as text and builds only the few that are looked at. So 10,000 images stay usable.
"""

from __future__ import annotations

import base64
import json
import mmap
import os
import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import islice, takewhile
from pathlib import Path
from typing import IO

from authentiscan.analysis import Report
from authentiscan.analysis.triage import order
from authentiscan.core.files import check_file, whole_text
from authentiscan.core.text import printable
from authentiscan.core.types import JsonObject
from authentiscan.explain.colours import table
from authentiscan.report import shell
from authentiscan.report.judges import Judge
from authentiscan.report.thumbnails import address
from authentiscan.scan.engine import Scanned
from authentiscan.scan.items import summary

CHUNK = 50
PICTURED = 500
"""Cards whose pictures are shown without a script too: no browser likes 20,000 at once."""
_KINDS = ("generated", "inconclusive", "real", "failed")


class BatchPage:
    """Collects cards in a temporary file and writes them sorted; memory holds a few numbers a card.

    limits: what the detector cannot do, for the footer. left_out: counts, read on closing.
    """

    def __init__(self, path: Path, left_out: Mapping[str, int]) -> None:
        check_file(path)
        self._left_out = left_out
        self.limits: tuple[str, ...] = ()
        self._path = path
        self._spool: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed in close()
        self._cards: list[tuple[tuple[int, float], int, int]] = []
        self._counts: Counter[str] = Counter()
        self._codes: Counter[str] = Counter()
        self._root = _Root()
        self._model: tuple[str, str | None] | None = None

    def write(self, result: Scanned) -> None:
        """Take one result."""
        report = result.report
        card = json.dumps(_card(result)).encode()
        self._cards.append((order(report), self._spool.tell(), len(card)))
        self._spool.write(card)
        self._counts[_kind(report)] += 1
        self._codes.update({warning.code for warning in report.warnings})
        self._root.add(report.path)
        if report.model is not None:
            self._model = f"{report.model.name} {report.model.version}", report.model.sha256

    def close(self) -> None:
        """Write the page to its place, whole or not at all."""
        self._cards.sort(key=lambda card: card[0])  # stable: equal ones stay in the scan's order
        pieces = shell.page(
            "batch.html",
            script="batch.js",
            judges=[Judge(*self._model, self.limits)] if self._model else [],
            total=len(self._cards),
            counts=[(kind, self._counts[kind]) for kind in _KINDS if self._counts[kind]],
            kinds=("all", *_KINDS),
            codes=sorted(self._codes.items()),
            folder=self._root.name,
            colours=[f"#{bytes(colour).hex()}" for colour in table("inferno")[::32]],
            index=self._index(),
            chunks=self._chunks(),
            left_out=summary(self._left_out),
            pictured=PICTURED,
        )
        with whole_text(self._path) as file:
            file.writelines(pieces)
        self._spool.close()

    def discard(self) -> None:
        """Leave the page that is there."""
        self._spool.close()

    def _sorted(self) -> Iterator[JsonObject]:
        for _, start, size in self._cards:
            self._spool.seek(start)
            card: JsonObject = json.loads(self._spool.read(size))
            yield card | {"name": self._root.relative(card["name"])}

    def _chunks(self) -> Iterator[str]:
        cards = (
            shell.render("card.html", later=number >= PICTURED, **card)
            for number, card in enumerate(self._sorted())
        )
        while chunk := "".join(islice(cards, CHUNK)):
            yield chunk

    def _index(self) -> Iterator[str]:
        """What the script sorts and filters by: name, kind, score, warnings, place in the scan."""
        scanned = {start: place for place, start in enumerate(sorted(c[1] for c in self._cards))}
        rows = zip(self._sorted(), self._cards, strict=True)
        for number, (card, (_, start, _)) in enumerate(rows):
            facts = (card["kind"], card["score"], card["codes"], scanned[start])
            text = json.dumps([printable(card["name"]), *facts], separators=(",", ":"))
            yield ("," if number else "") + text.replace("<", r"\u003c").replace("&", r"\u0026")


class _Root:
    """The folder that all paths have in common, found as they come; its own path is left out."""

    def __init__(self) -> None:
        self._parts: list[str] | None = None

    def add(self, path: str) -> None:
        """Take one path; the parts behind ``::`` lie in an archive."""
        parts = path.partition("::")[0].split(os.sep)[:-1]  # noqa: PTH206 - a path is shown as given
        before = parts if self._parts is None else self._parts
        same = takewhile(lambda pair: pair[0] == pair[1], zip(before, parts, strict=False))
        self._parts = [part for part, _ in same]

    @property
    def name(self) -> str:
        """The folder's own name; empty where there is none in common."""
        return (self._parts or [""])[-1]

    def relative(self, path: str) -> str:
        """``path`` below the folder."""
        return path.removeprefix("".join(part + os.sep for part in self._parts or ()))


class Pictures:
    """The pictures of a page that an earlier scan left, kept on disk; none where there is no page.

    They are known by the image's and the detector's checksum, so that a picture is never shown
    beside another image or another detector's verdict.
    """

    _CARD = re.compile(rb'<article [^>]*data-image="([0-9a-f.]+)">(.*?)<div class="text">', re.S)
    _PICTURE = re.compile(rb'src="data:image/(?:jpeg|png);base64,([A-Za-z0-9+/=]+)"')

    def __init__(self, path: Path) -> None:
        self._page: mmap.mmap | None = None
        self._places: dict[bytes, tuple[int, int]] = {}
        with suppress(OSError, ValueError), path.open("rb") as file:  # an empty file has no map
            self._page = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            self._places = {card[1]: card.span(2) for card in self._CARD.finditer(self._page)}

    def has(self, report: Report) -> bool:
        """Whether the page shows the image of ``report``."""
        place = self._places.get(_key(report).encode())
        return bool(place and self._page and self._PICTURE.search(self._page[slice(*place)]))

    def of(self, report: Report) -> Scanned:
        """The report with the pictures that belong to it."""
        place = self._places.get(_key(report).encode())
        if place is None or self._page is None:
            return Scanned(report)
        found = self._PICTURE.findall(self._page[slice(*place)])
        pictures = [base64.b64decode(data) for data in found[:2]]
        if report.clip is not None:
            thumbnail, timeline = [*pictures, None, None][:2]
            return Scanned(report, thumbnail, timeline=timeline)
        return Scanned(report, *pictures)


def _key(report: Report) -> str:
    """What pictures are known by; empty where there are none."""
    if report.image is None or report.model is None:
        return ""
    return f"{report.image.sha256}.{(report.model.sha256 or '')[:16]}"


def _kind(report: Report) -> str:
    return report.verdict.value if report.verdict else "failed"


def _card(result: Scanned) -> JsonObject:
    """What a card shows, as JSON can hold it."""
    report, image = result.report, result.report.image
    pictures = [
        ("the image", result.thumbnail, "jpeg"),
        ("where the score comes from", result.heatmap, "jpeg"),
        ("the frames and their scores", result.timeline, "png"),
    ]
    parts = "crops'" if report.clip is None else "frames'"
    facts = (
        f"{image.format} {image.width}×{image.height}, {parts} spread {report.spread:.2f}, "
        f"SHA‑256 {image.sha256[:16]}…"
        if image
        else ""
    )
    return {
        "kind": _kind(report),
        "clip": report.clip is not None,
        "key": _key(report),
        "pictures": [(words, address(data, kind)) for words, data, kind in pictures if data],
        "name": report.path,
        "score": report.score,
        "codes": [warning.code for warning in report.warnings],
        "reason": report.reason or report.error or "",
        "facts": facts,
        "notes": _notes(report),
    }


def _notes(report: Report) -> list[str]:
    notes = []
    if report.attribution is not None:
        notes.append(f"{report.attribution.sentence().capitalize()}.")
    notes += [f"⚠ {warning.message}" for warning in report.warnings]
    if report.stability is not None:
        flips = ", ".join(report.stability.flips)
        text = f"flips after {flips}" if flips else "the same verdict after JPEG, resize and crop"
        notes.append(f"Stability: {text}.")
    for finding in report.provenance.findings if report.provenance else ():
        notes.append(f"File says, {finding.source}: {finding.summary} ({finding.state.value})")
    return notes
