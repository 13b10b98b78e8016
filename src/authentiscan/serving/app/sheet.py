"""The evidence sheet of the image looked at, made when somebody asks for it."""

from __future__ import annotations

import tempfile
import threading
from functools import partial
from pathlib import Path, PurePath

import streamlit as st

from authentiscan.analysis import open_image
from authentiscan.core.files import short
from authentiscan.provenance import TrustList
from authentiscan.report.pdf import installed, write_pdf
from authentiscan.scan.sheet import make_sheet
from authentiscan.serving.app.tabs import Shown

_HELP = (
    "Two printed sides on this image, to attach to a mail or keep with a case: picture, verdict, "
    "heatmap, what the file says, checksums, how to repeat it. Changed copies are judged too, as "
    "under Stability."
)
_PRINTING = threading.Lock()  # a browser is heavy: one at a time, whoever asks


def show_sheet(shown: Shown) -> None:
    """Buttons for the sheet as a page, and as a PDF where a browser can print it."""
    stem = short(PurePath(shown.upload.name.replace("\\", "/")).stem) or "image"
    with st.container(horizontal=True):
        st.download_button(
            "Evidence sheet",
            data=partial(page_of, shown),
            file_name=f"{stem}_sheet.html",
            mime="text/html",
            on_click="ignore",
            icon=":material/description:",
            help=_HELP,
            key=shown.key("sheet"),
        )
        if installed():
            st.download_button(
                "Evidence sheet, PDF",
                data=partial(paper_of, shown),
                file_name=f"{stem}_sheet.pdf",
                mime="application/pdf",
                on_click="ignore",
                icon=":material/print:",
                help="The same, printed by the browser installed on this machine.",
                key=shown.key("paper"),
            )


def page_of(shown: Shown) -> bytes:
    """The sheet as HTML, as `authentiscan sheet` makes it."""
    chosen = shown.settings
    opened = open_image(shown.upload.content, name=shown.upload.name, limits=chosen.limits)
    _, html = make_sheet(
        opened,
        shown.detector,
        trust=chosen.trust or TrustList.chosen(),
        attributor=chosen.attributor,
        model=None if shown.name == "default" else shown.name,
    )
    return html.encode()


def paper_of(shown: Shown) -> bytes:
    """The sheet as PDF. Raises OutputError where the browser fails."""
    html = page_of(shown).decode()
    with _PRINTING, tempfile.TemporaryDirectory(prefix="authentiscan-") as folder:
        target = Path(folder) / "sheet.pdf"
        write_pdf(html, target)
        return target.read_bytes()
