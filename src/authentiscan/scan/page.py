"""One self-contained HTML page of a scan: thumbnails and verdicts, highest score first.

No scripts and nothing loaded from elsewhere (its content security policy forbids both); every text
is escaped, since file names and metadata come from strangers.
"""

from __future__ import annotations

import base64
import tempfile
from collections import Counter
from html import escape
from pathlib import Path
from typing import IO

from authentiscan.analysis import Report
from authentiscan.scan.engine import Scanned

_STYLE = """
:root{color-scheme:light dark;--line:#8884;--gen:#c0392b;--real:#1e8449;--inc:#b9770e;--bad:#777}
body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:76rem;padding:0 1rem}
h1{font-size:1.4rem;margin:0}.sum{margin:.3rem 0 1rem;opacity:.85}
.key label{display:inline-block;margin-right:1rem;cursor:pointer}
.grid{display:grid;gap:1rem;grid-template-columns:repeat(auto-fill,minmax(18rem,1fr));margin-top:1rem}
.card{border:1px solid var(--line);border-radius:.5rem;overflow:hidden;display:flex;
flex-direction:column}
.shot{height:9rem;display:flex;align-items:center;justify-content:center;gap:2px;background:#8882}
.shot img{max-width:100%;max-height:100%}.shot img:not(:only-child){max-width:49%}
.text{padding:.6rem .8rem;font-size:.85rem}
.name{font-weight:600;overflow-wrap:anywhere}.tag{font-weight:700}
.generated .tag{color:var(--gen)}.real .tag{color:var(--real)}.inconclusive .tag{color:var(--inc)}
.failed .tag{color:var(--bad)}
.bar{height:.4rem;border-radius:.2rem;background:#8883;margin:.3rem 0;overflow:hidden}
.bar i{display:block;height:100%;background:currentColor}
.why{margin:.3rem 0}.warn{opacity:.8;margin:.2rem 0}
footer{margin-top:2rem;font-size:.8rem;opacity:.75}
body:has(#f-generated:checked) .card:not(.generated),body:has(#f-real:checked) .card:not(.real),
body:has(#f-inconclusive:checked) .card:not(.inconclusive),
body:has(#f-failed:checked) .card:not(.failed){display:none}
"""

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_KINDS = ("generated", "inconclusive", "real", "failed")


class Page:
    """Collects cards in a temporary file and writes them sorted; memory holds one number a card."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._spool: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed in close()
        self._cards: list[tuple[float, int, int]] = []
        self._counts: Counter[str] = Counter()
        self._model = ""
        path.write_text("", encoding="utf-8")  # an unwritable place is told before the scan

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
        partial = self._path.with_name(self._path.name + ".partial")
        with partial.open("wb") as file:
            file.write(self._head().encode("utf-8"))
            for _, start, size in sorted(self._cards, key=lambda card: -card[0]):
                self._spool.seek(start)
                file.write(self._spool.read(size))
            file.write(_FOOT.encode("utf-8"))
        self._spool.close()
        partial.replace(self._path)

    def _head(self) -> str:
        counts = ", ".join(f"{self._counts[kind]} {kind}" for kind in _KINDS if self._counts[kind])
        total = sum(self._counts.values())
        choices = "".join(
            f'<label><input type="radio" name="f" id="f-{kind}"{" checked" if not number else ""}> '
            f"{kind}</label>"
            for number, kind in enumerate(("all", *_KINDS))
        )
        return (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">'
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
            '<meta name="viewport" content="width=device-width,initial-scale=1">'
            f"<title>authentiscan: {total} images</title><style>{_STYLE}</style></head><body>"
            f'<h1>authentiscan</h1><p class="sum">{total} images: {counts or "none"}. '
            f'Detector: {escape(self._model or "none")}.</p><div class="key">{choices}</div>'
            '<main class="grid">'
        )


_FOOT = (
    "</main><footer>The score is the detector's probability that an image is generated (0 real, "
    "1 generated). Bright places of the second picture raise it most, compared with the rest of "
    "the same image. It is evidence, not proof; missing metadata is never evidence.</footer>"
    "</body></html>\n"
)


def _picture(data: bytes, text: str) -> str:
    encoded = base64.b64encode(data).decode("ascii")
    return f'<img alt="{text}" title="{text}" src="data:image/jpeg;base64,{encoded}">'


def _kind(report: Report) -> str:
    return report.verdict.value if report.verdict else "failed"


def _rank(report: Report) -> float:
    return -1.0 if report.score is None else report.score


def _card(result: Scanned) -> str:
    report = result.report
    kind = _kind(report)
    pictures = [("the image", result.thumbnail), ("where the score comes from", result.heatmap)]
    shot = "".join(_picture(data, text) for text, data in pictures if data) or "no picture"
    lines = [f'<div class="name">{escape(report.path)}</div>']
    if report.score is None:
        lines.append(
            f'<div class="tag">failed</div><p class="why">{escape(report.error or "")}</p>'
        )
    else:
        lines.append(
            f'<div class="tag">{kind} · score {report.score:.3f}'
            f'<div class="bar"><i style="width:{100 * report.score:.1f}%"></i></div></div>'
            f'<p class="why">{escape(report.reason)}</p>'
        )
    if report.image is not None:
        lines.append(
            f"<div>{escape(report.image.format)} {report.image.width}×{report.image.height}, "
            f"crops' spread {report.spread:.2f}</div>"
        )
    lines += [f'<p class="warn">⚠ {escape(warning.message)}</p>' for warning in report.warnings]
    if report.stability is not None:
        flips = ", ".join(report.stability.flips)
        told = f"flips after {flips}" if flips else "the same verdict after JPEG, resize and crop"
        lines.append(f'<p class="warn">Stability: {escape(told)}.</p>')
    for finding in report.provenance.findings if report.provenance else ():
        told = f"{finding.source}: {finding.summary} ({finding.state.value})"
        lines.append(f'<p class="warn">File says, {escape(told)}</p>')
    return (
        f'<article class="card {kind}"><div class="shot">{shot}</div>'
        f'<div class="text">{"".join(lines)}</div></article>\n'
    )
