"""HTML made from templates; every text in it is escaped, as names and metadata come from strangers.

Streamlit's own Markdown is kept for our own words.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from authentiscan.report.shell import templates

ASSETS = Path(__file__).with_name("assets")


def render(template: str, **content: object) -> str:
    """The text of ``template`` filled with ``content``."""
    return templates("authentiscan.serving.app").get_template(template).render(content)


def put(template: str, **content: object) -> None:
    """Put ``template``, filled with ``content``, on the page."""
    st.html(render(template, **content))


def pairs(rows: Sequence[tuple[str, object]], caption: str) -> None:
    """A table of names and values, with ``caption`` for those who cannot see it."""
    put("pairs.html", rows=rows, caption=caption)


def table(
    head: Sequence[str], rows: Sequence[Sequence[object]], caption: str, *, note: str = ""
) -> None:
    """A table whose first column names the row."""
    put("table.html", head=head, rows=rows, caption=caption, note=note)
