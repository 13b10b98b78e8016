"""One self-contained HTML page of a scan: thumbnails and verdicts, highest score first.

No scripts and nothing loaded from elsewhere (its content security policy forbids both); every text
is escaped, since file names and metadata come from strangers.
"""

from __future__ import annotations

import base64
import mmap
import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO

from authentiscan.analysis import Report
from authentiscan.core.files import check_file, whole_text
from authentiscan.explain.colours import table
from authentiscan.report import shell
from authentiscan.report.thumbnails import address
from authentiscan.scan.engine import Scanned
from authentiscan.scan.items import summary

_KINDS = ("generated", "inconclusive", "real", "failed")


class Page:
    """Collects cards in a temporary file and writes them sorted; memory holds one number a card.

    limits: what the detector cannot do, for the footer. left_out: counts, read on closing.
    """

    def __init__(self, path: Path, left_out: Mapping[str, int]) -> None:
        check_file(path)
        self._left_out = left_out
        self.limits: tuple[str, ...] = ()
        self._path = path
        self._spool: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed in close()
        self._cards: list[tuple[float, int, int]] = []
        self._counts: Counter[str] = Counter()
        self._model = ""

    def write(self, result: Scanned) -> None:
        """Take one result."""
        report = result.report
        card = _card(result).encode("utf-8")
        self._cards.append((_rank(report), self._spool.tell(), len(card)))
        self._spool.write(card)
        self._counts[_kind(report)] += 1
        if report.model is not None:
            self._model = f"{report.model.name} {report.model.version}"

    def close(self) -> None:
        """Write the page to its place, whole or not at all."""
        pieces = shell.page(
            "cards.html",
            detector=self._model,
            limits=self.limits,
            total=sum(self._counts.values()),
            counts=[(kind, self._counts[kind]) for kind in _KINDS if self._counts[kind]],
            kinds=("all", *_KINDS),
            colours=[f"#{bytes(colour).hex()}" for colour in table("inferno")[::32]],
            cards=self._sorted(),
            left_out=summary(self._left_out),
        )
        with whole_text(self._path) as file:
            file.writelines(pieces)
        self._spool.close()

    def discard(self) -> None:
        """Leave the page that is there."""
        self._spool.close()

    def _sorted(self) -> Iterator[str]:
        for _, start, size in sorted(self._cards, key=lambda card: -card[0]):
            self._spool.seek(start)
            yield self._spool.read(size).decode("utf-8")


class Pictures:
    """The pictures of a page that an earlier scan left, kept on disk; none where there is no page.

    They are known by the image's and the detector's checksum, so that a picture is never shown
    beside another image or another detector's verdict.
    """

    _CARD = re.compile(rb'<article [^>]*data-image="([0-9a-f.]+)">(.*?)<div class="text">', re.S)
    _PICTURE = re.compile(rb'src="data:image/jpeg;base64,([A-Za-z0-9+/=]+)"')

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
        return Scanned(report, *pictures)


def _key(report: Report) -> str:
    """What pictures are known by; empty where there are none."""
    if report.image is None or report.model is None:
        return ""
    return f"{report.image.sha256}.{(report.model.sha256 or '')[:16]}"


def _kind(report: Report) -> str:
    return report.verdict.value if report.verdict else "failed"


def _rank(report: Report) -> float:
    return -1.0 if report.score is None else report.score


def _card(result: Scanned) -> str:
    report, image = result.report, result.report.image
    pictures = [("the image", result.thumbnail), ("where the score comes from", result.heatmap)]
    facts = (
        f"{image.format} {image.width}×{image.height}, crops' spread {report.spread:.2f}, "
        f"SHA‑256 {image.sha256[:16]}…"
        if image
        else ""
    )
    return shell.render(
        "card.html",
        kind=_kind(report),
        key=_key(report),
        pictures=[(words, address(data)) for words, data in pictures if data],
        name=report.path,
        score=report.score,
        reason=report.reason or report.error or "",
        facts=facts,
        notes=_notes(report),
    )


def _notes(report: Report) -> list[str]:
    notes = [f"⚠ {warning.message}" for warning in report.warnings]
    if report.stability is not None:
        flips = ", ".join(report.stability.flips)
        told = f"flips after {flips}" if flips else "the same verdict after JPEG, resize and crop"
        notes.append(f"Stability: {told}.")
    for finding in report.provenance.findings if report.provenance else ():
        notes.append(f"File says, {finding.source}: {finding.summary} ({finding.state.value})")
    return notes
