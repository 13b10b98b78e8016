"""Several images: one table of verdicts, and files of the results."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import streamlit as st

from authentiscan.analysis import triage
from authentiscan.report.thumbnails import address
from authentiscan.scan import Scanned, Sinks, open_sink
from authentiscan.scan.batch_page import BatchPage
from authentiscan.serving.app.state import Session
from authentiscan.serving.app.verdict import WORDS, kind_of

ORDERS = (
    "as they came", "look at these first", "highest score first", "lowest score first", "name",
)  # fmt: skip
_ROWS = 12  # of the table that are seen without scrolling
_FILES = {"CSV": "csv", "JSON": "jsonl", "HTML report": "html"}


def ordered(results: Sequence[Scanned], order: str) -> list[int]:
    """Places of ``results`` in one of `ORDERS`; images without a score come last."""
    places = list(range(len(results)))
    if order == "look at these first":
        return sorted(places, key=lambda place: triage.order(results[place].report))
    if order == "name":
        return sorted(places, key=lambda place: results[place].report.path.casefold())
    sign = {"highest score first": -1, "lowest score first": 1}.get(order)
    if sign is None:
        return places
    scores = [result.report.score for result in results]
    return sorted(places, key=lambda p: (scores[p] is None, sign * (scores[p] or 0)))


def show_batch(session: Session, names: Sequence[str], name: str) -> None:
    """The table; a row that is chosen is the image looked at. name: the detector that leads."""
    results = [session.results[place, name] for place in range(len(session.images))]
    counts = [sum(kind_of(r.report) == kind for r in results) for kind in WORDS]
    text = ", ".join(f"{n} {kind}" for n, kind in zip(counts, WORDS, strict=True) if n)
    st.header(f"{len(results)} images: {text}", anchor=False)
    order = st.selectbox("Order of the table", ORDERS, key="order", width=260)
    places = ordered(results, order or ORDERS[0])
    table = _table(session, names, name, places)
    chosen = st.dataframe(
        table,
        hide_index=True,
        height="auto" if len(places) <= _ROWS else 35 * (_ROWS + 1),
        column_config={
            "image": st.column_config.ImageColumn(width="small"),
            "score": st.column_config.NumberColumn(format="%.3f", help="0 real, 1 generated"),
            "spread": st.column_config.NumberColumn(format="%.2f", help="of the crops' scores"),
        },
        on_select="rerun",
        selection_mode="single-row",
        key=f"table-{name}-{order}",
        alt="verdicts of all images",
    )
    rows = chosen["selection"]["rows"]
    if rows and rows != st.session_state.get("rows"):
        st.session_state["place"] = places[rows[0]]
    st.session_state["rows"] = rows


def _table(
    session: Session, names: Sequence[str], name: str, places: Sequence[int]
) -> dict[str, list[object]]:
    results = [session.results[place, name] for place in places]
    reports = [result.report for result in results]
    columns: dict[str, list[object]] = {
        "image": [address(r.thumbnail) if r.thumbnail else None for r in results],
        "file": [report.path for report in reports],
        "verdict": [_shown(result) for result in results],
        "score": [report.score for report in reports],
    }
    for other in names:
        if other != name:
            columns[other] = [_shown(session.results[place, other]) for place in places]
    columns["spread"] = [r.spread if r.verdict else None for r in reports]
    columns["warnings"] = [", ".join(w.code for w in report.warnings) for report in reports]
    columns["reason"] = [report.reason or report.error for report in reports]
    return columns


def _shown(result: Scanned) -> str:
    kind = kind_of(result.report)
    return f"{WORDS[kind].sign} {kind}"


def show_downloads(session: Session, name: str, limits: tuple[str, ...]) -> None:
    """Buttons for files of all results of the detector called ``name``."""
    results = [session.results[place, name] for place in range(len(session.images))]
    with st.container(horizontal=True):
        for label, ending in _FILES.items():
            st.download_button(
                label,
                data=partial(written, results, ending, limits),
                file_name=f"authentiscan.{ending}",
                on_click="ignore",
                icon=":material/download:",
                key=f"download-{ending}",
            )


def written(results: Sequence[Scanned], ending: str, limits: tuple[str, ...]) -> bytes:
    """The file of ``results`` that ``authentiscan scan -o`` writes with this ending."""
    with tempfile.TemporaryDirectory(prefix="authentiscan-") as folder:
        path = Path(folder) / f"results.{ending}"
        sink = open_sink(path)
        if isinstance(sink, BatchPage):
            sink.limits = limits
        with Sinks([sink]) as sinks:
            for result in results:
                sinks.write(result)
        return path.read_bytes()
